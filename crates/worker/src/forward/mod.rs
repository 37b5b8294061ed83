//! Forwarding: a pipeline that asks an existing processing service, by Antenna's push contract.
//!
//! `GET /info` says what the service offers, `POST /process` takes a batch of images. The service's answer is
//! one list of detections for all of them; each image gets its own, or an error of its own. Three things must
//! not be charged to an image: another image that the service can't process, so what fails as a batch is
//! asked for again image by image; a connection that broke, so the request is repeated on a new one; and a
//! service that is away or asks to wait, so its images wait, and are given back if it takes too long.

mod call;
mod late;
mod presence;
mod split;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::value::RawValue;
use tokio::sync::RwLock;

use self::call::{CallError, answer};
use self::presence::Presence;
use self::split::{Share, split};
use crate::backoff::Backoff;
use crate::http;
use crate::pipeline::{Outcome, Pipeline};
use crate::pull::slot;
use crate::time;
use crate::wire::{PipelineConfig, ProcessRequest, ServiceInfo, SourceImage, Task};

const INFO_BYTES_MAX: usize = 64 << 20;
/// How often a batch is asked for before its images are asked for alone, and an image before it fails.
const TRIES: u32 = 3;
const WAIT_LONGEST: Duration = Duration::from_secs(5);
/// How long images wait for a service that is there and not ready, and does not say for how long.
const UNREADY_MAX: Duration = Duration::from_secs(60);
/// How long a service may take to say what it offers: some load their models first.
const INFO_TIMEOUT: Duration = Duration::from_secs(30);
/// A shorter wait is nothing to tell people about.
const WAIT_TOLD_MIN: Duration = Duration::from_secs(5);

/// How to talk to a processing service.
#[derive(Clone, Debug)]
pub struct ForwardConfig {
    /// The most images of one `POST /process`.
    pub batch_size: usize,
    /// The longest that one answer may take.
    pub timeout: Duration,
    /// How long to wait for the service at the start.
    pub connect_patience: Duration,
    /// How long to wait for a service that is away before its tasks are given back.
    pub patience: Duration,
    /// How long to wait for a service that is there and asks to wait before its tasks are given back.
    pub patience_asked: Duration,
    /// How long a service may say nothing before people are told.
    pub told_after: Duration,
    /// The longest answer.
    pub answer_bytes_max: usize,
    /// The wait after a first failure; it doubles.
    pub retry_first: Duration,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            batch_size: 24,
            timeout: Duration::from_secs(300),
            connect_patience: Duration::from_secs(60),
            patience: Duration::from_secs(900),
            patience_asked: Duration::from_secs(300),
            told_after: Duration::from_secs(30),
            answer_bytes_max: 512 << 20,
            retry_first: Duration::from_millis(500),
        }
    }
}

/// Why a service can't be forwarded to.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// Not a URL, or not http(s).
    #[error("`{0}` is not an http or https URL")]
    Url(String),
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
    /// `GET /info` had no useful answer.
    #[error("the processing service's pipelines can't be read (`GET /info`): {0}")]
    Info(String),
    /// It offers nothing.
    #[error("the processing service offers no pipelines")]
    NoPipelines,
    /// It offers several, and none was named.
    #[error("the processing service offers several pipelines, so name one: {0}")]
    Several(String),
    /// It offers others than the one that was named.
    #[error("the processing service has no pipeline `{slug}`; it offers {offered}")]
    Unknown {
        /// What was named.
        slug: String,
        /// What it offers, for people.
        offered: String,
    },
}

/// The pipelines of a processing service.
#[derive(Debug)]
pub struct Forward {
    client: Client,
    base: Url,
    config: ForwardConfig,
    offers: Vec<PipelineConfig>,
    presence: Presence,
    /// Held for writing by a request that must not suffer for another's.
    quiet: RwLock<()>,
}

impl Forward {
    /// Asks the service what it offers, waiting for it up to the configured patience.
    pub async fn connect(url: &str, config: ForwardConfig) -> Result<Self, ForwardError> {
        let base = Url::parse(url.trim())
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.host_str().is_some())
            .ok_or_else(|| ForwardError::Url(url.to_owned()))?;
        let loopback = http::is_loopback(&base);
        // Some services answer 500 and close the connection a moment later. A request takes seconds, so that a
        // new connection for each costs nothing, and none is sent on one that is about to close.
        let client = http::build(|| http::builder(loopback).pool_max_idle_per_host(0))
            .map_err(ForwardError::Client)?;
        let mut forward = Self {
            client,
            base,
            config,
            offers: Vec::new(),
            presence: Presence::default(),
            quiet: RwLock::default(),
        };
        forward.offers = forward
            .info_when_up()
            .await
            .map_err(ForwardError::Info)?
            .pipelines;
        forward.presence.there();
        if forward.offers.is_empty() {
            Err(ForwardError::NoPipelines)
        } else {
            Ok(forward)
        }
    }

    /// The slug of the pipeline that is meant: the one named, or the only one.
    pub fn choose(&self, named: Option<&str>) -> Result<String, ForwardError> {
        let offered = |offer: &PipelineConfig| format!("`{}` ({})", offer.slug, offer.name);
        let all = || self.offers.iter().map(offered).collect::<Vec<_>>().join(", ");
        match (named, self.offers.as_slice()) {
            (Some(slug), offers) if offers.iter().any(|offer| offer.slug == slug) => Ok(slug.to_owned()),
            (Some(slug), _) => Err(ForwardError::Unknown {
                slug: slug.to_owned(),
                offered: all(),
            }),
            (None, [only]) => Ok(only.slug.clone()),
            (None, _) => Err(ForwardError::Several(all())),
        }
    }

    async fn info_when_up(&self) -> Result<ServiceInfo, String> {
        let deadline = time::now() + self.config.connect_patience;
        let mut backoff = self.backoff();
        loop {
            let error = match self.info(self.config.timeout.min(INFO_TIMEOUT)).await {
                Ok(info) => return Ok(info),
                Err(CallError::Refused(error)) => return Err(error),
                Err(error) => error.text(),
            };
            let next = time::now() + backoff.after_failure(None);
            if next > deadline {
                return Err(error);
            }
            self.presence.waits(&error);
            time::sleep_until(next).await;
        }
    }

    async fn info(&self, timeout: Duration) -> Result<ServiceInfo, CallError> {
        let request = self.client.get(self.url("info")).timeout(timeout);
        let body = answer(request.send().await, INFO_BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Refused(format!("a bad answer: {error}")))
    }

    /// One `POST /process`; each image's share of the answer, in the tasks' order.
    async fn ask(&self, slug: &str, tasks: &[Task]) -> Result<Vec<Share>, CallError> {
        let images: Vec<SourceImage> = tasks
            .iter()
            .map(|task| SourceImage {
                id: task.image_id.clone(),
                url: task.image_url.clone().unwrap_or_default(),
                ..SourceImage::default()
            })
            .collect();
        let settings = tasks
            .first()
            .and_then(|task| task.config.as_deref())
            .filter(|text| text.get() != "null");
        let empty =
            serde_json::from_str::<&RawValue>("{}").map_err(|error| CallError::Refused(error.to_string()))?;
        let request = ProcessRequest {
            pipeline: slug,
            source_images: &images,
            config: settings.unwrap_or(empty),
        };
        let body = serde_json::to_vec(&request).map_err(|error| CallError::Refused(error.to_string()))?;
        let request = self
            .client
            .post(self.url("process"))
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.config.timeout)
            .body(Bytes::from(body));
        let body = answer(request.send().await, self.config.answer_bytes_max).await?;
        let ids: Vec<String> = images.into_iter().map(|image| image.id).collect();
        // An answer with all scores of a large model is long work to read.
        tokio::task::spawn_blocking(move || split(&body, &ids))
            .await
            .map_err(|_| CallError::Trouble("reading the answer failed".to_owned()))?
            .map_err(|error| CallError::Trouble(format!("a bad answer: {error}")))
    }

    /// Asks until there is an answer or a failure that is these images' own. After a first failure nothing else is
    /// asked at the same time, so that a service that dies of another image fails none of these.
    async fn ask_again(&self, slug: &str, tasks: &[Task]) -> Result<Vec<Share>, CallError> {
        let mut backoff = self.backoff();
        let mut waiting_since = None;
        let (mut is_quiet, mut tries) = (false, 0);
        loop {
            let asked = if is_quiet {
                let _quiet = self.quiet_and_there().await?;
                self.told_if_late(self.ask(slug, tasks)).await
            } else {
                let _quiet = self.quiet.read().await;
                self.told_if_late(self.ask(slug, tasks)).await
            };
            let error = match asked {
                Ok(shares) => {
                    self.has_worked().await;
                    return Ok(shares);
                }
                Err(error) => error,
            };
            tracing::debug!(
                slug,
                images = tasks.len(),
                error = error.text(),
                "the processing service fails"
            );
            if let Some((wait, patience)) = self.asks_to_wait(&error) {
                let waited = waiting_since.get_or_insert_with(time::now).elapsed();
                if waited >= patience {
                    // A gateway says so too for a service that is away.
                    if wait.is_none() && self.sign_of_life().await.is_err() {
                        self.until_there().await?;
                        waiting_since = None;
                        continue;
                    }
                    return Err(error);
                }
                if waited >= WAIT_TOLD_MIN || wait >= Some(WAIT_TOLD_MIN) {
                    self.presence.waits(&error.text());
                }
                wait_for(backoff.after_failure(wait)).await?;
                continue;
            }
            waiting_since = None;
            match &error {
                CallError::Away(_) => self.until_there().await?,
                // A service that is there takes longer than it may: a smaller request may come through.
                CallError::Late(_) if tasks.len() > 1 => {
                    self.until_there().await?;
                    return Err(error);
                }
                // A service that is away refuses nothing: that was said by what stands before it.
                CallError::Refused(_) if self.sign_of_life().await.is_ok() => return Err(error),
                _ if tries + 1 < TRIES => {
                    tries += 1;
                    is_quiet = true;
                }
                _ => return Err(error),
            }
            wait_for(backoff.after_failure(None)).await?;
        }
    }

    /// For a service that is there: the wait that it asks for, and how long it may go on like this.
    fn asks_to_wait(&self, error: &CallError) -> Option<(Option<Duration>, Duration)> {
        match error {
            CallError::Busy(_, wait) => Some((*wait, self.config.patience_asked)),
            CallError::Unready(_) => Some((None, UNREADY_MAX)),
            _ => None,
        }
    }

    /// One image. What it fails with is its own.
    async fn alone(&self, slug: &str, task: &Task) -> Outcome {
        let started = time::now();
        match self.ask_again(slug, std::slice::from_ref(task)).await {
            Ok(mut shares) => match shares.pop() {
                Some(share) => outcome(share, started.elapsed().as_secs_f64()),
                None => outcome(Err("no answer for this image".to_owned()), 0.0),
            },
            Err(error) => error.outcome(),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.config.retry_first, WAIT_LONGEST)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

#[async_trait]
impl Pipeline for Forward {
    fn registration(&self) -> Vec<PipelineConfig> {
        self.offers.clone()
    }

    fn tasks_per_call(&self) -> usize {
        self.config.batch_size
    }

    async fn until_ready(&self) {
        while self.until_there().await.is_err() {
            time::sleep(WAIT_LONGEST).await;
        }
    }

    async fn process(&self, slug: &str, tasks: &[Task]) -> Vec<Outcome> {
        let started = time::now();
        let shares = match self.ask_again(slug, tasks).await {
            Ok(shares) => shares,
            Err(error) if tasks.len() == 1 || error.is_of_nobody() => {
                return tasks.iter().map(|_| error.outcome()).collect();
            }
            Err(error) => {
                let error = error.text();
                tracing::warn!(
                    slug,
                    images = tasks.len(),
                    error,
                    "a batch fails; its images are tried alone"
                );
                tasks.iter().map(|_| Err(error.clone())).collect()
            }
        };
        let seconds = started.elapsed().as_secs_f64() / tasks.len().max(1) as f64;
        let mut outcomes = Vec::with_capacity(tasks.len());
        let mut away = None;
        for (task, share) in tasks.iter().zip(shares) {
            // Some services stop at the first bad image of a batch and leave out those behind it, or don't say of which
            // image a detection is.
            let outcome = match (share, &away) {
                (Err(_), Some(reason)) => Outcome::Unavailable {
                    reason: String::clone(reason),
                },
                (Err(_), None) if tasks.len() > 1 => self.alone(slug, task).await,
                (share, _) => outcome(share, seconds),
            };
            if let Outcome::Unavailable { reason } = &outcome {
                away = Some(reason.clone());
            }
            outcomes.push(outcome);
        }
        outcomes
    }
}

fn outcome(share: Share, seconds: f64) -> Outcome {
    match share {
        Ok(detections) => Outcome::Processed {
            detections,
            seconds,
            picture: None,
        },
        Err(error) => Outcome::Failed { error },
    }
}

/// Waits, unless the worker is told to stop.
async fn wait_for(wait: Duration) -> Result<(), CallError> {
    slot::unless_stopping(time::sleep(wait))
        .await
        .map_err(|_| CallError::Stopping)
}
