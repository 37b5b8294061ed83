//! A worker at work in a test.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use trapline_worker::{Counts, Pipeline, Stop, Summary, Worker, WorkerConfig, WorkerError};

use super::PATIENCE;

/// A worker at work, and the switch to stop it.
pub struct Running {
    pub stop: Stop,
    pub counts: watch::Receiver<Counts>,
    task: JoinSet<Result<Summary, WorkerError>>,
}

impl Running {
    pub fn start(config: WorkerConfig, pipeline: Arc<dyn Pipeline>) -> Self {
        let worker = Worker::new(config, vec![pipeline]).expect("the test's settings are good");
        let (stop, counts, mut task) = (Stop::new(), worker.counts(), JoinSet::new());
        task.spawn(worker.run(stop.clone()));
        Self { stop, counts, task }
    }

    pub async fn until(&mut self, what: &str, wanted: impl FnMut(&Counts) -> bool) {
        let waiting = self.counts.wait_for(wanted);
        let came = tokio::time::timeout(PATIENCE, waiting).await.map(|_| ());
        assert!(came.is_ok(), "never came: {what}; {:?}", self.counts.borrow());
    }

    pub async fn ended(mut self) -> Result<Summary, WorkerError> {
        let ended = tokio::time::timeout(PATIENCE, self.task.join_next()).await;
        ended
            .expect("the worker ends")
            .expect("it was started")
            .expect("it does not panic")
    }

    pub async fn drained(self) -> Counts {
        self.stop.drain();
        self.ended().await.expect("a graceful stop is no error").counts
    }
}
