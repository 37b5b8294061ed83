//! Workers as they are: most answer, some are late, repeat themselves, forget, die. When the storm is over, or when
//! only the system is to fail, they are perfect, but for the captures that kill whoever works on them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use trapline_core::{TokenId, ports::WorkerIdentity};
use trapline_engine::{Caller, ClaimRequest, Reservation};
use trapline_testkit::faults::Dice;

use crate::{
    chore::{Chore, Habit, post_batch_error},
    world::{SLUG, World},
};

/// A worker of many lives: who dies comes back.
pub(crate) struct Worker {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    pub(crate) number: u64,
}

impl Worker {
    /// Works for ever.
    pub(crate) async fn live(mut self) {
        let mut life = 0;
        loop {
            let who = self.identity(life);
            self.one_life(&who).await;
            self.world.trace.line(|| format!("{} dies", who.name));
            life += 1;
            let d = self.dice.millis(100, 8_000);
            self.world.sleep(d).await;
        }
    }

    /// Another process has another instance; an address stays.
    fn identity(&self, life: u64) -> WorkerIdentity {
        let number = self.number;
        let (instance, client_info) = if self.world.plan.instances {
            let instance = format!("worker {number}.{life}");
            let info = serde_json::json!({ "instance": instance });
            (instance, Some(info.to_string()))
        } else {
            (format!("worker {number}"), None)
        };
        WorkerIdentity {
            token: TokenId(1),
            name: instance.clone(),
            instance,
            client_info,
            service: None,
        }
    }

    fn is_perfect(&self) -> bool {
        self.world.plan.only_the_system_fails || self.world.storm.is_calm()
    }

    /// Until it dies.
    async fn one_life(&mut self, who: &WorkerIdentity) {
        let batch = self.dice.between(1, 8) as usize;
        let ahead = self.dice.between(1, 3) as usize;
        let mut held: VecDeque<Reservation> = VecDeque::new();
        loop {
            let pause = self.dice.millis(10, 700);
            self.world.sleep(pause).await;
            if let Some(reservation) = self.claim(who, batch).await {
                held.push_back(reservation);
                if held.len() < ahead {
                    continue;
                }
            }
            let Some(reservation) = held.pop_front() else {
                continue;
            };
            let killers = &self.world.catalog.killers;
            if reservation.tasks.iter().any(|t| killers.contains(&t.capture))
                || (!self.is_perfect() && self.dice.chance(60))
            {
                return;
            }
            self.work(&reservation).await;
        }
    }

    async fn claim(&mut self, who: &WorkerIdentity, batch: usize) -> Option<Reservation> {
        let node = self.world.any(&mut self.dice)?;
        let pipelines = vec![SLUG.to_owned()];
        let wait = self.dice.millis(0, 4_000);
        let patience = if self.dice.chance(100) {
            self.dice.millis(0, 3_000)
        } else {
            Duration::from_secs(60)
        };
        let polling = node.call(async {
            let worker = node.engine.meet(who, &pipelines).await?;
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

    /// Each task is answered by itself, so that a slow one holds up no other; or the whole batch has one error.
    async fn work(&mut self, reservation: &Reservation) {
        let perfect = self.is_perfect();
        if reservation.tasks.len() > 1 && self.dice.chance(self.world.plan.batch_errors) {
            let receipts = reservation.tasks.iter().map(|t| t.receipt.clone()).collect();
            return post_batch_error(&self.world, &mut self.dice, reservation.job, receipts).await;
        }
        let mut chores = Vec::new();
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
            chores.push(chore.run(habit));
        }
        // Who may die of the next one has posted this one before, else its death is charged to this one.
        if perfect && self.world.plan.killers > 0 {
            join_all(chores).await;
        } else {
            chores.into_iter().for_each(|chore| self.world.spawn(chore));
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
