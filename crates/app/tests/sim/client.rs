//! Somebody at the buttons: creates jobs, presses twice, cancels in the middle, changes their mind.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use trapline_core::{JobId, JobStatus};
use trapline_testkit::faults::Dice;

use crate::{
    definition::SLUG,
    side::Side,
    wire::{Answer, Caller},
    world::World,
};

#[derive(Deserialize)]
struct Page {
    results: Vec<Value>,
    next: Option<String>,
}

/// A client of one project.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    pub(crate) side: usize,
}

impl Client {
    /// Presses buttons while the storm lasts.
    pub(crate) async fn play(mut self) {
        let world = Arc::clone(&self.world);
        for _ in 0..world.plan.jobs {
            let (path, body) = self.new_job();
            while !self.create(&path, &body).await {
                world.sleep(Duration::from_millis(400)).await;
            }
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

    fn side(&self) -> &Side {
        &self.world.sides[self.side]
    }

    fn jobs(&self) -> Vec<(JobId, JobStatus)> {
        self.side().jobs(&self.world)
    }

    fn operator(&self) -> Caller {
        self.side().operator.clone()
    }

    async fn send(&mut self, method: Method, path: &str, body: String) -> Option<Answer> {
        let caller = self.operator();
        self.world
            .clone()
            .send(&mut self.dice, &caller, method, path, body)
            .await
    }

    async fn post(&mut self, path: &str, body: &str) -> Option<Answer> {
        self.send(Method::POST, path, body.to_owned()).await
    }

    /// Path and body; now and then it has no pipeline yet.
    fn new_job(&mut self) -> (String, String) {
        let side = &self.world.sides[self.side];
        let dice = &mut self.dice;
        let mut body = json!({
            "name": "job",
            "project_id": side.project,
            "delay": if dice.chance(200) { dice.between(1, 15) } else { 0 },
            "priority": dice.between(0, 3),
            "failure_threshold": dice.between(0, 4) as f64 / 4.0,
            "shuffle": dice.chance(700),
            "reprocess": dice.chance(500),
            "limit": dice.chance(250).then(|| dice.between(1, 10)),
        });
        let capture = if dice.chance(120) {
            dice.pick(&side.captures).copied()
        } else {
            None
        };
        match (capture, dice.pick(&side.sets)) {
            (Some(capture), _) => body["source_image_single_id"] = json!(capture),
            (None, set) => body["source_image_collection_id"] = json!(set),
        }
        let ready = !(self.world.plan.tries.unready && dice.chance(150));
        if ready {
            body["pipeline_slug"] = json!(SLUG);
        }
        let start = if ready && dice.chance(800) {
            "?start_now"
        } else {
            ""
        };
        (format!("/api/v2/jobs/{start}"), body.to_string())
    }

    /// Whether the job is made, as far as its client knows: who is told to try again does, so nothing may be made by then but what
    /// the node itself does not know of.
    async fn create(&mut self, path: &str, body: &str) -> bool {
        let (project, world) = (self.side().project, Arc::clone(&self.world));
        let made = world.witness.made_of(project);
        let answer = self.post(path, body).await;
        if answer.as_ref().is_some_and(|a| a.status == 503) && world.witness.made_of(project) > made {
            let what = format!("a job of project {project} is made, and its client is told to try again");
            world.witness.report(what);
        }
        answer.is_some_and(|a| a.is_ok())
    }

    async fn verb(&mut self, job: JobId, verb: &str) {
        let had_pipeline = self.world.has_pipeline(job);
        let path = format!("/api/v2/jobs/{job}/{verb}/");
        let answer = self.post(&path, "").await;
        self.world.judge_verb(job, verb, had_pipeline, answer.as_ref());
    }

    /// The same button twice.
    async fn twice(&mut self, job: JobId, verb: &str) {
        let path = format!("/api/v2/jobs/{job}/{verb}/");
        let (caller, world) = (self.operator(), Arc::clone(&self.world));
        let had_pipeline = world.has_pipeline(job);
        let (mut one, mut two) = (self.dice.split(), self.dice.split());
        let (one, two) = futures::join!(
            world.send(&mut one, &caller, Method::POST, &path, ""),
            world.send(&mut two, &caller, Method::POST, &path, "")
        );
        for answer in [one, two] {
            world.judge_verb(job, verb, had_pipeline, answer.as_ref());
        }
    }

    async fn press(&mut self) {
        let jobs = self.jobs();
        let Some((job, _)) = self.dice.pick(&jobs).copied() else {
            return;
        };
        let button = self.dice.between(0, 12);
        // What a client is not answered, it does not know; the rows must be right all the same.
        match button {
            0 | 1 => self.twice(job, "run").await,
            2 => self.verb(job, "retry").await,
            3..=5 => self.twice(job, "retry-failed").await,
            6 | 7 => self.verb(job, "cancel").await,
            8 => {
                self.verb(job, "cancel").await;
                self.verb(job, "retry-failed").await;
            }
            9 => {
                // Deleted in the middle of whatever it does; half of the jobs are to be there at the end.
                if self.dice.chance(500) {
                    let (path, admin) = (format!("/api/v2/jobs/{job}/"), self.world.admin.clone());
                    let world = Arc::clone(&self.world);
                    world
                        .send(&mut self.dice, &admin, Method::DELETE, &path, "")
                        .await;
                }
            }
            10 => self.read_images(job).await,
            11 => self.read_jobs().await,
            _ => {
                let body = json!({ "priority": self.dice.between(0, 9) });
                self.patch(job, &body.to_string()).await;
            }
        }
    }

    async fn patch(&mut self, job: JobId, body: &str) {
        let path = format!("/api/v2/jobs/{job}/");
        self.send(Method::PATCH, &path, body.to_owned()).await;
    }

    /// Reads the images of a job page by page: each of them comes once.
    async fn read_images(&mut self, job: JobId) {
        let (mut seen, mut after) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/api/v2/jobs/{job}/images/?limit=3{after}");
            let Some(page) = self.send(Method::GET, &path, String::new()).await else {
                return;
            };
            let Some(page) = page.read::<Page>().filter(|_| page.is_ok()) else {
                return;
            };
            for row in &page.results {
                let image = row["image_id"].to_string();
                if !seen.insert(image.clone()) {
                    self.world
                        .witness
                        .report(format!("image {image} is on two pages of job {job}"));
                }
            }
            let next = page.next.as_deref().and_then(|next| next.split("after=").nth(1));
            let Some(next) = next.and_then(|next| next.split('&').next()) else {
                return;
            };
            after = format!("&after={next}");
        }
    }

    /// A page of the list of jobs is never longer than it was asked to be, and all are its own.
    async fn read_jobs(&mut self) {
        let (limit, offset) = (self.dice.between(1, 3), self.dice.between(0, 2));
        let path = format!("/api/v2/jobs/?limit={limit}&offset={offset}");
        let answer = self.send(Method::GET, &path, String::new()).await;
        let Some(answer) = answer.filter(Answer::is_ok) else {
            return;
        };
        match answer.read::<Page>() {
            Some(page) if page.results.len() as u64 <= limit => {}
            _ => self
                .world
                .witness
                .report(format!("a page of jobs: {}", answer.text())),
        }
    }

    /// In the middle of its collect, with luck, or before it is claimed; and then all the same.
    async fn change_mind(&mut self, job: JobId) {
        for _ in 0..self.dice.between(1, 3) {
            let d = self.dice.millis(0, 900);
            self.world.sleep(d).await;
            self.verb(job, "cancel").await;
            let d = self.dice.millis(0, 300);
            self.world.sleep(d).await;
            let again = if self.dice.chance(700) {
                "retry-failed"
            } else {
                "run"
            };
            self.verb(job, again).await;
        }
    }

    /// Starts what was never started, so that everything can land.
    pub(crate) async fn start_all(&mut self) {
        for (job, status) in self.jobs() {
            if status == JobStatus::Created {
                if !self.world.has_pipeline(job) {
                    self.patch(job, &json!({ "pipeline_slug": SLUG }).to_string())
                        .await;
                }
                self.verb(job, "run").await;
            }
        }
    }
}

impl World {
    /// Whether a job is there and has a pipeline.
    pub(crate) fn has_pipeline(&self, job: JobId) -> bool {
        let rows = self.store.rows();
        let row = rows.jobs().get(&job).filter(|row| !row.deleted);
        row.is_some_and(|row| row.job.pipeline.is_some())
    }

    /// A verb is refused for what is so, or not at all.
    fn judge_verb(&self, job: JobId, verb: &str, had_pipeline: bool, answer: Option<&Answer>) {
        let Some(answer) = answer else { return };
        let wrong = match answer.status {
            404 => !self.witness.is_gone(job),
            400 => verb == "cancel" || had_pipeline,
            _ => false,
        };
        if wrong {
            self.witness
                .report(format!("{verb} of job {job} is denied: {}", answer.text()));
        }
    }
}
