//! Proposing: one pull request that takes what is there and does not wait for more.

use std::time::Duration;

use async_nats::{StatusCode, Subscriber};
use futures::StreamExt as _;
use serde_json::json;
use trapline_core::{
    Error, JobId, Result,
    ports::{Candidate, Proposal},
};

use super::{ABSENT_FOR, JetStreamQueue, Known, consumer_name, message, stream_name};

/// How long the server keeps an empty pull. Without it a pull that finds `max_ack_pending` reached is never answered
/// (seen on 2.9.10, 2.10.27 and 2.15.1); with it, that is as cheap as an empty one.
const EXPIRES: Duration = Duration::from_millis(3);
/// When to take silence for a consumer that is gone: 2.9 answers nothing then, newer servers say so.
const SILENCE: Duration = Duration::from_millis(250);
/// Pulls in a row that may bring foreign messages only.
const ROUNDS: usize = 8;

enum Pull {
    Got(Got),
    /// There is no consumer, or no stream.
    Absent,
}

#[derive(Default)]
struct Got {
    proposal: Proposal,
    foreign: Vec<String>,
}

impl JetStreamQueue {
    pub(super) async fn propose_now(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        match self.known(job) {
            Some(Known::Ready) => {}
            Some(Known::Absent(at)) if self.breaker.now() < at + ABSENT_FOR => return Ok(None),
            _ => {
                if !self.ensure_consumer(job).await? {
                    return Ok(None);
                }
            }
        }
        for _ in 0..ROUNDS {
            let Some(got) = self.pull_or_make(job, limit).await? else {
                return Ok(None);
            };
            if got.foreign.is_empty() {
                return Ok(Some(got.proposal));
            }
            tracing::warn!(%job, count = got.foreign.len(), "messages that are not ours were taken out of the queue");
            self.answer_messages(got.foreign, "+TERM").await?;
            if !got.proposal.candidates.is_empty() {
                return Ok(Some(got.proposal));
            }
        }
        Ok(Some(Proposal::default()))
    }

    async fn pull_or_make(&self, job: JobId, limit: usize) -> Result<Option<Got>> {
        if let Pull::Got(got) = self.pull(job, limit).await? {
            return Ok(Some(got));
        }
        self.forget(job);
        if !self.ensure_consumer(job).await? {
            return Ok(None);
        }
        match self.pull(job, limit).await? {
            Pull::Got(got) => Ok(Some(got)),
            Pull::Absent => Err(Error::unavailable(format!(
                "the consumer of job {job} does not answer"
            ))),
        }
    }

    async fn pull(&self, job: JobId, limit: usize) -> Result<Pull> {
        let lost = |e| Error::unavailable("the connection to NATS is closed").with_source(e);
        let inbox = self.client.new_inbox();
        let mut answers = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|e| Error::unavailable("the connection to NATS is closed").with_source(e))?;
        let subject = format!(
            "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
            stream_name(job),
            consumer_name(job)
        );
        let request = json!({"batch": limit, "no_wait": true, "expires": nanos(EXPIRES)});
        self.client
            .publish_with_reply(subject, inbox, request.to_string().into())
            .await
            .map_err(lost)?;
        self.collect(&mut answers, limit).await
    }

    async fn collect(&self, answers: &mut Subscriber, limit: usize) -> Result<Pull> {
        let mut got = Got::default();
        let mut taken = 0;
        while taken < limit {
            let next = self
                .breaker
                .within(SILENCE, async { Ok(answers.next().await) })
                .await;
            let message = match next {
                Ok(Some(message)) => message,
                Ok(None) => return Err(Error::unavailable("the connection to NATS is closed")),
                // What was taken is proposed; the rest comes again by itself.
                Err(_) if taken > 0 => break,
                Err(_) => return Ok(Pull::Absent),
            };
            match message.status {
                None | Some(StatusCode::OK) => {}
                Some(StatusCode::NO_RESPONDERS) => return Ok(Pull::Absent),
                // Nothing (more) there, too many pulls at once, or a consumer that moves: nothing to propose now.
                Some(_) => break,
            }
            taken += 1;
            let Some(ticket) = message.reply else { continue };
            got.take(message::decode(&message.payload), ticket.to_string());
        }
        Ok(Pull::Got(got))
    }
}

impl Got {
    fn take(&mut self, candidate: Option<Candidate>, ticket: String) {
        match candidate {
            Some(candidate) => {
                self.proposal.candidates.push(candidate);
                self.proposal.tickets.push(ticket);
            }
            None => self.foreign.push(ticket),
        }
    }
}

pub(super) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
