//! One task in a worker's hands, and what becomes of it.

use std::{sync::Arc, time::Duration};

use trapline_testkit::faults::Dice;

use crate::post::{Poster, Task};

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
    Malformed,
}

/// One task in a worker's hands.
pub(crate) struct Chore {
    pub(crate) poster: Poster,
    pub(crate) dice: Dice,
    pub(crate) task: Task,
}

impl Chore {
    pub(crate) async fn run(mut self, habit: Habit) {
        let ttr = self.poster.world.plan.ttr.as_millis() as u64;
        let soon = self.dice.millis(1, ttr / 4);
        match habit {
            Habit::Forget => {}
            Habit::Answer | Habit::Fail | Habit::Malformed => self.post_after(soon, habit).await,
            Habit::AnswerTwice => {
                self.poster.sleep(soon).await;
                let item = self.poster.success(&self.task, &mut self.dice);
                self.poster.post(vec![item.clone()], &mut self.dice).await;
                let again = self.dice.millis(0, ttr * 2);
                let world = Arc::clone(&self.poster.world);
                world.spawn(async move {
                    self.poster.sleep(again).await;
                    self.poster.post(vec![item], &mut self.dice).await;
                });
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
                self.poster.sleep(soon).await;
                self.lease("release").await;
            }
            Habit::ExtendAndAnswer => {
                for _ in 0..self.dice.between(1, 3) {
                    let half = self.dice.millis(ttr / 4, ttr * 3 / 4);
                    self.poster.sleep(half).await;
                    self.lease("extend").await;
                }
                self.post_after(soon, Habit::Answer).await;
            }
            Habit::ExtendLate => {
                let late = self.dice.millis(ttr / 2, ttr * 2);
                self.poster.sleep(late).await;
                self.lease("extend").await;
                self.post_after(soon, Habit::Answer).await;
            }
        }
    }

    async fn lease(&mut self, verb: &str) {
        self.poster.leases(verb, &self.task.receipt, &mut self.dice).await;
    }

    async fn post_after(&mut self, d: Duration, what: Habit) {
        self.poster.sleep(d).await;
        let item = match what {
            Habit::Fail => self.poster.error(&self.task, "out of memory"),
            Habit::Malformed => self.poster.malformed(&self.task, &mut self.dice),
            _ => self.poster.success(&self.task, &mut self.dice),
        };
        self.poster.post(vec![item], &mut self.dice).await;
    }
}
