//! What a stream tells beside numbers of jobs: that the jobs that run, the workers, one of them, or the health of Trapline, are not as
//! a page shows them.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use axum::response::sse::Event;
use trapline_core::{
    ProjectId, Result, WorkerId,
    error::chain,
    roster::{Member, Presence},
};

use super::jobs::per_minute;
use crate::http::{ApiError, AppState, Params, Principal};

/// Topics of one page.
const TOPICS_MAX: usize = 8;
/// Workers of whom it is told when they were seen.
const SEEN_MAX: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// Which jobs run, of all projects that are seen or of one.
    Now(Option<ProjectId>),
    Workers,
    Worker(WorkerId),
    Health,
}

impl Topic {
    /// By its word in URLs.
    fn parse(word: &str) -> Option<Self> {
        match word {
            "now" => Some(Self::Now(None)),
            "workers" => Some(Self::Workers),
            "health" => Some(Self::Health),
            _ => match word.split_once(':')? {
                ("now", id) => Some(Self::Now(Some(ProjectId(id.parse().ok()?)))),
                ("worker", id) => Some(Self::Worker(WorkerId(id.parse().ok()?))),
                _ => None,
            },
        }
    }

    /// The name of its events.
    fn word(self) -> &'static str {
        match self {
            Self::Now(_) => "now",
            Self::Workers => "workers",
            Self::Worker(_) => "worker",
            Self::Health => "health",
        }
    }

    /// How often it is looked at.
    fn every(self) -> Duration {
        match self {
            Self::Now(_) | Self::Workers | Self::Worker(_) => Duration::from_secs(5),
            Self::Health => Duration::from_secs(10),
        }
    }

    /// What is told of it, and what is another if there is something to tell.
    async fn look(self, app: &AppState, principal: &Principal) -> Result<(String, u64)> {
        let mut hasher = DefaultHasher::new();
        let text = match self {
            Self::Now(project) => {
                let running = app.live.running(app, principal.project.or(project)).await?;
                running.hash(&mut hasher);
                let jobs: Vec<(i64, &str)> = running.iter().map(|(id, key)| (id.0, &**key)).collect();
                serde_json::json!({ "jobs": jobs }).to_string()
            }
            Self::Workers => {
                let roster = app.engine.roster().await?;
                let (mut live, mut quiet) = (0, 0);
                for m in roster.members.iter().filter(|m| principal.sees_worker(m)) {
                    live += u64::from(m.presence == Presence::Live);
                    quiet += u64::from(m.presence == Presence::Quiet);
                    is(m, &mut hasher);
                }
                format!("{{\"live\":{live},\"quiet\":{quiet}}}")
            }
            Self::Worker(id) => {
                let member = app.engine.member(id).await?;
                if let Some(m) = member.filter(|m| principal.sees_worker(m)) {
                    is(&m, &mut hasher);
                }
                "{}".to_owned()
            }
            Self::Health => {
                let tick = app.engine.last_tick().await?;
                let ready = app.engine.check_store().is_ok();
                (ready, tick.as_ref().map(|t| t.finished_at)).hash(&mut hasher);
                let age = tick.map(|t| app.engine.now().since(t.finished_at).as_secs());
                let age = age.map_or_else(|| "null".to_owned(), |age| age.to_string());
                format!("{{\"ready\":{ready},\"tick_age\":{age}}}")
            }
        };
        Ok((text, hasher.finish()))
    }
}

/// How a worker is, but for when it was seen last, which changes all the time.
fn is(m: &Member, hasher: &mut DefaultHasher) {
    // As it is shown: what no page would show otherwise is not told of.
    let rate = per_minute(m.per_minute);
    let numbers = (m.holds(), m.day.processed, m.day.failed, m.day.lost, rate);
    (m.row.id, m.presence.as_str(), m.row.draining, numbers).hash(hasher);
}

/// A topic that a page asks for.
struct Asked {
    topic: Topic,
    looked: Option<Duration>,
    told: Option<u64>,
}

/// The topics that a page asks for.
#[derive(Default)]
pub(super) struct Topics {
    asked: Vec<Asked>,
    /// When workers were seen last, in seconds since 1970, as it was told.
    seen: BTreeMap<WorkerId, i64>,
    seen_at: Option<Duration>,
}

impl Topics {
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        let (mut asked, words) = (Vec::new(), params.list("topics"));
        if words.len() > TOPICS_MAX {
            return Err(ApiError::invalid(format!("`topics` names at most {TOPICS_MAX}")));
        }
        for word in words {
            // Those of a job are the stream's own.
            if word.starts_with("job:") || word.starts_with("log:") {
                continue;
            }
            let topic =
                Topic::parse(word).ok_or_else(|| ApiError::invalid(format!("`{word}` is not a topic")))?;
            asked.push(Asked {
                topic,
                looked: None,
                told: None,
            });
        }
        Ok(Self {
            asked,
            ..Self::default()
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Refuses what the caller would not get elsewhere either.
    ///
    /// # Errors
    /// 403 of the health of the cluster for whoever is bound to a project, 404 of a worker that is not there, 400 of a project.
    pub(super) async fn allow(&self, app: &AppState, principal: &Principal) -> Result<(), ApiError> {
        for asked in &self.asked {
            match asked.topic {
                Topic::Workers | Topic::Now(None) => {}
                Topic::Now(Some(id)) => drop(app.known_project(principal, id.0).await?),
                Topic::Worker(id) => drop(app.visible_worker(principal, id.0).await?),
                Topic::Health => principal.require_unbound()?,
            }
        }
        Ok(())
    }

    /// That one of them is not as it was told. What can't be read now is told later.
    pub(super) async fn news(&mut self, app: &AppState, principal: &Principal) -> Option<Event> {
        let now = app.clock.monotonic();
        for asked in &mut self.asked {
            let every = asked.topic.every();
            if asked.looked.is_some_and(|at| now.saturating_sub(at) < every) {
                continue;
            }
            asked.looked = Some(now);
            match asked.topic.look(app, principal).await {
                Ok((text, is)) if asked.told.replace(is) != Some(is) => {
                    return Some(Event::default().event(asked.topic.word()).data(text));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error = chain(&error), "a topic of pages can't be read now"),
            }
        }
        self.seen(app, principal).await
    }

    /// That workers were seen again: numbers and times, of which an open page tells the ages.
    async fn seen(&mut self, app: &AppState, principal: &Principal) -> Option<Event> {
        let topic = self
            .asked
            .iter()
            .map(|asked| asked.topic)
            .find(|topic| matches!(topic, Topic::Workers | Topic::Worker(_)))?;
        let now = app.clock.monotonic();
        if self
            .seen_at
            .is_some_and(|at| now.saturating_sub(at) < topic.every())
        {
            return None;
        }
        self.seen_at = Some(now);
        let roster = app.engine.roster().await.ok()?;
        let is_asked = |m: &&Member| {
            let is_it = topic == Topic::Workers || topic == Topic::Worker(m.row.id);
            is_it && principal.sees_worker(m)
        };
        let mut told = Vec::new();
        for m in roster.members.iter().filter(is_asked).take(SEEN_MAX) {
            let at = app.engine.shown(m.row.last_seen).0 / 1_000_000;
            if self.seen.insert(m.row.id, at) != Some(at) {
                told.push(format!("[{},{at}]", m.row.id));
            }
        }
        (!told.is_empty()).then(|| {
            Event::default()
                .event("seen")
                .data(format!("[{}]", told.join(",")))
        })
    }
}
