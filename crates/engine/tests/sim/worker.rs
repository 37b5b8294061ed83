//! Workers as they are: most answer, some are late, repeat themselves, forget, die. When the storm is over, or when
//! only the system is to fail, they are perfect.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use trapline_core::{Clock as _, Timestamp};
use trapline_core::{
    FailReason, JobId, TokenId, WorkerId,
    ports::{Posted, Settled, Settlement, WorkerIdentity},
    result::{BBox, Classification, Detection, deduplicate},
};
use trapline_engine::{Caller, ClaimRequest, LeaseRequest, Reservation};
use trapline_testkit::faults::Dice;

use crate::world::{SLUG, World};

/// A worker of many lives: who dies comes back under another name.
pub(crate) struct Worker {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    pub(crate) number: u64,
}

/// What a worker does with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
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

impl Worker {
    /// Works for ever.
    pub(crate) async fn live(mut self) {
        let mut life = 0;
        loop {
            let name = format!("worker {}.{life}", self.number);
            self.one_life(&name).await;
            life += 1;
            let d = self.dice.millis(100, 8_000);
            self.world.sleep(d).await;
        }
    }

    fn is_perfect(&self) -> bool {
        self.world.plan.only_the_system_fails || self.world.storm.is_calm()
    }

    async fn one_life(&mut self, name: &str) {
        let batch = self.dice.between(1, 8) as usize;
        loop {
            let pause = self.dice.millis(10, 700);
            self.world.sleep(pause).await;
            let Some(reservation) = self.claim(name, batch).await else {
                continue;
            };
            if !self.is_perfect() && self.dice.chance(60) {
                self.world.trace.line(|| format!("{name} dies"));
                return;
            }
            self.work(&reservation);
        }
    }

    async fn claim(&mut self, name: &str, batch: usize) -> Option<Reservation> {
        let node = self.world.any(&mut self.dice)?;
        let who = WorkerIdentity {
            token: TokenId(1),
            instance: name.to_owned(),
            name: name.to_owned(),
            client_info: None,
            service: None,
        };
        let pipelines = vec![SLUG.to_owned()];
        let wait = self.dice.millis(0, 4_000);
        let patience = if self.dice.chance(100) {
            self.dice.millis(0, 3_000)
        } else {
            Duration::from_secs(60)
        };
        let polling = node.call(async {
            let worker = node.engine.meet(&who, &pipelines).await?;
            let caller = Caller {
                worker,
                project: None,
            };
            let request = ClaimRequest {
                pipelines: pipelines.clone(),
                batch_size: batch,
                wait,
            };
            node.engine.claim(&request, &caller).await
        });
        let claimed = tokio::select! {
            biased;
            claimed = polling => claimed.ok().flatten(),
            () = self.world.sleep(patience) => None,
        };
        let mut reservation = claimed?.reservation;
        if self.dice.chance(30) && !self.world.storm.is_calm() {
            // The answer can't be written: dropped undelivered.
            return None;
        }
        reservation.delivered();
        let captures: BTreeSet<_> = reservation.tasks.iter().map(|t| t.capture).collect();
        if captures.len() < reservation.tasks.len() {
            self.world
                .witness
                .report(format!("a task is twice in one answer: {reservation:?}"));
        }
        Some(reservation)
    }

    /// Each task is answered by itself, so that a slow one holds up no other.
    fn work(&mut self, reservation: &Reservation) {
        let perfect = self.is_perfect();
        for task in &reservation.tasks {
            let chore = Chore {
                world: Arc::clone(&self.world),
                dice: self.dice.split(),
                job: reservation.job,
                receipt: task.receipt.clone(),
            };
            let habit = if perfect {
                self.perfect_habit()
            } else {
                self.any_habit()
            };
            self.world.spawn(chore.run(habit));
        }
    }

    fn perfect_habit(&mut self) -> Habit {
        match self.dice.between(0, 19) {
            0 => Habit::Fail,
            1 => Habit::AnswerTwice,
            _ => Habit::Answer,
        }
    }

    fn any_habit(&mut self) -> Habit {
        match self.dice.between(0, 99) {
            0..=54 => Habit::Answer,
            55..=62 => Habit::Fail,
            63..=70 => Habit::Forget,
            71..=77 => Habit::AnswerTwice,
            78..=84 => Habit::AnswerLate,
            85..=88 => Habit::Release,
            89..=93 => Habit::ExtendAndAnswer,
            94..=97 => Habit::ExtendLate,
            _ => Habit::Poison,
        }
    }
}

/// One task in a worker's hands.
struct Chore {
    world: Arc<World>,
    dice: Dice,
    job: JobId,
    receipt: String,
}

impl Chore {
    async fn run(mut self, habit: Habit) {
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
                self.post_after(again, Habit::Answer).await;
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
                node.engine.head_for_post(self.job).await?;
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
