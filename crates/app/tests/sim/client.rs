//! Somebody at the buttons: creates jobs, presses twice, cancels in the middle, changes their mind.

use std::{sync::Arc, time::Duration};

use trapline_core::{
    JobId, JobStatus, Result,
    ports::{JobEdit, NewJob},
};
use trapline_testkit::faults::Dice;

use crate::world::{Node, PROJECT, World};

/// A client.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
}

impl Client {
    /// Presses buttons while the storm lasts.
    pub(crate) async fn play(mut self) {
        let world = Arc::clone(&self.world);
        for _ in 0..world.plan.jobs {
            let new = self.new_job();
            self.until_done(|node| {
                let new = new.clone();
                async move { node.engine.create_job(&new).await }
            })
            .await;
            if self.dice.chance(250)
                && let Some((job, _)) = self.jobs().last().copied()
            {
                self.change_mind(job).await;
            }
            let d = self.dice.millis(0, 6_000);
            world.sleep(d).await;
        }
        loop {
            let d = self.dice.millis(500, 9_000);
            world.sleep(d).await;
            if world.storm.is_calm() {
                return;
            }
            self.press().await;
            if self.dice.chance(150)
                && let Some((job, _)) = self.dice.pick(&self.jobs()).copied()
            {
                self.change_mind(job).await;
            }
        }
    }

    fn new_job(&mut self) -> NewJob {
        let dice = &mut self.dice;
        let catalog = &self.world.catalog;
        let capture = if dice.chance(120) {
            dice.pick(&catalog.captures).copied()
        } else {
            None
        };
        let collection = dice.pick(&catalog.sets).copied().filter(|_| capture.is_none());
        NewJob {
            project: PROJECT,
            name: "job".to_owned(),
            delay_seconds: if dice.chance(200) { dice.between(1, 15) } else { 0 },
            priority: dice.between(0, 3) as i64,
            failure_threshold: dice.between(0, 4) as f64 / 4.0,
            pipeline: Some(catalog.pipeline),
            collection,
            capture,
            limit: dice.chance(250).then(|| dice.between(0, 10)),
            shuffle: dice.chance(700),
            reprocess: dice.chance(500),
            job_type: "ml".to_owned(),
            start: dice.chance(800),
        }
    }

    /// Asks until a node says yes.
    async fn until_done<T, F: Future<Output = Result<T>>>(&mut self, ask: impl Fn(Arc<Node>) -> F) {
        loop {
            if let Some(node) = self.world.any(&mut self.dice)
                && node.call(ask(Arc::clone(&node))).await.is_ok()
            {
                return;
            }
            self.world.sleep(Duration::from_millis(400)).await;
        }
    }

    fn jobs(&self) -> Vec<(JobId, JobStatus)> {
        let rows = self.world.store.rows();
        rows.jobs()
            .values()
            .filter(|row| !row.deleted)
            .map(|row| (row.job.id, row.job.status))
            .collect()
    }

    async fn press(&mut self) {
        let jobs = self.jobs();
        let (Some((job, _)), Some(node)) = (self.dice.pick(&jobs).copied(), self.world.any(&mut self.dice))
        else {
            return;
        };
        let button = self.dice.between(0, 10);
        let engine = &node.engine;
        self.world.trace.line(|| format!("button {button} on job {job}"));
        // What a client is not answered, it does not know; the rows must be right all the same.
        match button {
            0 | 1 => {
                let twice = async { futures::join!(engine.run_job(job), engine.run_job(job)).0 };
                node.call(twice).await.ok();
            }
            2 => {
                node.call(engine.retry_job(job)).await.ok();
            }
            3..=5 => {
                let twice = async { futures::join!(engine.retry_failed(job), engine.retry_failed(job)).0 };
                node.call(twice).await.ok();
            }
            6 | 7 => {
                node.call(engine.cancel_job(job)).await.ok();
            }
            8 => {
                let restart = async {
                    engine.cancel_job(job).await?;
                    engine.retry_failed(job).await
                };
                node.call(restart).await.ok();
            }
            9 => {
                // Deleted in the middle of whatever it does; half of the jobs are to be there at the end.
                if self.dice.chance(500) {
                    node.call(engine.delete_job(job)).await.ok();
                }
            }
            _ => {
                let edit = JobEdit {
                    priority: Some(self.dice.between(0, 9) as i64),
                    ..JobEdit::default()
                };
                let edited = async {
                    match engine.store().job(job).await? {
                        Some(view) => engine.edit_job(&view, &edit).await,
                        None => Ok(()),
                    }
                };
                node.call(edited).await.ok();
            }
        }
    }

    /// In the middle of its collect, with luck; and then all the same.
    async fn change_mind(&mut self, job: JobId) {
        for _ in 0..self.dice.between(1, 3) {
            let d = self.dice.millis(0, 900);
            self.world.sleep(d).await;
            let Some(node) = self.world.any(&mut self.dice) else {
                return;
            };
            self.world.trace.line(|| format!("cancel and retry of job {job}"));
            node.call(node.engine.cancel_job(job)).await.ok();
            let d = self.dice.millis(0, 300);
            self.world.sleep(d).await;
            node.call(node.engine.retry_failed(job)).await.ok();
        }
    }

    /// Starts what was never started, so that everything can land.
    pub(crate) async fn start_all(&mut self) {
        for (job, status) in self.jobs() {
            if status == JobStatus::Created
                && let Some(node) = self.world.any(&mut self.dice)
            {
                node.call(node.engine.run_job(job)).await.ok();
            }
        }
    }
}
