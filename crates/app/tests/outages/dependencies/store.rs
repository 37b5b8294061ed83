//! The store is away: nothing is handed out, and whoever asks is told soon; a result waits; all returns by itself.

use std::time::Duration;

use serde_json::json;
use trapline_testkit::Client;

use crate::{
    cluster::{Cluster, Dependency::Store, Mode, SETTLE_WAIT},
    endpoints::{self, Call, TASKS, Victims, slowest},
    fleet::{Workers, lands, reserve, results_of, start_job},
};

const IMAGES: usize = 400;
/// How long a result waits by default, and what a busy machine may add.
const RESULT: Duration = Duration::from_secs(25 + 2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_nothing_hangs_and_a_result_waits() {
    let mut cluster = Cluster::start(&[]).await;
    let [a, _] = cluster.clients();
    for slug in ["work", "victim", "hand"] {
        a.register_pipeline(slug).await;
    }
    let job = start_job(&a, "victim", 3).await;
    endpoints::check(&a, job).await;
    let token = json!({ "role": "worker", "name": "asks" });
    let token = a.post("/api/v2/tokens/", &token).await["token"].clone();
    let asks = Client::new(&cluster.urls()[1], token.as_str().unwrap());
    let workers = Workers::start(&cluster.urls(), "work", 2);
    for how in [Mode::Partition, Mode::Kill, Mode::Quit, Mode::Pause] {
        goes_away(&mut cluster, how, &workers, &asks).await;
    }
    workers.stop().await;
    cluster.verify();
}

async fn goes_away(cluster: &mut Cluster, how: Mode, workers: &Workers, asks: &Client) {
    let [a, b] = cluster.clients();
    let by_hand = start_job(&a, "hand", 10).await;
    let (first, second) = (
        reserve(&a, by_hand, "one", 5).await,
        reserve(&b, by_hand, "two", 5).await,
    );
    let path = format!("/api/v2/jobs/{by_hand}/result/");
    let posts = [first, second].map(|tasks| Call::post(&path, results_of("hand", &tasks)));
    let victims = Victims::new(&a).await;
    let before = workers.saved();
    let job = start_job(&a, "work", IMAGES).await;
    workers.save(before + IMAGES / 10).await;

    cluster.take_away(Store, how);
    let all = endpoints::all(job, &victims);
    // On the first node all at once, at the moment at which nobody knows of it yet.
    let the_longest = async {
        match how {
            Mode::Pause => Some(posts[1].measure(&b).await),
            _ => None,
        }
    };
    let waits = async {
        let (onset, asked, waited) = futures::join!(
            endpoints::measure(&a, &all),
            asks_for_tasks(asks, job),
            posts[0].measure(&a)
        );
        let known = endpoints::measure(&b, &all).await;
        cluster.both_say(Some(Store)).await;
        (onset, asked, waited, known)
    };
    let ((onset, asked, waited, known), longest) = futures::join!(waits, the_longest);
    assert_eq!(waited.status, 503, "{waited:?}");
    assert!(waited.took < SETTLE_WAIT + Duration::from_secs(3), "{waited:?}");
    for measured in onset.iter().chain(&known) {
        let fine = measured.status == 503 || NEED_NO_STORE.iter().any(|no| measured.call.contains(no));
        assert!(fine, "{measured:?}");
    }
    let (slowest_at_onset, slowest_later) = (slowest(&onset), slowest(&known));
    assert_eq!(a.try_get("/healthz").await.unwrap().status, 200);
    // With the default wait, once.
    let longest = longest.unwrap_or(waited);
    assert_eq!(longest.status, 503, "{longest:?}");
    assert!(longest.took < RESULT, "{longest:?}");
    let result = longest.took;
    println!(
        "store {how:?}: tasks {asked:?}, slowest at onset {slowest_at_onset:?}, later {slowest_later:?}, \
         result {result:?}"
    );

    cluster.give_back(Store, how).await;
    cluster.both_say(None).await;
    for (post, client) in posts.iter().zip([&b, &a]) {
        // It was answered by an error, or by nobody; posted again, and once more, it counts once.
        for _ in 0..2 {
            let answer = post.measure(client).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    lands(&b, by_hand, 10).await;
    lands(&a, job, IMAGES).await;
}

/// What says something without it.
const NEED_NO_STORE: [&str; 3] = ["explain", "users/me", "leases"];

/// How long who asks for tasks waits to hear that there are none; the best of a few, for the sake of busy machines.
async fn asks_for_tasks(client: &Client, job: i64) -> Duration {
    let mut slowest = Duration::ZERO;
    for call in endpoints::for_tasks(job) {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let answer = call.measure(client).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            best = best.min(answer.took);
            slowest = slowest.max(answer.took);
        }
        assert!(best < TASKS, "{best:?}");
    }
    slowest
}
