//! Workers as ADC is: a process polls, and drains the job that it is told by loaders, each of which holds batches ahead.
//! It takes from the loaders in turn, computes, and posts in the background.

use axum::http::Method;
use futures::{
    StreamExt as _,
    channel::mpsc,
    future::{Either, join_all, select},
};
use serde::Deserialize;
use trapline_core::JobId;
use trapline_testkit::faults::Dice;

use crate::{
    definition::SLUG,
    post::{Item, Poster},
    worker::{BATCH_ERROR, Batch, Life, POLL, Worker},
};

#[derive(Deserialize)]
struct Polled<'a> {
    #[serde(borrow)]
    results: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: i64,
    pipeline_slug: &'a str,
}

/// What a process does with a batch that it has computed.
type Done = (Poster, Vec<Item>, Dice);

impl Worker {
    /// Until it dies.
    pub(crate) async fn drain_jobs(&mut self, life: &Life) {
        loop {
            let job = match self.poll(life).await {
                Some(job) => job,
                None => {
                    self.world.sleep(POLL).await;
                    continue;
                }
            };
            if self.drain(life, job).await {
                return;
            }
            if !self.world.is_perfect() && self.dice.chance(60) {
                return;
            }
        }
    }

    async fn poll(&mut self, life: &Life) -> Option<JobId> {
        let path = format!(
            "/api/v2/jobs?pipeline__slug__in={SLUG}&ids_only=1&incomplete_only=1&dispatch_mode=async_api"
        );
        let sent = self
            .world
            .send(&mut self.dice, &life.caller, Method::GET, &path, "");
        let answer = sent.await.filter(crate::wire::Answer::is_ok)?;
        let Some(polled) = answer.read::<Polled<'_>>() else {
            self.world
                .witness
                .report(format!("not the shape of a poll's answer: {}", answer.text()));
            return None;
        };
        let row = polled.results.first().filter(|row| row.pipeline_slug == SLUG)?;
        Some(JobId(row.id))
    }

    /// Drains one job as long as its loaders get something; whether the process died of it.
    async fn drain(&mut self, life: &Life, job: JobId) -> bool {
        let ahead = self.dice.between(1, 3) as usize;
        let size = self.dice.between(1, 8);
        let (mut loaders, mut batches) = (Vec::new(), Vec::new());
        for _ in 0..self.dice.between(1, 4) {
            let (tx, rx) = mpsc::channel(ahead - 1);
            batches.push(rx);
            loaders.push(self.split().load(life, job, size, tx));
        }
        let (done, posts) = mpsc::unbounded::<Done>();
        let posting = posts.for_each_concurrent(None, |(poster, items, mut dice)| async move {
            poster.post(items, &mut dice).await;
        });
        let beside = async { futures::join!(join_all(loaders), posting) };
        let computing = self.compute(life, batches, done);
        let (beside, computing) = (std::pin::pin!(beside), std::pin::pin!(computing));
        // Whoever dies drops what is under way: requests in the middle, posts half written.
        match select(computing, beside).await {
            Either::Left((true, _)) => true,
            Either::Left((false, beside)) => {
                beside.await;
                false
            }
            Either::Right((_, computing)) => computing.await,
        }
    }

    /// One more pair of hands of this process.
    fn split(&mut self) -> Self {
        Self {
            world: std::sync::Arc::clone(&self.world),
            dice: self.dice.split(),
            ..*self
        }
    }

    /// One loader: it ends at the first answer without tasks.
    async fn load(mut self, life: &Life, job: JobId, size: u64, mut into: mpsc::Sender<Batch>) {
        while let Ok(Some(batch)) = self.tasks(life, job, size).await {
            if futures::SinkExt::send(&mut into, batch).await.is_err() {
                return;
            }
        }
    }

    /// Takes batches from the loaders in turn; whether one of them was its end.
    async fn compute(
        &mut self,
        life: &Life,
        mut batches: Vec<mpsc::Receiver<Batch>>,
        done: mpsc::UnboundedSender<Done>,
    ) -> bool {
        let each = self.dice.millis(20, 400);
        let mut turn = 0;
        while !batches.is_empty() {
            turn %= batches.len();
            let Some(batch) = batches[turn].next().await else {
                // The others move up, as it is with torch's loaders.
                drop(batches.remove(turn));
                continue;
            };
            turn += 1;
            let images = u32::try_from(batch.tasks.len()).unwrap_or(u32::MAX);
            self.world.sleep(each * images).await;
            if self.dies_of(&batch) || (!self.world.is_perfect() && self.dice.chance(20)) {
                return true;
            }
            let poster = self.poster(life, batch.job);
            let items = self.results(&poster, &batch);
            // The process that posts is the one that computes: it can't be gone.
            done.unbounded_send((poster, items, self.dice.split())).ok();
        }
        false
    }

    fn results(&mut self, poster: &Poster, batch: &Batch) -> Vec<Item> {
        let whole = batch.tasks.len() > 1 && self.dice.chance(self.world.plan.batch_errors);
        let perfect = self.world.is_perfect();
        let mut items = Vec::with_capacity(batch.tasks.len());
        for task in &batch.tasks {
            let item = match self.dice.between(0, 99) {
                _ if whole => poster.error(task, BATCH_ERROR),
                0..=4 => poster.error(task, "out of memory"),
                5..=7 if !perfect => poster.malformed(task, &mut self.dice),
                8..=10 if !perfect => continue,
                _ => poster.success(task, &mut self.dice),
            };
            items.push(item);
        }
        items
    }
}
