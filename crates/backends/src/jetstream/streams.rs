//! Streams and consumers: made once, brought up to current settings, counted, listed, removed.

use std::{sync::PoisonError, time::Duration};

use async_nats::jetstream::ErrorCode;
use serde_json::{Value, json};
use trapline_core::{JobId, Result, Timestamp, ports::QueueInfo};

use super::{
    JetStreamQueue, Known, LOOK_AGAIN,
    api::{ConsumerInfo, StreamCount, StreamInfo, StreamPage},
    consumer_name, stream_name, subject,
};

/// How long a message's name is remembered. A task that was refused may be offered under the same name again.
const DUPLICATES_WITHIN: Duration = Duration::from_secs(30);
/// All jobs' subjects.
const EVERY_SUBJECT: &str = "job.*.tasks";

impl JetStreamQueue {
    /// Makes a job's stream and consumer, or brings them up to current settings. `false` if there are too many streams.
    pub(super) async fn ensure_stream(&self, job: JobId) -> Result<bool> {
        let name = stream_name(job);
        let config = self.stream_config(job);
        match self
            .api::<StreamInfo>(&format!("STREAM.UPDATE.{name}"), &config)
            .await?
        {
            Ok(_) => {}
            Err(refused) if refused.is_absent() => {
                if !self.has_room().await? {
                    return Ok(false);
                }
                self.create_stream(&name, &config).await?;
            }
            Err(refused) if refused.code == ErrorCode::STREAM_INVALID_CONFIG => {
                // Made by something else under our name, and what differs can't be changed in place.
                tracing::warn!(%job, "a stream with other settings is made again");
                self.remove_now(job).await?;
                self.create_stream(&name, &config).await?;
            }
            Err(refused) => return Err(refused.into_error(&format!("update stream `{name}`"))),
        }
        Ok(self.ensure_consumer(job).await?.is_some())
    }

    async fn create_stream(&self, name: &str, config: &Value) -> Result<()> {
        match self
            .api::<StreamInfo>(&format!("STREAM.CREATE.{name}"), config)
            .await?
        {
            Ok(_) => Ok(()),
            // Another node was first.
            Err(refused) if refused.code == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            Err(refused) => Err(refused.into_error(&format!("make stream `{name}`"))),
        }
    }

    /// Makes a job's consumer, or brings it up to current settings. `None` if there is no stream.
    pub(super) async fn ensure_consumer(&self, job: JobId) -> Result<Option<ConsumerInfo>> {
        let what = format!(
            "CONSUMER.CREATE.{}.{}.{}",
            stream_name(job),
            consumer_name(job),
            subject(job)
        );
        let config = self.consumer_config(job);
        let mut answer = self.api::<ConsumerInfo>(&what, &config).await?;
        if let Err(refused) = &answer
            && refused.code == ErrorCode::CONSUMER_CREATE
        {
            // What differs can't be changed in place. Nothing is lost: what is not acknowledged comes again.
            tracing::warn!(%job, ?refused, "a consumer with other settings is made again");
            let old = format!("CONSUMER.DELETE.{}.{}", stream_name(job), consumer_name(job));
            self.api::<Value>(&old, &Value::Null).await?.ok();
            answer = self.api::<ConsumerInfo>(&what, &config).await?;
        }
        match answer {
            Ok(consumer) => {
                self.remember(job, Known::Ready);
                Ok(Some(consumer))
            }
            Err(refused) if refused.is_absent() => {
                self.remember(job, Known::Absent(self.breaker.now()));
                Ok(None)
            }
            Err(refused) => Err(refused.into_error(&format!("make the consumer of job {job}"))),
        }
    }

    fn stream_config(&self, job: JobId) -> Value {
        json!({
            "name": stream_name(job),
            "subjects": [subject(job)],
            "retention": "workqueue",
            "storage": "file",
            "discard": "old",
            "max_age": 0,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_consumers": -1,
            "num_replicas": self.options.replicas,
            "duplicate_window": nanos(DUPLICATES_WITHIN),
        })
    }

    fn consumer_config(&self, job: JobId) -> Value {
        json!({
            "stream_name": stream_name(job),
            "config": {
                "name": consumer_name(job),
                "durable_name": consumer_name(job),
                "filter_subject": subject(job),
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "replay_policy": "instant",
                "ack_wait": nanos(self.options.ack_wait),
                "max_deliver": -1,
                "max_ack_pending": self.options.max_ack_pending,
            },
        })
    }

    async fn has_room(&self) -> Result<bool> {
        let now = self.breaker.now();
        if now < *self.full_until.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(false);
        }
        let count = self
            .api::<StreamCount>("STREAM.NAMES", &json!({"offset": 0, "subject": EVERY_SUBJECT}))
            .await?
            .map_err(|refused| refused.into_error("count the streams"))?;
        let room = count.total < self.options.max_projected_jobs;
        if !room {
            *self.full_until.lock().unwrap_or_else(PoisonError::into_inner) = now + LOOK_AGAIN;
        }
        Ok(room)
    }

    pub(super) async fn remove_now(&self, job: JobId) -> Result<()> {
        let name = stream_name(job);
        match self
            .api::<Value>(&format!("STREAM.DELETE.{name}"), &Value::Null)
            .await?
        {
            Ok(_) => Ok(()),
            Err(refused) if refused.is_absent() => Ok(()),
            Err(refused) => Err(refused.into_error(&format!("remove stream `{name}`"))),
        }
    }

    pub(super) async fn info_now(&self, job: JobId) -> Result<Option<QueueInfo>> {
        let (stream, consumer) = (
            format!("STREAM.INFO.{}", stream_name(job)),
            format!("CONSUMER.INFO.{}.{}", stream_name(job), consumer_name(job)),
        );
        let (stream, consumer) = futures::try_join!(
            self.api::<StreamInfo>(&stream, &Value::Null),
            self.api::<ConsumerInfo>(&consumer, &Value::Null)
        )?;
        let mut info = match stream {
            Ok(stream) => queue_info(job, &stream),
            Err(refused) if refused.is_absent() => return Ok(None),
            Err(refused) => return Err(refused.into_error(&format!("tell of job {job}"))),
        };
        match consumer {
            Ok(consumer) => {
                info.num_pending = consumer.num_pending;
                info.num_ack_pending = consumer.num_ack_pending;
                info.num_redelivered = consumer.num_redelivered;
            }
            Err(refused) if refused.is_absent() => {}
            Err(refused) => return Err(refused.into_error(&format!("tell of job {job}"))),
        }
        Ok(Some(info))
    }

    /// Every job's stream. It asks no consumer, which would be one request per job.
    pub(super) async fn list_now(&self) -> Result<Vec<QueueInfo>> {
        let mut all = Vec::new();
        let mut offset = 0;
        loop {
            let request = json!({"offset": offset, "subject": EVERY_SUBJECT});
            let page = self
                .api::<StreamPage>("STREAM.LIST", &request)
                .await?
                .map_err(|refused| refused.into_error("list the streams"))?;
            let streams = page.streams.unwrap_or_default();
            offset += streams.len();
            let last = streams.is_empty() || offset >= page.total;
            all.extend(
                streams
                    .iter()
                    .filter_map(|s| Some(queue_info(job_of(&s.config.name)?, s))),
            );
            if last {
                break;
            }
        }
        all.sort_by_key(|queue| queue.job);
        // Streams that came or went between two pages may have moved one into both.
        all.dedup_by_key(|queue| queue.job);
        Ok(all)
    }

    /// Asks JetStream, not only the connection: a server without JetStream is no queue.
    pub(super) async fn ping_now(&self) -> Result<()> {
        self.api::<Value>("INFO", &Value::Null)
            .await?
            .map(drop)
            .map_err(|refused| refused.into_error("use JetStream"))
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

fn queue_info(job: JobId, stream: &StreamInfo) -> QueueInfo {
    QueueInfo {
        job,
        num_pending: stream.state.messages,
        num_ack_pending: 0,
        num_redelivered: 0,
        created_at: Timestamp::parse(&stream.created).ok(),
        in_nats: true,
    }
}

fn job_of(stream: &str) -> Option<JobId> {
    let digits = stream.strip_prefix("job_")?;
    let job = JobId(digits.parse().ok()?);
    // `job_007` is somebody else's.
    (stream_name(job) == stream).then_some(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streams_named_as_we_name_them_are_jobs() {
        assert_eq!(job_of("job_42"), Some(JobId(42)));
        for other in ["job_", "job_x", "job_007", "jobs", "job_1_old", "advisories"] {
            assert_eq!(job_of(other), None, "{other}");
        }
    }
}
