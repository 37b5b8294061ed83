//! Workers that are handed nothing more.

use super::*;

#[test]
fn workers_alive_that_drain() {
    let drains = WorkerNow {
        draining: true,
        ..worker("gpu-1", None)
    };
    let mut outlook = Outlook {
        workers: vec![drains],
        ..Outlook::default()
    };
    assert_eq!(
        say(&free(), &outlook),
        "waiting for workers: all 1 for pipeline `moths` drain, worker `gpu-1` among them, so nothing is handed to them; have \
         one resume, or start another"
    );
    outlook.workers.push(worker("gpu-2", Some(4)));
    assert_eq!(
        say(&free(), &outlook),
        "waiting for workers: all 1 for pipeline `moths` are busy, worker `gpu-2` with job 4"
    );
}
