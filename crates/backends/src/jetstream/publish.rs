//! Publishing and acknowledging: many at once, in a bounded window that moves on as the server answers.

use std::time::Duration;

use async_nats::{
    client::RequestErrorKind,
    jetstream::{
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, FuturesUnordered},
};
use trapline_core::{
    Error, JobId, Result,
    ports::{Candidate, Offered},
};

use super::{JetStreamQueue, Known, message, subject};

/// Messages without an answer yet. The client hangs at 5,000 that nobody awaits.
const WINDOW: usize = 256;
/// How long the server may leave a whole window without any answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

enum Publishing {
    Done,
    /// There is no stream.
    Absent,
}

impl JetStreamQueue {
    pub(super) async fn publish_now(
        &self,
        job: JobId,
        candidates: &[Candidate],
        patience: Duration,
    ) -> Result<Offered> {
        if !matches!(self.known(job), Some(Known::Ready | Known::Full(_))) && !self.ensure_stream(job).await?
        {
            tracing::debug!(%job, "no stream for this job: there are enough; it is filled from the store");
            return Ok(Offered::NoRoom);
        }
        if matches!(self.send(job, candidates, patience).await?, Publishing::Absent) {
            // The server was restarted empty, or another node removed it.
            self.forget(job);
            if !self.ensure_stream(job).await? {
                return Ok(Offered::NoRoom);
            }
            if matches!(self.send(job, candidates, patience).await?, Publishing::Absent) {
                return Err(Error::unavailable(format!(
                    "the stream of job {job} is away as soon as it is made"
                )));
            }
        }
        Ok(Offered::Held)
    }

    async fn send(&self, job: JobId, candidates: &[Candidate], patience: Duration) -> Result<Publishing> {
        let subject = subject(job);
        let mut window = FuturesUnordered::new();
        let mut rest = candidates.iter();
        loop {
            // In order, so that candidates are proposed in the order of their publishing.
            while window.len() < WINDOW
                && let Some(candidate) = rest.next()
            {
                let message = PublishMessage::build()
                    .payload(message::encode(candidate)?)
                    .message_id(message::name(job, candidate));
                let sent = self
                    .js
                    .send_publish(subject.clone(), message)
                    .await
                    .map_err(|e| self.not_published(e))?;
                window.push(self.answer(sent));
            }
            let next = async { window.next().await.transpose() };
            match self.breaker.within(patience, next).await? {
                None => return Ok(Publishing::Done),
                Some(Publishing::Absent) => return Ok(Publishing::Absent),
                Some(Publishing::Done) => {}
            }
        }
    }

    async fn answer(&self, sent: PublishAckFuture) -> Result<Publishing> {
        match sent.await {
            Ok(_) => Ok(Publishing::Done),
            Err(e) if e.kind() == PublishErrorKind::StreamNotFound => Ok(Publishing::Absent),
            Err(e) => Err(self.not_published(e)),
        }
    }

    fn not_published(&self, e: PublishError) -> Error {
        Error::unavailable(format!("{} took no message", self.breaker.server())).with_source(e)
    }

    /// Acknowledges messages, each by a request: the client's own double acknowledgement takes "nobody there" for a yes.
    pub(super) async fn acknowledge_now(&self, tickets: Vec<String>) -> Result<()> {
        self.answer_messages(tickets, "+ACK").await
    }

    pub(super) async fn answer_messages(&self, tickets: Vec<String>, word: &'static str) -> Result<()> {
        stream::iter(tickets)
            .map(|ticket| async move {
                match self.client.request(ticket, word.into()).await {
                    Ok(_) => Ok(()),
                    // The stream is gone, and the message with it.
                    Err(e) if e.kind() == RequestErrorKind::NoResponders => Ok(()),
                    Err(e) => Err(Error::unavailable(format!(
                        "{} did not take an acknowledgement",
                        self.breaker.server()
                    ))
                    .with_source(e)),
                }
            })
            .buffer_unordered(WINDOW)
            .try_collect()
            .await
    }
}
