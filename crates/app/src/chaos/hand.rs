//! A worker by hand, for what no decent worker does: holding on, posting twice, posting late, posting nonsense.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use trapline_drill::{PATIENCE, success, until};
use trapline_worker::client::ApiError;

use super::world::World;

/// One worker of one job.
pub(super) struct Hand<'a> {
    world: &'a World<'a>,
    job: i64,
}

impl<'a> Hand<'a> {
    pub(super) fn new(world: &'a World<'a>, job: i64) -> Self {
        Self { world, job }
    }

    /// Tasks, up to `count`.
    pub(super) async fn take(&self, count: usize) -> Result<Vec<Value>, ApiError> {
        let info = json!({ "instance": "hand", "hostname": "hand" });
        let body = json!({ "batch_size": count, "client_info": info });
        let path = format!("jobs/{}/tasks/", self.job);
        let mut answer = self.world.post(&path, &body).await?;
        match answer["tasks"].take() {
            Value::Array(tasks) => Ok(tasks),
            _ => Ok(Vec::new()),
        }
    }

    /// Exactly `count` tasks.
    pub(super) async fn take_all(&self, count: usize) -> Result<Vec<Value>> {
        let tasks = self.take(count).await?;
        ensure!(
            tasks.len() == count,
            "handed out {} of {count} tasks",
            tasks.len()
        );
        Ok(tasks)
    }

    /// As many, some after the others while workers take theirs.
    pub(super) async fn take_in_the_end(&self, count: usize) -> Result<Vec<Value>> {
        let mut tasks = Vec::new();
        until("tasks are handed out", PATIENCE, async || {
            tasks.extend(self.take(count - tasks.len()).await.map_err(|e| e.to_string())?);
            if tasks.len() == count {
                Ok(())
            } else {
                Err(format!("{} of {count}", tasks.len()))
            }
        })
        .await?;
        Ok(tasks)
    }

    /// Where results go.
    pub(super) fn path(&self) -> String {
        format!("jobs/{}/result/", self.job)
    }

    pub(super) async fn post(&self, items: &[Value]) -> Result<Value, ApiError> {
        self.world.post(&self.path(), &json!({ "results": items })).await
    }

    /// Posts, and asserts that every item is answered `queued`.
    pub(super) async fn saves(&self, items: &[Value]) -> Result<()> {
        all_queued(&self.post(items).await?, items.len())
    }

    /// Posts again and again while the server can't save, as a worker does.
    pub(super) async fn saves_in_the_end(&self, items: &[Value]) -> Result<()> {
        let answer = until("the results are saved", PATIENCE, async || {
            self.post(items).await.map_err(|e| e.to_string())
        });
        all_queued(&answer.await?, items.len())
    }

    /// Posts, and asserts that the one item is rejected.
    pub(super) async fn is_rejected(&self, item: &Value) -> Result<()> {
        match self.post(std::slice::from_ref(item)).await {
            Err(ApiError::Refused { status, .. }) if status == 400 => Ok(()),
            other => anyhow::bail!("a bad result was not rejected: {other:?}"),
        }
    }
}

fn all_queued(answer: &Value, items: usize) -> Result<()> {
    ensure!(
        answer["results_queued"] == items,
        "not all of {items} results were saved: {answer}"
    );
    Ok(())
}

/// The results of tasks.
pub(super) fn successes(tasks: &[Value]) -> Vec<Value> {
    tasks.iter().map(success).collect()
}
