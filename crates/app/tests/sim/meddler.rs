//! Somebody of another project, with tokens of that one: whatever it asks of a project that is not its own is denied, and
//! tells it nothing.

use std::sync::Arc;

use axum::http::Method;
use serde_json::Value;
use trapline_core::JobId;
use trapline_testkit::faults::Dice;

use crate::{definition::definitions, wire::Caller, world::World};

/// What belongs to one project, and a caller of another.
pub(crate) struct Meddler {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
}

impl Meddler {
    /// Meddles while the storm lasts.
    pub(crate) async fn play(mut self) {
        let world = Arc::clone(&self.world);
        loop {
            let d = self.dice.millis(200, 4_000);
            world.sleep(d).await;
            if world.storm.is_calm() {
                return;
            }
            self.meddle().await;
        }
    }

    async fn meddle(&mut self) {
        let own = self.dice.between(0, 1) as usize;
        let other = 1 - own;
        let jobs = self.world.sides[other].jobs(&self.world);
        let Some((job, _)) = self.dice.pick(&jobs).copied() else {
            return;
        };
        let (worker, operator) = {
            let side = &self.world.sides[own];
            (side.worker(90), side.operator.clone())
        };
        let project = self.world.sides[other].project;
        let at = |what: &str| format!("/api/v2/jobs/{job}/{what}");
        match self.dice.between(0, 9) {
            0 => {
                self.denied(&worker, Method::POST, &at("tasks/"), r#"{"batch_size":4}"#)
                    .await
            }
            1 => self.denied(&operator, Method::POST, &at("cancel/"), "").await,
            2 => self.denied(&operator, Method::POST, &at("run/"), "").await,
            3 => {
                self.denied(&operator, Method::POST, &at("retry-failed/"), "")
                    .await
            }
            4 => {
                self.denied(&operator, Method::PATCH, &at(""), r#"{"name":"mine"}"#)
                    .await
            }
            5 => self.denied(&operator, Method::GET, &at("explain/"), "").await,
            6 => {
                let path = format!("/api/v2/projects/{project}/pipelines/");
                let body = definitions(own)[0].registration("fleet");
                self.denied(&worker, Method::POST, &path, &body).await;
            }
            7 => self.list(&operator, job).await,
            _ => self.use_a_stolen_receipt(&worker, own).await,
        }
    }

    async fn denied(&mut self, caller: &Caller, method: Method, path: &str, body: &str) {
        let world = Arc::clone(&self.world);
        let answer = world
            .send(&mut self.dice, caller, method.clone(), path, body.to_owned())
            .await;
        if let Some(answer) = answer.filter(|a| !matches!(a.status, 404 | 503)) {
            let what = format!(
                "{method} {path} by a token of another project is answered {}: {}",
                answer.status,
                answer.text()
            );
            world.witness.report(what);
        }
    }

    /// What it sees in a list is its own.
    async fn list(&mut self, caller: &Caller, foreign: JobId) {
        let world = Arc::clone(&self.world);
        let sent = world.send(&mut self.dice, caller, Method::GET, "/api/v2/jobs/?limit=50", "");
        let Some(body) = sent.await.and_then(|a| a.read::<Value>()) else {
            return;
        };
        let rows = body["results"].as_array().into_iter().flatten();
        if rows.clone().any(|row| row["id"] == foreign.0) {
            world
                .witness
                .report(format!("job {foreign} is shown to a token of another project"));
        }
    }

    async fn use_a_stolen_receipt(&mut self, worker: &Caller, own: usize) {
        let project = self.world.sides[own].project;
        let Some(stolen) = self.world.stolen(&mut self.dice).filter(|s| s.project != project) else {
            return;
        };
        let (job, receipt) = (stolen.job, stolen.receipt);
        let (what, body) = match self.dice.between(0, 2) {
            0 => ("leases", format!(r#"{{"release":["{receipt}"]}}"#)),
            1 => ("leases", format!(r#"{{"extend":["{receipt}"]}}"#)),
            _ => (
                "result",
                format!(
                    r#"{{"results":[{{"reply_subject":"{receipt}","result":{{"error":"stolen","image_id":"{}"}}}}]}}"#,
                    stolen.image
                ),
            ),
        };
        let path = format!("/api/v2/jobs/{job}/{what}/");
        self.denied(worker, Method::POST, &path, &body).await;
    }
}
