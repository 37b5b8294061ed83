//! A worker process as ADC's is: four loaders reserve batches ahead, the GPU takes from them in turn, and what is computed is
//! posted while the next batch is in work.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use trapline_drill::pass;
use trapline_testkit::{BARE, Client};

use super::tasks;

const LOADERS: usize = 4;
/// Before it asks again, when it was handed nothing or got no answer.
const AGAIN: Duration = Duration::from_millis(500);

/// What all processes of a trial saw.
#[derive(Default)]
pub(super) struct Seen(Mutex<Told>);

#[derive(Default)]
pub(super) struct Told {
    /// How often each image was handed out.
    pub(super) handouts: HashMap<String, u32>,
    /// Why results were not taken.
    pub(super) refused: Vec<String>,
}

impl Seen {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a life of a process ended.
pub(super) enum Ended {
    /// There was nothing more for it.
    Idle,
    /// It took an image that kills it: what it held and what it had computed last are gone.
    Died,
}

pub(super) struct Gpu<'a> {
    pub(super) client: &'a Client,
    pub(super) job: i64,
    /// What `client_info` says; ADC sends none.
    pub(super) instance: Option<String>,
    /// Batches that it holds, of so many images each.
    pub(super) ahead: usize,
    pub(super) batch: usize,
    /// What an image takes.
    pub(super) image: Duration,
    pub(super) kills: fn(&str) -> bool,
    pub(super) seen: &'a Seen,
}

impl Gpu<'_> {
    /// Works until there is nothing to do, or an image kills it.
    pub(super) async fn live(&self) -> Ended {
        let mut loaders: [VecDeque<Vec<Value>>; LOADERS] = Default::default();
        let mut computed = Vec::new();
        for loader in &mut loaders {
            self.fill(loader).await;
        }
        while loaders.iter().any(|l| !l.is_empty()) {
            for loader in &mut loaders {
                let Some(batch) = loader.pop_front() else {
                    continue;
                };
                self.fill(loader).await;
                let urls = batch.iter().filter_map(|t| t["image_url"].as_str());
                if urls.into_iter().any(self.kills) {
                    return Ended::Died;
                }
                pass(self.image * batch.len() as u32).await;
                self.post(&std::mem::replace(&mut computed, batch)).await;
            }
        }
        self.post(&computed).await;
        Ended::Idle
    }

    async fn fill(&self, loader: &mut VecDeque<Vec<Value>>) {
        while loader.len() < self.ahead / LOADERS {
            let batch = self.reserve().await;
            if batch.is_empty() {
                return;
            }
            loader.push_back(batch);
        }
    }

    async fn reserve(&self) -> Vec<Value> {
        let mut body = json!({ "batch_size": self.batch });
        if let Some(instance) = &self.instance {
            body["client_info"] = json!({ "instance": instance });
        }
        let path = format!("/api/v2/jobs/{}/tasks/", self.job);
        let answer = self.client.try_post(&path, &body).await;
        let got = answer.map(|a| tasks(&a.body)).unwrap_or_default();
        for task in &got {
            let image = task["image_id"].as_str().unwrap_or_default().to_owned();
            *self.seen.told().handouts.entry(image).or_default() += 1;
        }
        got
    }

    /// Posts until it is answered.
    async fn post(&self, computed: &[Value]) {
        if computed.is_empty() {
            return;
        }
        let results: Vec<Value> = computed
            .iter()
            .map(|task| trapline_drill::empty_result(task, BARE))
            .collect();
        let path = format!("/api/v2/jobs/{}/result/", self.job);
        let body = json!({ "results": results });
        loop {
            match self.client.try_post(&path, &body).await {
                Ok(answer) if answer.status < 500 => {
                    let refused = refused(&answer.body);
                    self.seen.told().refused.extend(refused);
                    return;
                }
                _ => pass(AGAIN).await,
            }
        }
    }
}

/// Why items of an answer were not taken; an answer without items is refused whole.
pub(super) fn refused(answer: &Value) -> Vec<String> {
    match answer["tasks"].as_array() {
        Some(items) => items
            .iter()
            .filter(|item| item["status"] != "queued")
            .map(|item| item["detail"].as_str().unwrap_or_default().to_owned())
            .collect(),
        None => vec![answer.to_string()],
    }
}
