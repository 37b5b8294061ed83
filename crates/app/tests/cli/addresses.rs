//! A server that listens on every address of its machine, and workers that reach it by any.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv6Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use trapline_testkit::{Client, SERVER_TOKEN, until};

use super::support::{PATIENCE, trapline};

/// Is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A server, and the address that it prints.
async fn serve(folder: &Path, listen: &str) -> (Killed, String) {
    let mut command = trapline(folder, &["serve", "--listen", listen]);
    command.env("TRAPLINE_ADMIN_TOKEN", SERVER_TOKEN);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let server = Killed(child);
    let (prints, printed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut prints = Some(prints);
        // To its end: a server whose log nobody reads would stop.
        for line in lines.map_while(Result::ok) {
            let url = line
                .split_once("url=")
                .and_then(|(_, rest)| rest.split([' ', '"']).find(|w| !w.is_empty()));
            if let (true, Some(url)) = (line.contains("serving"), url)
                && let Some(prints) = prints.take()
            {
                prints.send(url.to_owned()).ok();
            }
        }
    });
    let url = tokio::time::timeout(PATIENCE, printed).await.unwrap();
    (server, url.expect("it says where it serves"))
}

/// A worker registers at this URL what it runs, and is then asked to stop.
async fn a_worker_can_use(folder: &Path, url: &str) {
    let client = Client::new(url, SERVER_TOKEN);
    let name = format!("at {url}");
    let mut command = trapline(folder, &["worker", "--name", &name]);
    command
        .env("TRAPLINE_URL", url)
        .env("TRAPLINE_TOKEN", SERVER_TOKEN);
    let mut worker = Killed(command.spawn().unwrap());
    until("the worker is registered", PATIENCE, async || {
        let services = client
            .get("/api/v2/ml/processing_services/?project_id=1")
            .await
            .to_string();
        if services.contains(&name) {
            Ok(())
        } else {
            Err(services)
        }
    })
    .await;
    let pid = worker.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = tokio::task::spawn_blocking(move || worker.0.wait().unwrap());
    let status = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "{url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_listens_on_every_address_serves_workers_by_each_and_by_what_it_prints() {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let every = [
        ("0.0.0.0:0", &["127.0.0.2", "127.1.2.3"][..]),
        ("[::]:0", &["127.0.0.2", "[::1]"]),
    ];
    for (listen, hosts) in every.into_iter().take(if has_ipv6 { 2 } else { 1 }) {
        let dir = tempfile::tempdir().unwrap();
        let (_server, printed) = serve(dir.path(), listen).await;
        let (host, port) = printed.rsplit_once(':').unwrap();
        assert!(!["http://0.0.0.0", "http://[::]"].contains(&host), "{printed}");
        a_worker_can_use(dir.path(), &printed).await;
        for host in hosts {
            a_worker_can_use(dir.path(), &format!("http://{host}:{port}")).await;
        }
    }
}
