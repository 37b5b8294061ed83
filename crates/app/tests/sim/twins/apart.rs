//! That rows which only one of the twins wrote are found.

use super::*;
use crate::{definition::SLUG, side::Side};

/// A row that only SQLite wrote, and that no operation asked for, is found at the end.
pub(crate) fn rows_that_no_operation_asked_for_are_compared() -> std::result::Result<(), Failed> {
    for written in [
        "UPDATE jobs SET priority = priority + 1",
        "UPDATE tasks SET strikes = strikes + 1",
        "INSERT INTO job_logs (job_id, at, level, message) VALUES (1, 1, 'INFO', 'once more')",
        "INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, at) VALUES (7, 1, 1, 1, 1, 1)",
    ] {
        let clock = SimClock::new(0);
        let twins = twins(&clock);
        clock
            .runtime()
            .block_on(written_apart(&twins, clock.now(), written));
        if twins.differences().is_empty() {
            return Err(format!("nobody notices `{written}`").into());
        }
    }
    Ok(())
}

fn twins(clock: &SimClock) -> Twins {
    let shared = Arc::new(clock.clone());
    let model = Arc::new(MemoryStore::with(Arc::clone(&shared) as _, 1_000, None));
    Twins::new(model, shared, Arc::new(Trace::new(clock.clone(), false)))
}

/// A job that both have, then a statement that the model knows nothing of.
async fn written_apart(twins: &Twins, now: Timestamp, sql: &'static str) {
    let side = Side::new(twins, 0, ProjectId(1), 0, false, &mut Dice::new(1)).await;
    let job = NewJob {
        project: side.project,
        name: "job".to_owned(),
        delay_seconds: 0,
        priority: 0,
        failure_threshold: 0.5,
        pipeline: twins.pipeline_by_slug(side.project, SLUG).await.unwrap(),
        collection: None,
        capture: side.captures.first().copied(),
        limit: None,
        shuffle: false,
        reprocess: false,
        job_type: "ml".to_owned(),
        start: true,
        key: None,
    };
    twins.create_job(&job, now).await.unwrap();
    let lease = Duration::from_secs(60);
    let mut claim = twins.claim_job(now, lease, 1).await.unwrap().unwrap();
    while let Slice::More(to) = twins.collect_slice(&claim, now, lease).await.unwrap() {
        claim.watermark = to;
    }
    twins.compare_all().await.unwrap();
    assert_eq!(twins.differences(), Vec::<String>::new(), "both wrote the same");
    instant(&twins.aside, || async {
        let mut file = SqliteConnectOptions::new()
            .filename(&twins.path)
            .connect()
            .await?;
        let changed = sqlx::query(sql).execute(&mut file).await?.rows_affected();
        assert!(changed > 0, "{sql} changes nothing");
        file.close().await
    })
    .unwrap();
    twins.compare_all().await.unwrap();
}
