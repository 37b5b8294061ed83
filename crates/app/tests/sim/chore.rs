//! One task in a worker's hands, and what becomes of it.

use std::{sync::Arc, time::Duration};

use trapline_core::{
    Clock as _, FailReason, JobId, Timestamp, WorkerId, batch_error,
    ports::{Posted, Settled, Settlement},
    result::{BBox, Classification, Detection, deduplicate},
};
use trapline_engine::LeaseRequest;
use trapline_testkit::faults::Dice;

use crate::world::World;

/// What a worker does with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Answer,
    Fail,
    Forget,
    AnswerTwice,
    AnswerLate,
    Release,
    ExtendAndAnswer,
    ExtendLate,
    Poison,
}

/// One task in a worker's hands.
pub(crate) struct Chore {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    pub(crate) job: JobId,
    pub(crate) receipt: String,
}

impl Chore {
    pub(crate) async fn run(mut self, habit: Habit) {
        let ttr = self.world.plan.ttr.as_millis() as u64;
        let soon = self.dice.millis(1, ttr / 4);
        match habit {
            Habit::Forget => {}
            Habit::Answer => self.post_after(soon, Habit::Answer).await,
            Habit::Fail => self.post_after(soon, Habit::Fail).await,
            Habit::Poison => self.post_after(soon, Habit::Poison).await,
            Habit::AnswerTwice => {
                self.post_after(soon, Habit::Answer).await;
                let again = self.dice.millis(0, ttr * 2);
                let world = Arc::clone(&self.world);
                world.spawn(async move { self.post_after(again, Habit::Answer).await });
            }
            Habit::AnswerLate => {
                let late = self.dice.millis(ttr, ttr * 3);
                let what = if self.dice.chance(700) {
                    Habit::Answer
                } else {
                    Habit::Fail
                };
                self.post_after(late, what).await;
            }
            Habit::Release => {
                self.world.sleep(soon).await;
                self.change(|r| LeaseRequest {
                    release: vec![r],
                    ..LeaseRequest::default()
                })
                .await;
            }
            Habit::ExtendAndAnswer => {
                for _ in 0..self.dice.between(1, 3) {
                    let half = self.dice.millis(ttr / 4, ttr * 3 / 4);
                    self.world.sleep(half).await;
                    self.extend().await;
                }
                self.post_after(soon, Habit::Answer).await;
            }
            Habit::ExtendLate => {
                let late = self.dice.millis(ttr / 2, ttr * 2);
                self.world.sleep(late).await;
                self.extend().await;
                self.post_after(soon, Habit::Answer).await;
            }
        }
    }

    async fn extend(&mut self) {
        self.change(|r| LeaseRequest {
            extend: vec![r],
            ..LeaseRequest::default()
        })
        .await;
    }

    async fn change(&mut self, request: impl FnOnce(String) -> LeaseRequest) {
        let Some(node) = self.world.any(&mut self.dice) else {
            return;
        };
        let worker = node
            .engine
            .verify(self.job, &self.receipt)
            .map_or(WorkerId(0), |r| r.worker);
        let asked = node
            .engine
            .leases(self.job, request(self.receipt.clone()), worker);
        // Refused or unreachable: a worker that hears nothing goes on as it was.
        node.call(asked).await.ok();
    }

    async fn post_after(&mut self, d: Duration, what: Habit) {
        self.world.sleep(d).await;
        let Some(node) = self.world.any(&mut self.dice) else {
            return;
        };
        let Some(receipt) = node.engine.verify(self.job, &self.receipt) else {
            return self
                .world
                .witness
                .report("a receipt of ours is not verified".to_owned());
        };
        let posted = match what {
            Habit::Fail => Posted::Fail {
                reason: FailReason::WorkerError,
                detail: "out of memory".to_owned(),
            },
            Habit::Poison => Posted::Success(self.poison()),
            _ => Posted::Success(self.detections()),
        };
        let is_success = matches!(posted, Posted::Success(_));
        let answer = node
            .call(async {
                node.engine.project_for_post(self.job).await?;
                let pending = node.engine.submit(Settlement { receipt, posted }, 1_000).await?;
                pending.outcome().await
            })
            .await;
        if let (true, Ok(Settled::Saved | Settled::Ignored(_))) = (is_success, answer) {
            self.world.witness.acknowledged(&receipt);
        }
    }

    fn detections(&mut self) -> Vec<Detection> {
        let at = self.world.clock.now();
        let n = self.dice.between(0, 3);
        let all = (0..n).map(|_| self.detection(at)).collect();
        deduplicate(all)
    }

    fn detection(&mut self, at: Timestamp) -> Detection {
        let [detector, classifier] = self.world.catalog.algorithms;
        let x = self.dice.between(0, 3) as f64;
        Detection {
            algorithm: detector,
            bbox: BBox::new(x, 0.0, x + 1.0, 1.0).ok(),
            at,
            inference_seconds: None,
            crop_image_url: None,
            classifications: vec![Classification {
                algorithm: classifier,
                label: "moth".to_owned(),
                terminal: true,
                score: Some(0.5),
                labels: None,
                scores: vec![0.5],
                logits: vec![],
                at,
                inference_seconds: None,
            }],
        }
    }

    /// What the unique index refuses.
    fn poison(&mut self) -> Vec<Detection> {
        let one = self.detection(self.world.clock.now());
        vec![one.clone(), one]
    }
}

/// The crash of a whole batch, as ADC reports it: the same error for each of its images, in one post.
pub(crate) async fn post_batch_error(world: &Arc<World>, dice: &mut Dice, job: JobId, receipts: Vec<String>) {
    let Some(node) = world.any(dice) else { return };
    let errors = vec!["Batch processing error: CUDA out of memory"; receipts.len()];
    let posted = batch_error::posted(&errors, world.plan.max_deliver);
    let settlements = receipts.iter().zip(posted).filter_map(|(receipt, posted)| {
        let receipt = node.engine.verify(job, receipt)?;
        Some(Settlement { receipt, posted })
    });
    let post = async {
        node.engine.project_for_post(job).await?;
        let mut pending = Vec::new();
        for settlement in settlements {
            pending.push(node.engine.submit(settlement, 1_000).await?);
        }
        for outcome in pending {
            outcome.outcome().await?;
        }
        Ok(())
    };
    // A worker does not repeat a post, whatever is answered.
    node.call(post).await.ok();
}
