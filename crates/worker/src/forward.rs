//! Forwarding: a pipeline that asks an existing processing service, by Antenna's push contract.
//!
//! `GET /info` says what the service offers, `POST /process` takes a batch of images. The service's answer is
//! one list of detections for all of them; each image gets its own, or an error of its own. Two things must
//! not be charged to an image: another image that the service can't process, so a failing batch is asked for
//! again image by image; and a service that is away, so its tasks are given back.

mod split;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::value::RawValue;

use self::split::{Share, split};
use crate::backoff::Backoff;
use crate::client::detail_of;
use crate::http;
use crate::pipeline::{Outcome, Pipeline};
use crate::time;
use crate::wire::{PipelineConfig, ProcessRequest, ServiceInfo, SourceImage, Task};

const INFO_BYTES_MAX: usize = 64 << 20;
const ERROR_CHARACTERS_MAX: usize = 2_000;
/// How often a batch is asked for before its images are asked for alone.
const BATCH_TRIES: u32 = 3;

/// How to talk to a processing service.
#[derive(Clone, Debug)]
pub struct ForwardConfig {
    /// The most images of one `POST /process`.
    pub batch_size: usize,
    /// The longest that one answer may take.
    pub timeout: Duration,
    /// How long to wait for a service that does not listen before its tasks are given back.
    pub patience: Duration,
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
            patience: Duration::from_secs(60),
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
    #[error("the processing service does not say what it offers: {0}")]
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
}

/// Why one `POST /process` gave no answer.
enum CallError {
    /// Nobody listens there.
    Away(String),
    /// No answer, or one that says that the service is in trouble. Asking again may help.
    Trouble(String),
    /// The service understood and says no.
    Refused(String),
}

impl Forward {
    /// Asks the service what it offers, waiting for it up to the configured patience.
    pub async fn connect(url: &str, config: ForwardConfig) -> Result<Self, ForwardError> {
        let base = Url::parse(url.trim())
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.host_str().is_some())
            .ok_or_else(|| ForwardError::Url(url.to_owned()))?;
        let loopback = http::is_loopback(&base);
        let client = http::build(|| http::builder(loopback)).map_err(ForwardError::Client)?;
        let mut forward = Self {
            client,
            base,
            config,
            offers: Vec::new(),
        };
        forward.offers = forward
            .info_when_up()
            .await
            .map_err(ForwardError::Info)?
            .pipelines;
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
        let deadline = time::now() + self.config.patience;
        let mut backoff = Backoff::new(self.config.retry_first, self.config.patience);
        loop {
            match self.info().await {
                Ok(info) => return Ok(info),
                Err(CallError::Refused(error)) => return Err(error),
                Err(CallError::Away(error) | CallError::Trouble(error)) => {
                    let next = time::now() + backoff.after_failure(None);
                    if next > deadline {
                        return Err(error);
                    }
                    tracing::debug!(error, "waiting for the processing service");
                    time::sleep_until(next).await;
                }
            }
        }
    }

    async fn info(&self) -> Result<ServiceInfo, CallError> {
        let request = self.client.get(self.url("info")).timeout(self.config.timeout);
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

    /// Asks up to `tries` times, and waits for a service that does not listen.
    async fn ask_again(&self, slug: &str, tasks: &[Task], tries: u32) -> Result<Vec<Share>, CallError> {
        let mut backoff = Backoff::new(self.config.retry_first, self.config.patience);
        let mut away_since = None;
        let mut tries_left = tries;
        loop {
            let error = match self.ask(slug, tasks).await {
                Err(CallError::Trouble(error)) if tries_left > 1 => {
                    (tries_left, away_since) = (tries_left - 1, None);
                    error
                }
                Err(CallError::Away(error)) => {
                    let since = *away_since.get_or_insert_with(time::now);
                    if since.elapsed() >= self.config.patience {
                        return Err(CallError::Away(error));
                    }
                    error
                }
                answer => return answer,
            };
            tracing::debug!(
                slug,
                images = tasks.len(),
                error,
                "the processing service is asked again"
            );
            time::sleep(backoff.after_failure(None)).await;
        }
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

    async fn process(&self, slug: &str, tasks: &[Task]) -> Vec<Outcome> {
        let started = time::now();
        let error = match self.ask_again(slug, tasks, BATCH_TRIES).await {
            Ok(shares) => return outcomes(shares, started.elapsed()),
            Err(error) if tasks.len() > 1 && !matches!(error, CallError::Away(_)) => error,
            Err(error) => return tasks.iter().map(|_| outcome_of_error(&error)).collect(),
        };
        let (CallError::Away(text) | CallError::Trouble(text) | CallError::Refused(text)) = &error;
        tracing::warn!(
            slug,
            images = tasks.len(),
            error = text,
            "a batch fails; its images are tried alone"
        );
        let mut alone = Vec::with_capacity(tasks.len());
        for task in tasks {
            let started = time::now();
            alone.extend(match self.ask_again(slug, std::slice::from_ref(task), 1).await {
                Ok(shares) => outcomes(shares, started.elapsed()),
                Err(error) => vec![outcome_of_error(&error)],
            });
        }
        alone
    }
}

fn outcomes(shares: Vec<Share>, elapsed: Duration) -> Vec<Outcome> {
    let seconds = elapsed.as_secs_f64() / shares.len().max(1) as f64;
    shares
        .into_iter()
        .map(|share| match share {
            Ok(detections) => Outcome::Processed { detections, seconds },
            Err(error) => Outcome::Failed { error },
        })
        .collect()
}

fn outcome_of_error(error: &CallError) -> Outcome {
    match error {
        CallError::Away(reason) => Outcome::Unavailable {
            reason: reason.clone(),
        },
        CallError::Trouble(error) | CallError::Refused(error) => Outcome::Failed {
            error: format!("processing service: {error}"),
        },
    }
}

/// The body of a good answer.
async fn answer(answer: reqwest::Result<Response>, bytes_max: usize) -> Result<Vec<u8>, CallError> {
    let response = answer.map_err(|error| {
        let is_away = error.is_connect();
        let text = http::chain(&error.without_url());
        if is_away {
            CallError::Away(text)
        } else {
            CallError::Trouble(text)
        }
    })?;
    let status = response.status();
    let body = http::read_body(response, bytes_max)
        .await
        .map_err(|error| CallError::Trouble(http::chain(&error)))?;
    if status.is_success() {
        return Ok(body);
    }
    let error = http::cut(
        &format!("HTTP {status}: {}", detail_of(&body)),
        ERROR_CHARACTERS_MAX,
    );
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    Err(if may_pass {
        CallError::Trouble(error)
    } else {
        CallError::Refused(error)
    })
}
