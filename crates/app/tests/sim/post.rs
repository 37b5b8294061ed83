//! A post of results as workers write it, and what its answer must be.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::http::Method;
use serde::Deserialize;
use trapline_core::{JobId, receipt::Receipt};
use trapline_testkit::faults::Dice;

use crate::{
    definition::{Definition, SLUG, definitions, loosely},
    wire::{Answer, Caller, Patience},
    world::World,
};

/// A task as it was handed out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Task {
    #[serde(rename = "image_id")]
    pub(crate) image: String,
    #[serde(rename = "reply_subject")]
    pub(crate) receipt: String,
}

/// What is due to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It is valid: saved, or it changes nothing.
    Saved,
    /// An error: believed, or too late.
    Heard,
    /// Refused, and its task is not saved by it.
    Refused,
    /// Refused; it names no task of this worker.
    Foreign,
}

/// One item of a post.
#[derive(Clone)]
pub(crate) struct Item {
    receipt: String,
    names: Option<Receipt>,
    due: Due,
    json: String,
}

/// Who posts, and of which job.
#[derive(Clone)]
pub(crate) struct Poster {
    pub(crate) world: Arc<World>,
    pub(crate) side: usize,
    pub(crate) caller: Caller,
    pub(crate) job: JobId,
    /// What this worker runs.
    pub(crate) definition: Definition,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(default, borrow)]
    detail: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tasks: Vec<ItemTold<'a>>,
}

#[derive(Deserialize)]
struct ItemTold<'a> {
    #[serde(borrow)]
    reply_subject: Cow<'a, str>,
    status: &'a str,
    #[serde(default, borrow)]
    detail: Option<Cow<'a, str>>,
}

impl Poster {
    pub(crate) fn names(&self, receipt: &str) -> Option<Receipt> {
        self.world.key.verify(receipt).filter(|r| r.job == self.job)
    }

    fn item(&self, task: &Task, due: Due, result: &str) -> Item {
        let receipt = &task.receipt;
        Item {
            json: format!(r#"{{"reply_subject":"{receipt}","result":{result}}}"#),
            names: self.names(receipt),
            receipt: receipt.clone(),
            due,
        }
    }

    /// A result. It names what the run knows, if any worker of this fleet does; now and then a worker that runs something
    /// else has the task.
    pub(crate) fn success(&self, task: &Task, dice: &mut Dice) -> Item {
        let spec = self
            .names(&task.receipt)
            .and_then(|r| self.world.witness.spec(&r));
        let known = |d: &Definition| spec.as_ref().is_some_and(|s| d.fits(s));
        let perfect = self.world.is_perfect();
        let mut definition = self.definition;
        if !known(&definition) && (perfect || dice.chance(850)) {
            let fitting = definitions(self.side).iter().find(|d| known(d));
            definition = fitting.copied().unwrap_or(definition);
        }
        let (n, own_labels) = (dice.between(0, 3), dice.chance(100));
        let detections: Vec<String> = (0..n)
            .map(|_| match own_labels {
                true => definition.top_two(&task.image, dice.between(0, 3)),
                false => definition.detection(&task.image, dice.between(0, 3), dice.between(0, 5) as usize),
            })
            .collect();
        let by_keys = || spec.as_ref().is_some_and(|s| definition.is_known_by_keys(s));
        let due = match n == 0 || known(&definition) || (own_labels && by_keys()) {
            true => Due::Saved,
            false => Due::Refused,
        };
        let mut result = result(&task.image, &detections.join(","));
        if dice.chance(100) {
            result = loosely(&result);
        }
        self.item(task, due, &result)
    }

    /// An error of this image.
    pub(crate) fn error(&self, task: &Task, text: &str) -> Item {
        let image = &task.image;
        let result = format!(r#"{{"error":"{text}","image_id":"{image}"}}"#);
        self.item(task, Due::Heard, &result)
    }

    /// What can't be saved.
    pub(crate) fn malformed(&self, task: &Task, dice: &mut Dice) -> Item {
        let image = &task.image;
        let good = self.definition.detection(image, 1, 0);
        let detection = match dice.between(0, 4) {
            0 => good.replace(r#""x1":1,"#, r#""x1":9,"#),
            1 => good.replace("[0.5", "[NaN"),
            2 => good.replace(r#""key":"detector""#, r#""key":"nobody""#),
            3 => good.replace(
                &format!(r#""source_image_id":"{image}""#),
                r#""source_image_id":"0""#,
            ),
            _ => {
                let result = format!(r#"{{"pipeline":"{SLUG}","total_time":0.5}}"#);
                return self.item(task, Due::Refused, &result);
            }
        };
        self.item(task, Due::Refused, &result(image, &detection))
    }

    /// An item that names no task of this job: of nobody, of another job, forged.
    pub(crate) fn foreign(&self, dice: &mut Dice) -> Item {
        let stolen = self.world.stolen(dice).filter(|s| s.job != self.job);
        let (receipt, image) = match stolen {
            Some(stolen) if dice.chance(700) => (stolen.receipt, stolen.image),
            Some(stolen) => (stolen.receipt.replace(['A', 'B'], "C") + "x", stolen.image),
            None => ("tl1.bm9ib2R5".to_owned(), "1".to_owned()),
        };
        let task = Task { image, receipt };
        let result = result(&task.image, "");
        Item {
            names: None,
            ..self.item(&task, Due::Foreign, &result)
        }
    }

    /// Posts items in any order, by a client that may not stay for the answer, and holds the answer against them. A worker
    /// does not repeat a post, whatever is answered.
    pub(crate) async fn post(&self, mut items: Vec<Item>, dice: &mut Dice) {
        if items.is_empty() {
            return;
        }
        let perfect = self.world.is_perfect();
        if !perfect && dice.chance(100) {
            items.push(self.foreign(dice));
        }
        dice.shuffle(&mut items);
        let text: Vec<&str> = items.iter().map(|i| i.json.as_str()).collect();
        // A byte order mark, as some writers of JSON begin with.
        let mark = if dice.chance(20) { "\u{feff}" } else { "" };
        let text = format!(r#"{mark}{{"results":[{}]}}"#, text.join(","));
        let patience = match dice.between(0, 99) {
            _ if perfect => Patience::Waits,
            0..=2 => Patience::GoneAfter(dice.millis(0, 3_000)),
            3 => Patience::NeverReads,
            _ => Patience::Waits,
        };
        let body = self.world.body(dice, text);
        let path = format!("/api/v2/jobs/{}/result/", self.job);
        let sent = self
            .world
            .send_with(dice, &self.caller, Method::POST, &path, body, patience);
        if let Some(answer) = sent.await {
            self.judge(&items, &answer);
        }
    }

    fn judge(&self, items: &[Item], answer: &Answer) {
        let blame = |what: String| self.world.witness.report(format!("{what}: {}", answer.text()));
        match answer.status {
            503 => return,
            404 if self.world.witness.is_gone(self.job) => return,
            404 => return blame(format!("job {} is denied", self.job)),
            _ => {}
        }
        let Some(told) = answer.read::<Told<'_>>() else {
            return blame("a post of results is refused as a whole".to_owned());
        };
        let broken = told.detail.is_some();
        if told.tasks.len() > items.len() || (told.tasks.len() < items.len() && !broken) {
            return blame(format!("{} items have {} answers", items.len(), told.tasks.len()));
        }
        for (item, told) in items.iter().zip(&told.tasks) {
            if item.receipt != told.reply_subject {
                blame(format!("the answer to {} has another receipt", item.receipt));
            }
            self.judge_one(item, told);
        }
    }

    fn judge_one(&self, item: &Item, told: &ItemTold<'_>) {
        let witness = &self.world.witness;
        let why = told.detail.as_deref().unwrap_or_default();
        match (item.due, told.status, item.names) {
            (Due::Saved, "queued", Some(receipt)) => witness.acknowledged(&receipt),
            (Due::Saved | Due::Heard, "rejected", Some(receipt)) if self.world.plan.tries.specs => {
                witness.refused(&receipt, why);
            }
            (Due::Refused, "rejected", Some(receipt)) => witness.refused_rightly(&receipt),
            (Due::Refused | Due::Foreign, "queued", _) => {
                witness.report(format!("what can't be saved is answered as saved: {}", item.json));
            }
            _ => {}
        }
    }

    /// Says something of leases; who hears nothing goes on as it was.
    pub(crate) async fn leases(&self, verb: &str, receipt: &str, dice: &mut Dice) {
        let path = format!("/api/v2/jobs/{}/leases/", self.job);
        let body = format!(r#"{{"{verb}":["{receipt}"]}}"#);
        let sent = self.world.send(dice, &self.caller, Method::POST, &path, body);
        let denied = sent.await.is_some_and(|a| a.status == 404);
        if denied && !self.world.witness.is_gone(self.job) {
            self.world
                .witness
                .report(format!("job {} is denied to whoever has its leases", self.job));
        }
    }

    pub(crate) async fn sleep(&self, d: Duration) {
        self.world.sleep(d).await;
    }
}

fn result(image: &str, detections: &str) -> String {
    format!(
        r#"{{"pipeline":"{SLUG}","algorithms":{{}},"total_time":0.5,"source_images":[{{"id":"{image}","url":"u"}}],"detections":[{detections}]}}"#
    )
}
