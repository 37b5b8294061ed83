//! Spends the deliveries of chosen images: takes them as a worker does, and never answers, until each is lost.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use trapline_core::Clock as _;
use trapline_engine::SystemClock;
use trapline_wire as wire;

use crate::cli::{
    client::{Client, Query},
    exit::{CliError, CliResult},
};

const LOOK: Duration = Duration::from_millis(500);

/// Takes these images of a job until all of them are failed; `tell` hears of each hand-out and each loss. It goes on until
/// then, in the server's own time: a delivery is spent when its lease is over.
///
/// # Errors
/// `Refused` if one can't be lost: it is not of the job, was processed, or the job has ended.
pub async fn exhaust(
    client: &Client,
    job: i64,
    images: &[i64],
    ensure_stream: bool,
    mut tell: impl FnMut(&str),
) -> CliResult<()> {
    let clock = SystemClock::new();
    let mut seen = BTreeMap::new();
    let mut ensure = ensure_stream;
    loop {
        let mut free = Vec::new();
        let mut left = 0;
        for id in images {
            let row = image(client, job, *id).await?;
            let line = format!("image {id}: {}, {} hand-out(s)", row.state, row.attempts);
            if seen.insert(*id, line.clone()).as_ref() != Some(&line) {
                tell(&line);
            }
            match &*row.state {
                "failed" => continue,
                "processed" => {
                    return Err(CliError::Refused(format!(
                        "image {id} was processed by a worker meanwhile"
                    )));
                }
                "pending" => free.push(*id),
                _ => {}
            }
            left += 1;
        }
        if left == 0 {
            return Ok(());
        }
        still_running(client, job).await?;
        if ensure || !free.is_empty() {
            reserve(client, job, &free, std::mem::take(&mut ensure)).await?;
        }
        clock.sleep(LOOK).await;
    }
}

/// The ids of the named images of a job: a number is an id, anything else a URL or the file name in it. With `make` a job
/// that is not there is made, on images with these names; its id is another than asked for if that was given before.
///
/// # Errors
/// `Refused` if there is no such job or no such image of it.
pub async fn named_images(
    client: &Client,
    job: i64,
    names: &[String],
    make: bool,
    mut tell: impl FnMut(&str),
) -> CliResult<(i64, Vec<i64>)> {
    let query = vec![("logs_limit".to_owned(), "1".to_owned())];
    let found: CliResult<wire::Job> = client.get(&format!("jobs/{job}/"), &query).await;
    let (job, made) = match found {
        Ok(_) => (job, false),
        Err(CliError::Refused(_)) if make => (make_job(client, job, names, &mut tell).await?, true),
        Err(error) => return Err(error),
    };
    let id = |name: &String| name.parse::<i64>().ok().filter(|_| !made);
    if let Some(ids) = names.iter().map(id).collect::<Option<Vec<i64>>>() {
        return Ok((job, ids));
    }
    let rows = client
        .pages::<wire::Image>(format!("jobs/{job}/images/"), page_of(1_000), None)
        .all()
        .await?;
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let called = |row: &&wire::Image| row.url == *name || row.url.rsplit('/').next() == Some(name);
        let row = || rows.iter().find(called)?.image_id.parse().ok();
        let unknown = || CliError::Refused(format!("job {job} has no image `{name}`"));
        ids.push(id(name).or_else(row).ok_or_else(unknown)?);
    }
    Ok((job, ids))
}

async fn make_job(
    client: &Client,
    job: i64,
    names: &[String],
    tell: &mut impl FnMut(&str),
) -> CliResult<i64> {
    let body = json!({ "job_id": job, "image_names": names });
    let answer: wire::ChaosJob = client.post("chaos/job/", &Query::new(), &body).await?;
    let made = answer.job_id;
    tell(&format!(
        "job {job} is not there: made job {made} on {} image(s)",
        names.len()
    ));
    let clock = SystemClock::new();
    loop {
        let query = vec![("logs_limit".to_owned(), "1".to_owned())];
        let job: wire::Job = client.get(&format!("jobs/{made}/"), &query).await?;
        if job.progress.stages.first().is_some_and(|s| s.status == "SUCCESS") {
            return Ok(made);
        }
        clock.sleep(LOOK).await;
    }
}

fn page_of(limit: usize) -> Query {
    vec![("limit".to_owned(), limit.to_string())]
}

async fn image(client: &Client, job: i64, id: i64) -> CliResult<wire::Image> {
    let query: Query = [("after", id - 1), ("limit", 1)]
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .into();
    let page: wire::Page<wire::Image> = client.get(&format!("jobs/{job}/images/"), &query).await?;
    let row = page.results.into_iter().next();
    row.filter(|row| row.image_id == id.to_string())
        .ok_or_else(|| CliError::Refused(format!("job {job} has no image {id}")))
}

async fn still_running(client: &Client, job: i64) -> CliResult<()> {
    let query = vec![("logs_limit".to_owned(), "1".to_owned())];
    let found: wire::Job = client.get(&format!("jobs/{job}/"), &query).await?;
    match &*found.status {
        status @ ("SUCCESS" | "FAILURE" | "REVOKED") => {
            Err(CliError::Refused(format!("job {job} is {status}")))
        }
        _ => Ok(()),
    }
}

async fn reserve(client: &Client, job: i64, images: &[i64], ensure_stream: bool) -> CliResult<()> {
    let ids: Vec<String> = images.iter().map(ToString::to_string).collect();
    let body = json!({ "job_id": job, "image_ids": ids, "ensure_stream": ensure_stream });
    let answer: CliResult<wire::ChaosJob> = client.post("chaos/reserve/", &Query::new(), &body).await;
    answer.map(drop)
}
