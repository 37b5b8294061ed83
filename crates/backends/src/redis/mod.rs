//! The progress on Redis (6 or newer) or Valkey: Antenna's keys, as a mirror for people, and hints over one channel.
//!
//! Nothing reads it to decide. It may be flushed, evicted or killed at any moment: the next projection writes it again, and
//! whoever listens is told to read everything.

mod keys;
mod link;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo as _, Pipeline, ProtocolVersion,
    RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd, pipe,
};
use async_trait::async_trait;
use trapline_core::{
    CaptureId, Clock, Error, JobId, Result,
    error::chain,
    ports::{Hint, HintStream, LiveCounts, Progress},
};

use crate::{
    breaker::{Breaker, DEADLINE},
    hints::listen,
};
use keys::Keys;
use link::Link;

/// Every node of a cluster listens here.
const CHANNEL: &str = "trapline:hints";
/// How long live state outlives the last word on it, in seconds.
const TTL_S: u64 = 7 * 24 * 3600;
/// Identifiers in one command, so that no command holds the server for long.
const CHUNK: usize = 1_000;
/// Commands in one pipeline.
const PIPELINE: usize = 16;

/// Settles tasks of a job that has live state; of one that has none it leaves nothing behind.
/// KEYS: process, results, total, failed. ARGV: seconds to live, how many of the ids failed, the ids, failed ones first.
const SETTLE: &str = r"
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local failed = tonumber(ARGV[2])
for i = 3, #ARGV do
  redis.call('SREM', KEYS[1], ARGV[i])
  redis.call('SREM', KEYS[2], ARGV[i])
  if i - 2 <= failed then redis.call('SADD', KEYS[4], ARGV[i]) else redis.call('SREM', KEYS[4], ARGV[i]) end
end
if failed > 0 then redis.call('EXPIRE', KEYS[4], ARGV[1]) end
return 1
";

/// The progress. One connection per process, which returns by itself.
pub struct RedisProgress {
    client: Client,
    current: Mutex<Current>,
    link: Arc<Link>,
    breaker: Arc<Breaker>,
}

/// The connection in use.
struct Current {
    /// Counts them, so that many calls that fail on one replace it once.
    number: u64,
    connection: ConnectionManager,
}

impl RedisProgress {
    /// Connects to `redis://…` or `rediss://…`. If no server is there, the progress is `Unavailable` until there is one.
    ///
    /// # Errors
    /// `Invalid` if the URL is malformed.
    pub async fn connect(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        // The text is not quoted: it may hold a password.
        let malformed =
            |e: RedisError| Error::field("redis_url", "the URL of Redis is malformed").with_source(e);
        let info = url.into_connection_info().map_err(malformed)?;
        // RESP3 carries hints and answers on one connection, and a lost one is noticed without a call.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings);
        let breaker = Arc::new(Breaker::new(format!("Redis at {}", info.addr()), clock));
        let client = Client::open(info).map_err(malformed)?;
        let link = Arc::new(Link::new(Arc::clone(&breaker)));
        let current = Mutex::new(Current {
            number: 0,
            connection: connection(&client, &link).map_err(malformed)?,
        });
        let progress = Self {
            client,
            current,
            link,
            breaker,
        };
        progress.greet().await;
        Ok(progress)
    }

    /// Waits for the first connection, so that a node that starts beside a healthy server does not find it away.
    async fn greet(&self) {
        // The manager tries for ever and says nothing of the cause; one attempt of our own does.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE));
        let attempt = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let ready = match attempt {
            Ok(_) => self.breaker.within(DEADLINE, self.subscribed()).await,
            Err(e) => Err(self.away(e)),
        };
        if let Err(error) = ready {
            tracing::warn!(
                error = chain(&error),
                "started without Redis; there are no live counts and no hints until it is there"
            );
        }
    }

    fn away(&self, e: RedisError) -> Error {
        Error::unavailable(format!("{} failed", self.breaker.server())).with_source(e)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a call. One that is not answered leaves the connection in doubt: it may be silent for ever, as nothing
    /// closes it. So the next call has a fresh one.
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.current().number;
        let mut tried = false;
        let answer = self
            .breaker
            .run(async {
                tried = true;
                call.await
            })
            .await;
        if tried && answer.as_ref().is_err_and(|e| e.kind.retry()) {
            self.replace(number);
        }
        answer
    }

    fn replace(&self, number: u64) {
        let mut current = self.current();
        if current.number != number {
            return;
        }
        match connection(&self.client, &self.link) {
            Ok(fresh) => {
                current.number += 1;
                current.connection = fresh;
                self.link.lost();
            }
            // It has been made with these settings before.
            Err(e) => tracing::debug!(error = chain(&e), "the connection stays"),
        }
    }

    /// Subscribes if we are not subscribed; on a connection that returns, the manager does it before us.
    async fn subscribed(&self) -> Result<ConnectionManager> {
        let mut connection = self.current().connection.clone();
        if !self.link.is_subscribed() {
            connection.subscribe(CHANNEL).await.map_err(|e| self.away(e))?;
        }
        Ok(connection)
    }

    async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.call(async {
            let mut connection = self.subscribed().await?;
            command
                .query_async(&mut connection)
                .await
                .map_err(|e| self.away(e))
        })
        .await
    }

    async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        self.call(async {
            let mut connection = self.subscribed().await?;
            pipeline
                .query_async(&mut connection)
                .await
                .map_err(|e| self.away(e))
        })
        .await
    }
}

/// A connection that connects when it is first used, and again when it was closed.
fn connection(client: &Client, link: &Arc<Link>) -> Result<ConnectionManager, RedisError> {
    let pushed = Arc::clone(link);
    let config = ConnectionManagerConfig::new()
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_millis(500))
        .set_number_of_retries(usize::MAX)
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE))
        .set_push_sender(move |push| pushed.heard(&push))
        .set_automatic_resubscription();
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// Failed ones first, so that the script needs one number to tell them apart.
fn settle_command(keys: &Keys, tasks: &[(CaptureId, bool)]) -> Cmd {
    let failed = tasks.iter().filter(|(_, failed)| *failed);
    let processed = tasks.iter().filter(|(_, failed)| !*failed);
    let mut command = cmd("EVAL");
    command
        .arg(SETTLE)
        .arg(4)
        .arg(&keys.process)
        .arg(&keys.results)
        .arg(&keys.total)
        .arg(&keys.failed);
    command.arg(TTL_S).arg(failed.clone().count());
    for (capture, _) in failed.chain(processed) {
        command.arg(capture.0);
    }
    command
}

#[async_trait]
impl Progress for RedisProgress {
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()> {
        let keys = Keys::of(job);
        for part in pending.chunks(CHUNK * PIPELINE) {
            let mut pipeline = pipe();
            for chunk in part.chunks(CHUNK) {
                let ids: Vec<i64> = chunk.iter().map(|c| c.0).collect();
                pipeline.sadd(&keys.process, &ids).ignore();
                pipeline.sadd(&keys.results, &ids).ignore();
            }
            self.pipeline::<()>(&pipeline).await?;
        }
        // Last, because it is what says that there is live state.
        let mut pipeline = pipe();
        for set in [&keys.process, &keys.results] {
            pipeline.cmd("EXPIRE").arg(set).arg(TTL_S).ignore();
        }
        pipeline.set_ex(&keys.total, total, TTL_S).ignore();
        self.pipeline(&pipeline).await
    }

    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()> {
        let keys = Keys::of(job);
        for part in tasks.chunks(CHUNK * PIPELINE) {
            let mut pipeline = pipe();
            for chunk in part.chunks(CHUNK) {
                pipeline.add_command(settle_command(&keys, chunk)).ignore();
            }
            self.pipeline::<()>(&pipeline).await?;
        }
        Ok(())
    }

    async fn read(&self, job: JobId) -> Result<Option<LiveCounts>> {
        let keys = Keys::of(job);
        let mut pipeline = pipe();
        pipeline.get(&keys.total).scard(&keys.results).scard(&keys.failed);
        let (total, pending, failed): (Option<u64>, u64, u64) = self.pipeline(&pipeline).await?;
        Ok(total.map(|total| LiveCounts {
            total,
            pending,
            failed,
        }))
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        let keys = Keys::of(job);
        let mut command = cmd("UNLINK");
        command
            .arg(&keys.process)
            .arg(&keys.results)
            .arg(&keys.total)
            .arg(&keys.failed);
        self.command::<i64>(&command).await.map(drop)
    }

    async fn hint(&self, hint: Hint) -> Result<()> {
        let mut command = cmd("PUBLISH");
        command.arg(CHANNEL).arg(link::encode(hint)?);
        // How many listened is not our concern.
        self.command::<i64>(&command).await.map(drop)
    }

    /// Listening succeeds while Redis is away: the stream says `Everything` when it is back.
    async fn hints(&self) -> Result<HintStream> {
        Ok(listen(self.link.listener()))
    }

    async fn ping(&self) -> Result<()> {
        self.command::<String>(&cmd("PING")).await.map(drop)
    }
}
