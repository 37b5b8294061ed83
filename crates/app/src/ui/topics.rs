//! What a stream tells beside numbers of jobs: that the workers, or the health of Trapline, are not as a page shows them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use axum::response::sse::Event;
use trapline_core::{Result, error::chain, roster::Presence};

use super::session::Visitor;
use crate::http::{ApiError, AppState, Params};

#[derive(Clone, Copy)]
enum Topic {
    Workers,
    Health,
}

impl Topic {
    const ALL: [Self; 2] = [Self::Workers, Self::Health];

    /// Its word in URLs, and the name of its events.
    fn word(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Health => "health",
        }
    }

    /// How often it is looked at.
    fn every(self) -> Duration {
        match self {
            Self::Workers => Duration::from_secs(5),
            Self::Health => Duration::from_secs(10),
        }
    }

    /// What is told of it, and what is another if there is something to tell.
    async fn look(self, app: &AppState, visitor: &Visitor) -> Result<(String, u64)> {
        let mut hasher = DefaultHasher::new();
        let text = match self {
            Self::Workers => {
                let roster = app.engine.roster().await?;
                let (mut live, mut quiet) = (0, 0);
                for m in roster.members.iter().filter(|m| visitor.principal.sees_worker(m)) {
                    live += u64::from(m.presence == Presence::Live);
                    quiet += u64::from(m.presence == Presence::Quiet);
                    let numbers = (m.holds(), m.day.processed, m.day.failed, m.day.lost);
                    (m.row.id, m.presence.as_str(), m.row.draining, numbers).hash(&mut hasher);
                }
                format!("{{\"live\":{live},\"quiet\":{quiet}}}")
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

/// A topic that a page asks for.
struct Asked {
    topic: Topic,
    looked: Option<Duration>,
    told: Option<u64>,
}

/// The topics that a page asks for.
pub(super) struct Topics(Vec<Asked>);

impl Topics {
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        let words = params.list("topics");
        let is_known = |word: &&&str| Topic::ALL.iter().any(|topic| topic.word() == **word);
        if let Some(word) = words.iter().find(|word| !is_known(word)) {
            return Err(ApiError::invalid(format!("`{word}` is not a topic")));
        }
        let asked = Topic::ALL
            .into_iter()
            .filter(|topic| words.contains(&topic.word()));
        Ok(Self(
            asked
                .map(|topic| Asked {
                    topic,
                    looked: None,
                    told: None,
                })
                .collect(),
        ))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That one of them is not as it was told. What can't be read now is told later.
    pub(super) async fn news(&mut self, app: &AppState, visitor: &Visitor) -> Option<Event> {
        let now = app.clock.monotonic();
        for asked in &mut self.0 {
            let every = asked.topic.every();
            if asked.looked.is_some_and(|at| now.saturating_sub(at) < every) {
                continue;
            }
            asked.looked = Some(now);
            match asked.topic.look(app, visitor).await {
                Ok((text, is)) if asked.told.replace(is) != Some(is) => {
                    return Some(Event::default().event(asked.topic.word()).data(text));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error = chain(&error), "a topic of pages can't be read now"),
            }
        }
        None
    }
}
