//! Guesses are slowed by address, and an address is what a trusted proxy says, or the socket's own.

use serde_json::{Value, json};
use trapline::{http::TrustedProxies, wiring};
use trapline_core::doctor::Verdict;
use trapline_testkit::Client;

use crate::support::{Site, TOKEN, answer, job, post, send};

/// One request on a connection of its own; the status, the body.
async fn once(site: &Site, request: &[u8]) -> (u16, Value) {
    let mut stream = site.connect().await;
    send(&mut stream, request).await;
    answer(&mut stream).await
}

fn login(from: &str, password: &str) -> Vec<u8> {
    let body = json!({"email": "a@b.c", "password": password}).to_string();
    post(
        "/api/v2/auth/token/login/",
        &body,
        "HTTP/1.1",
        &format!("X-Forwarded-For: {from}\r\n"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_of_an_address_are_slowed_whatever_it_says_of_itself() {
    let site = Site::start(|_| {}).await;
    for n in 0..10 {
        let (status, body) = once(&site, &login(&format!("192.0.2.{n}"), "guess")).await;
        assert_eq!(status, 400, "{body}");
    }
    let (status, body) = once(&site, &login("192.0.2.99", TOKEN)).await;
    assert_eq!(status, 429, "{body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("Request was throttled. Expected available in "),
        "{detail}"
    );
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_its_own_rate() {
    let site = Site::start(|c| c.trusted_proxies = "127.0.0.1,10.0.0.0/8".parse().unwrap()).await;
    for n in 0..30 {
        // The client forges a first hop; its own address is what the proxies added.
        let from = format!("6.6.6.{n}, 192.0.2.{}, 10.0.0.2", n % 3);
        assert_eq!(once(&site, &login(&from, "guess")).await.0, 400);
    }
    assert_eq!(
        once(&site, &login("6.6.6.99, 192.0.2.1, 10.0.0.2", TOKEN))
            .await
            .0,
        429
    );
    assert_eq!(once(&site, &login("192.0.2.77", TOKEN)).await.0, 200);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guessed_tokens_are_slowed_and_a_valid_one_from_the_same_address_never_is() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 1).await;
    let guesser = Client::new(&site.node.url(), "a-guess");
    for _ in 0..20 {
        assert_eq!(guesser.try_get("/api/v2/jobs/").await.unwrap().status, 401);
    }
    assert_eq!(guesser.try_get("/api/v2/jobs/").await.unwrap().status, 429);
    for _ in 0..20 {
        let path = format!("/api/v2/jobs/{job}/tasks/");
        site.admin.post(&path, &json!({"batch_size": 1})).await;
        let result = format!("/api/v2/jobs/{job}/result/");
        let answered = site
            .admin
            .try_post(&result, &json!({"results": []}))
            .await
            .unwrap();
        assert_ne!(answered.status, 429);
        site.admin.get("/api/v2/jobs/?ids_only=1").await;
    }
    site.node.stop().await.unwrap();
}

/// What `trapline doctor` says of proxies.
async fn doctor(site: &Site) -> Option<Verdict> {
    let checks = wiring::examine(&site.config, 1, &[]).await.unwrap();
    checks.iter().find(|c| c.name == "proxies").map(|c| c.verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_warns_of_a_proxy_that_nobody_trusts_and_of_trust_in_everybody() {
    let mut site = Site::start(|_| {}).await;
    assert_eq!(doctor(&site).await, Some(Verdict::Ok));
    let of = job(&site.admin, 1).await;
    // Without a token, it may be anybody's mischief.
    once(&site, &login("192.0.2.1", "guess")).await;
    assert_eq!(doctor(&site).await, Some(Verdict::Ok));
    take_one(&site, of, "192.0.2.1").await;
    assert_eq!(doctor(&site).await, Some(Verdict::Warn));
    site.config.trusted_proxies = "::/0".parse().unwrap();
    assert_eq!(doctor(&site).await, Some(Verdict::Warn));
    site.config.trusted_proxies = TrustedProxies::default();
    site.node.stop().await.unwrap();
    let nobody = wiring::examine(&site.config, 1, &[]).await.unwrap();
    assert!(nobody.iter().all(|c| c.name != "proxies"), "{nobody:?}");
}

/// The names of workers that the store knows, from the images that they hold.
async fn holders(site: &Site, job: i64) -> Vec<String> {
    let rows = site
        .admin
        .rows(&format!("/api/v2/jobs/{job}/images/?limit=100"))
        .await;
    let mut names: Vec<String> = rows
        .iter()
        .filter_map(|r| Some(r["worker"].as_str()?.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

async fn take_one(site: &Site, job: i64, from: &str) {
    let path = format!("/api/v2/jobs/{job}/tasks/");
    let more = format!("X-Forwarded-For: {from}\r\n");
    let (status, body) = once(site, &post(&path, "{\"batch_size\": 1}", "HTTP/1.1", &more)).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_poses_as_another_worker_but_through_a_trusted_proxy() {
    let site = Site::start(|_| {}).await;
    let of = job(&site.admin, 2).await;
    for from in ["192.0.2.1", "192.0.2.2"] {
        take_one(&site, of, from).await;
    }
    let names = holders(&site, of).await;
    assert_eq!(names, ["--admin-token at 127.0.0.1"]);
    let health = site.admin.get("/healthz").await;
    assert_eq!(health["forwarded_headers_ignored"], true, "{health}");
    site.node.stop().await.unwrap();

    let site = Site::start(|c| c.trusted_proxies = "127.0.0.0/8".parse().unwrap()).await;
    let of = job(&site.admin, 2).await;
    for from in ["192.0.2.1", "6.6.6.6, 192.0.2.2"] {
        take_one(&site, of, from).await;
    }
    let names = holders(&site, of).await;
    assert_eq!(
        names,
        ["--admin-token at 192.0.2.1", "--admin-token at 192.0.2.2"]
    );
    let health = site.admin.get("/healthz").await;
    assert_eq!(health.get("forwarded_headers_ignored"), None, "{health}");
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_to_the_name_that_a_trusted_proxy_gives_and_to_no_other() {
    let request = post(
        "/api/v2/captures/collections/",
        "{\"name\": \"n\", \"project_id\": 1}",
        "HTTP/1.1",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: antenna.example.org\r\n",
    );
    for (trusted, details) in [
        ("", "http://x/api/v2/"),
        ("127.0.0.1", "https://antenna.example.org/api/v2/"),
    ] {
        let site = Site::start(|c| c.trusted_proxies = trusted.parse().unwrap()).await;
        let (status, body) = once(&site, &request).await;
        assert_eq!(status, 201, "{body}");
        assert!(body.to_string().contains(details), "{trusted}: {body}");
        site.node.stop().await.unwrap();
    }
}
