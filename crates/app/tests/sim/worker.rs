//! Workers as they are: most answer, some are late, repeat themselves, forget, die. When the storm is over, or when
//! only the system is to fail, they are perfect, but for the captures that kill whoever works on them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::http::Method;
use futures::future::join_all;
use serde::Deserialize;
use trapline_core::{CaptureId, JobId, JobStatus};
use trapline_testkit::faults::Dice;

use crate::{
    chore::{Chore, Habit},
    definition::{Definition, SLUG},
    post::{Poster, Task},
    side::Side,
    wire::{Answer, Caller, Patience},
    world::{Stolen, World},
};

/// The error of a whole batch, as ADC reports it.
pub(crate) const BATCH_ERROR: &str = "Batch processing error: CUDA out of memory";

/// A worker of many lives: who dies comes back.
pub(crate) struct Worker {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    /// Its address among its project's.
    pub(crate) address: u64,
    pub(crate) side: usize,
    /// Whether it works as ADC does: loaders that take jobs in turn.
    pub(crate) loaders: bool,
}

/// One life: a process.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) caller: Caller,
    pub(crate) definition: Definition,
    /// `,"client_info":…` as it stands in a body, or nothing.
    info: String,
}

/// Tasks of one job.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) job: JobId,
    pub(crate) tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct HandedOut {
    #[serde(default)]
    job_id: Option<i64>,
    tasks: Vec<Task>,
}

impl Worker {
    /// Works for ever.
    pub(crate) async fn live(mut self) {
        let mut number = 0;
        loop {
            let life = self.begin(number);
            self.register(&life).await;
            match self.loaders {
                true => self.drain_jobs(&life).await,
                false => self.one_life(&life).await,
            }
            self.world
                .trace
                .line(|| format!("worker {} of side {} dies", self.address, self.side));
            number += 1;
            let d = self.dice.millis(100, 8_000);
            self.world.sleep(d).await;
        }
    }

    pub(crate) fn side(&self) -> &Side {
        &self.world.sides[self.side]
    }

    /// Another process has another instance; an address stays.
    fn begin(&self, number: u64) -> Life {
        let info = match self.world.plan.instances {
            true => format!(
                r#","client_info":{{"instance":"worker {}.{}.{number}"}}"#,
                self.side, self.address
            ),
            false => String::new(),
        };
        Life {
            caller: self.side().worker(self.address),
            definition: self.side().current(),
            info,
        }
    }

    /// What it runs, told once; a worker goes on whatever is answered.
    async fn register(&mut self, life: &Life) {
        let path = format!("/api/v2/projects/{}/pipelines/", self.side().project);
        let body = life.definition.registration("fleet");
        let sent = self
            .world
            .send(&mut self.dice, &life.caller, Method::POST, &path, body);
        if let Some(answer) = sent.await
            && !answer.is_ok()
            && answer.status != 503
        {
            self.world
                .witness
                .report(format!("a registration is refused: {}", answer.text()));
        }
    }

    /// Until it dies: it claims tasks of whatever job there is, and each task is a chore of its own.
    async fn one_life(&mut self, life: &Life) {
        let size = self.dice.between(1, 8);
        let ahead = self.dice.between(1, 3) as usize;
        let mut held: VecDeque<Batch> = VecDeque::new();
        loop {
            let pause = self.dice.millis(10, 700);
            self.world.sleep(pause).await;
            if self.world.plan.tries.definitions && self.dice.chance(60) {
                self.register(life).await;
            }
            let got = match self.world.plan.tries.early && self.dice.chance(120) {
                true => self.ask_anything(life).await,
                false => self.claim(life, size).await,
            };
            if let Some(batch) = got {
                held.push_back(batch);
                if held.len() < ahead {
                    continue;
                }
            }
            let Some(batch) = held.pop_front() else {
                continue;
            };
            if self.dies_of(&batch) || (!self.world.is_perfect() && self.dice.chance(60)) {
                return;
            }
            self.work(life, &batch).await;
        }
    }

    /// Whether an image of it kills whoever works on it.
    pub(crate) fn dies_of(&self, batch: &Batch) -> bool {
        let killers = &self.side().killers;
        let kills = |t: &Task| t.image.parse().is_ok_and(|id| killers.contains(&CaptureId(id)));
        batch.tasks.iter().any(kills)
    }

    async fn claim(&mut self, life: &Life, size: u64) -> Option<Batch> {
        if self.dice.chance(10) {
            let (world, stranger) = (Arc::clone(&self.world), Caller::stranger());
            let path = "/api/v2/tasks/claim/";
            world
                .send(&mut self.dice, &stranger, Method::POST, path, "{")
                .await;
        }
        let wait = self.dice.between(0, 4);
        let body = format!(
            r#"{{"pipelines":["{SLUG}"],"batch_size":{size},"wait_seconds":{wait}{}}}"#,
            life.info
        );
        let answer = self.ask(life, "/api/v2/tasks/claim/", body).await?;
        self.batch(None, &answer)
    }

    /// Asks for tasks of any job that there is, in whatever state: its worker was told of it, or guesses.
    pub(crate) async fn ask_anything(&mut self, life: &Life) -> Option<Batch> {
        let jobs = self.side().jobs(&self.world);
        let (job, status) = self.dice.pick(&jobs).copied()?;
        if status == JobStatus::Canceling {
            return None;
        }
        let size = self.dice.between(1, 3);
        self.tasks(life, job, size).await.ok().flatten()
    }

    /// `POST /jobs/{id}/tasks/`: some, or none; or the answer by which ADC's loaders end.
    pub(crate) async fn tasks(&mut self, life: &Life, job: JobId, size: u64) -> Result<Option<Batch>, ()> {
        let ready = self.world.has_pipeline(job);
        let path = format!("/api/v2/jobs/{job}/tasks/");
        let body = format!(r#"{{"batch_size":{size}{}}}"#, life.info);
        let answer = self.ask(life, &path, body).await.ok_or(())?;
        let denied = match answer.status {
            404 => !self.world.witness.is_gone(job),
            400 => ready,
            _ => false,
        };
        if denied {
            let what = format!("tasks of job {job} are denied: {}", answer.text());
            self.world.witness.report(what);
        }
        match answer.is_ok() {
            true => Ok(self.batch(Some(job), &answer)),
            false => Err(()),
        }
    }

    /// Asks, as a client that may be gone before it is answered.
    async fn ask(&mut self, life: &Life, path: &str, body: String) -> Option<Answer> {
        let patience = match self.dice.between(0, 999) {
            0..=99 => Patience::GoneAfter(self.dice.millis(0, 3_000)),
            100..=129 if !self.world.storm.is_calm() => Patience::NeverReads,
            _ => Patience::Waits,
        };
        self.world
            .send_with(&mut self.dice, &life.caller, Method::POST, path, body, patience)
            .await
    }

    fn batch(&mut self, job: Option<JobId>, answer: &Answer) -> Option<Batch> {
        if !answer.is_ok() {
            return None;
        }
        let Some(out) = answer.read::<HandedOut>() else {
            self.world.witness.report(format!(
                "not the shape of an answer with tasks: {}",
                answer.text()
            ));
            return None;
        };
        let job = job.or(out.job_id.map(JobId))?;
        let images: BTreeSet<&String> = out.tasks.iter().map(|t| &t.image).collect();
        if images.len() < out.tasks.len() {
            self.world
                .witness
                .report(format!("a task is twice in one answer: {}", answer.text()));
        }
        let first = out.tasks.first()?;
        if self.dice.chance(100) {
            self.world.steal(Stolen {
                project: self.side().project,
                job,
                receipt: first.receipt.clone(),
                image: first.image.clone(),
            });
        }
        Some(Batch {
            job,
            tasks: out.tasks,
        })
    }

    pub(crate) fn poster(&self, life: &Life, job: JobId) -> Poster {
        Poster {
            world: Arc::clone(&self.world),
            side: self.side,
            caller: life.caller.clone(),
            job,
            definition: life.definition,
        }
    }

    /// Each task is answered by itself, so that a slow one holds up no other; or the whole batch has one error.
    async fn work(&mut self, life: &Life, batch: &Batch) {
        let perfect = self.world.is_perfect();
        let poster = self.poster(life, batch.job);
        if batch.tasks.len() > 1 && self.dice.chance(self.world.plan.batch_errors) {
            let items = batch.tasks.iter().map(|t| poster.error(t, BATCH_ERROR)).collect();
            return poster.post(items, &mut self.dice).await;
        }
        let mut chores = Vec::new();
        for task in &batch.tasks {
            let chore = Chore {
                poster: poster.clone(),
                dice: self.dice.split(),
                task: task.clone(),
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
            94..=96 => Habit::ExtendLate,
            _ => Habit::Malformed,
        }
    }
}

/// How long ADC waits between two polls that found nothing.
pub(crate) const POLL: Duration = Duration::from_secs(4);
