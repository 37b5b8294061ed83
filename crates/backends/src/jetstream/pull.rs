//! Proposing: one pull request that takes what is there and does not wait for more.

use std::time::Duration;

use async_nats::{StatusCode, Subscriber};
use futures::StreamExt as _;
use serde_json::json;
use trapline_core::{
    Error, JobId, Result,
    ports::{Candidate, Proposal},
};

use super::{JetStreamQueue, Known, LOOK_AGAIN, api::ConsumerInfo, consumer_name, message, stream_name};

/// A pull that is not to wait is answered at once, but for two cases: `max_ack_pending` is reached (seen on 2.9.10, 2.10.27
/// and 2.15.1), or the consumer is gone (on 2.9; newer servers say so). An expiry would end it, but would also make every
/// empty pull last that long, and one on a busy server come back empty although messages are there.
const SILENCE: Duration = Duration::from_millis(250);
/// Pulls in a row that may bring foreign messages only.
const ROUNDS: usize = 8;

enum Pull {
    Got(Got),
    /// There is no consumer, or no stream, or no room.
    Nothing,
}

#[derive(Default)]
struct Got {
    proposal: Proposal,
    foreign: Vec<String>,
}

impl JetStreamQueue {
    pub(super) async fn propose_now(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        let now = self.breaker.now();
        match self.known(job) {
            Some(Known::Ready) => {}
            Some(Known::Absent(at)) if now < at + LOOK_AGAIN => return Ok(None),
            Some(Known::Full(at)) if now < at + LOOK_AGAIN => return Ok(Some(Proposal::default())),
            _ => match self.ensure_consumer(job).await? {
                Some(consumer) if self.is_full(&consumer) => return Ok(Some(self.full(job))),
                Some(_) => {}
                None => return Ok(None),
            },
        }
        for _ in 0..ROUNDS {
            let mut pull = self.pull(job, limit).await?;
            if matches!(pull, Pull::Nothing) {
                self.forget(job);
                match self.ensure_consumer(job).await? {
                    Some(consumer) if self.is_full(&consumer) => return Ok(Some(self.full(job))),
                    Some(_) => pull = self.pull(job, limit).await?,
                    None => return Ok(None),
                }
            }
            let Pull::Got(got) = pull else {
                return Err(Error::unavailable(format!(
                    "the consumer of job {job} does not answer"
                )));
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

    fn is_full(&self, consumer: &ConsumerInfo) -> bool {
        consumer.num_ack_pending >= u64::from(self.options.max_ack_pending)
    }

    fn full(&self, job: JobId) -> Proposal {
        tracing::debug!(%job, "as much is proposed and not acknowledged as may be");
        self.remember(job, Known::Full(self.breaker.now()));
        Proposal::default()
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
        let request = json!({"batch": limit, "no_wait": true});
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
                Err(_) => return Ok(Pull::Nothing),
            };
            match message.status {
                None | Some(StatusCode::OK) => {}
                Some(StatusCode::NO_RESPONDERS) => return Ok(Pull::Nothing),
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
