//! One stream: what it tells, in which order, and when it ends.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::Event;
use futures::{Stream as Events, stream};
use tokio_util::sync::CancellationToken;
use trapline_core::{JobId, error::chain};

use super::{Listed, parts::Parts, watcher::Watcher};
use crate::{
    http::AppState,
    ui::{assets, shown::EVERY, topics::Topics},
};

/// How often a stream looks whether its session or token is still one.
const DOOR_EVERY: Duration = Duration::from_secs(10);
/// A stream that is this old ends, and its page opens another.
const STREAM_MAX: Duration = Duration::from_secs(1_800);
/// Whoever takes nothing for so long is told to read again all that is shown.
const LAG: Duration = Duration::from_secs(5);

/// One stream, and its place on the board until it ends.
pub(super) struct Stream {
    app: AppState,
    watcher: Watcher,
    jobs: Vec<JobId>,
    pub(super) list: Option<Listed>,
    pub(super) topics: Topics,
    pub(super) parts: Option<Parts>,
    /// The job whose log is followed, and its newest line when that was told of.
    pub(super) log: Option<(JobId, Option<i64>)>,
    /// How many new jobs were told of.
    news: usize,
    /// How many changes of each job were sent.
    sent: BTreeMap<JobId, u64>,
    began: Duration,
    checked: Duration,
    /// When the last event was handed on.
    handed: Option<Duration>,
    stop: CancellationToken,
    is_open: bool,
    /// Whether it has told that the store is away.
    is_away: bool,
    /// Whether it has said its last.
    is_over: bool,
    /// Whether it has a place on the board.
    has_place: bool,
    /// Whether it tells how all stands, and ends.
    is_once: bool,
}

/// Whether a stream goes on.
enum Goes {
    On,
    /// Nobody is signed in any more, or the token is revoked.
    Nowhere,
    /// At another node, or in another stream.
    Elsewhere,
}

impl Stream {
    pub(super) fn new(app: AppState, watcher: Watcher, jobs: Vec<JobId>) -> Self {
        let now = app.clock.monotonic();
        Self {
            stop: app.engine.waiting_ends(),
            app,
            watcher,
            jobs,
            list: None,
            topics: Topics::default(),
            parts: None,
            log: None,
            news: 0,
            sent: BTreeMap::new(),
            began: now,
            checked: now,
            handed: None,
            is_open: false,
            is_away: false,
            is_over: false,
            has_place: false,
            is_once: false,
        }
    }

    /// Takes a place on the board; `None` if there is none left.
    pub(super) fn enter(mut self) -> Option<Self> {
        self.has_place = self.app.live.enter(*self.watcher.key(), &self.jobs);
        self.has_place.then_some(self)
    }

    pub(super) fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    pub(super) fn events(self) -> impl Events<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut stream| async {
            let event = stream.next().await?;
            stream.handed = Some(stream.app.clock.monotonic());
            Some((Ok(event), stream))
        })
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        if !self.is_open {
            self.is_open = true;
            return Some(self.hello());
        }
        // It is asked for the next event once the last one is taken.
        let now = self.app.clock.monotonic();
        let mut lags = self.handed.take().is_some_and(|at| now.saturating_sub(at) >= LAG);
        loop {
            match self.goes().await {
                Goes::On => {}
                Goes::Nowhere => return None,
                Goes::Elsewhere => return Some(self.bye()),
            }
            if std::mem::take(&mut lags) {
                return Some(Event::default().event("resync").data("{}"));
            }
            match self.jobs().await {
                Ok(_) if self.is_away => {
                    // What was read just now is sent after it.
                    (self.is_away, self.sent) = (false, BTreeMap::new());
                    return Some(Event::default().event("resync").data("{}"));
                }
                Ok(None) => {}
                Ok(event) => return event,
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the numbers of pages can't be read now");
                    self.is_over = self.is_once;
                    if !std::mem::replace(&mut self.is_away, true) {
                        return Some(Event::default().event("away").data("{}"));
                    }
                }
            }
            if let Some(event) = self.news().await {
                return Some(event);
            }
            if let Some(event) = self.topics.news(&self.app, &self.watcher.principal).await {
                return Some(event);
            }
            let event = self.of_page().await;
            self.is_over = self.is_once;
            if event.is_some() || self.is_once {
                return event;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.app.clock.sleep(EVERY) => {}
            }
        }
    }

    /// Which Trapline this is, for pages of one before it, and what its clock shows, by which ages are told.
    fn hello(&self) -> Event {
        let (build, now) = (assets::build(), self.app.engine.wall_now().0 / 1_000);
        let hello = format!("{{\"v\":1,\"build\":\"{build}\",\"now\":{now}}}");
        let retry = Duration::from_millis(rand::random_range(1_500..4_000));
        Event::default().event("hello").retry(retry).data(hello)
    }

    /// The last event: when another stream may be opened.
    fn bye(&mut self) -> Event {
        self.is_over = true;
        let wait: u32 = rand::random_range(1_500..4_000);
        Event::default()
            .event("bye")
            .data(format!("{{\"retry_ms\":{wait}}}"))
    }

    /// Numbers that its page does not have.
    async fn jobs(&mut self) -> trapline_core::Result<Option<Event>> {
        let board = self.app.live.clone();
        let changed: Vec<(JobId, u64, Arc<str>)> = board
            .changed(&self.app, &self.watcher.principal, &self.jobs, &self.sent)
            .await?;
        if changed.is_empty() {
            return Ok(None);
        }
        let list: Vec<&str> = changed.iter().map(|(.., numbers)| &**numbers).collect();
        let event = Event::default()
            .event("jobs")
            .data(format!("[{}]", list.join(",")));
        if let Some(parts) = &mut self.parts
            && changed.iter().any(|(job, ..)| *job == parts.job)
        {
            parts.changed();
        }
        self.sent
            .extend(changed.iter().map(|(job, changes, _)| (*job, *changes)));
        Ok(Some(event))
    }

    /// That there are more new jobs than before.
    async fn news(&mut self) -> Option<Event> {
        let list = self.list?;
        let n = match self.app.live.news(&self.app, list).await {
            Ok(n) => n,
            Err(error) => {
                tracing::debug!(error = chain(&error), "new jobs can't be looked for now");
                return None;
            }
        };
        let is_more = n > self.news;
        self.news = n;
        is_more.then(|| Event::default().event("news").data(format!("{{\"n\":{n}}}")))
    }

    /// That parts of a job's page are to be read again, or that its log has new lines.
    async fn of_page(&mut self) -> Option<Event> {
        let mut job = None;
        let mut told = serde_json::Map::new();
        if let Some(parts) = &mut self.parts {
            let due = match self.is_once {
                true => parts.all(),
                false => parts.due(self.app.clock.monotonic()),
            };
            if !due.is_empty() {
                job = Some(parts.job);
                told.insert("parts".to_owned(), due.into());
            }
        }
        if let Some((of, known)) = self.log {
            match self.app.live.newest_line(&self.app, of).await {
                Ok(newest) if known != Some(newest) => {
                    self.log = Some((of, Some(newest)));
                    job = Some(of);
                    told.insert("log".to_owned(), newest.into());
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error = chain(&error), "a log can't be looked at now"),
            }
        }
        told.insert("id".to_owned(), job?.0.into());
        let told = serde_json::Value::Object(told).to_string();
        Some(Event::default().event("job").data(told))
    }

    /// Whether it may go on: the node stays, it is not too old, and somebody is still signed in.
    async fn goes(&mut self) -> Goes {
        let now = self.app.clock.monotonic();
        if self.stop.is_cancelled() || now.saturating_sub(self.began) >= STREAM_MAX {
            return Goes::Elsewhere;
        }
        if now.saturating_sub(self.checked) < DOOR_EVERY {
            return Goes::On;
        }
        self.checked = now;
        match self.watcher.is_there(&self.app).await {
            Ok(false) => Goes::Nowhere,
            // A store that is away signs nobody out.
            Ok(true) | Err(_) => Goes::On,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.has_place {
            self.app.live.leave(self.watcher.key(), &self.jobs);
        }
    }
}
