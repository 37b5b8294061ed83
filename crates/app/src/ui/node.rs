//! How this node is now, as a page shows it.

use trapline_core::{
    Timestamp,
    error::chain,
    words::{about, count},
};
use trapline_engine::Answer;

use super::{
    session::Visitor,
    words::{State as Word, Time},
};
use crate::http::AppState;

/// Something that this node depends on.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) state: Word,
    /// How fast it answers, or since when it does not.
    pub(super) detail: String,
    /// What follows while it is away.
    pub(super) meanwhile: &'static str,
}

impl Part {
    fn new(name: &'static str, answer: &Answer, meanwhile: &'static str, now: Timestamp) -> Self {
        let (word, tone, icon) = match answer.is {
            Ok(()) => ("answers", "ok", "●"),
            Err(_) => ("away", "fail", "▲"),
        };
        if let Err(error) = &answer.is {
            tracing::debug!(
                dependency = name,
                error = chain(error),
                "a dependency does not answer"
            );
        }
        let took = match u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX) {
            0 => "in less than 1 ms".to_owned(),
            n => format!("in {} ms", count(n)),
        };
        let since = |at| format!("since {}", Time::new(at, now).short);
        Self {
            name,
            state: Word {
                word: word.to_owned(),
                tone,
                icon,
            },
            detail: match (&answer.is, answer.away_since) {
                (Ok(()), _) => took,
                (Err(_), Some(at)) => since(at),
                (Err(_), None) => String::new(),
            },
            meanwhile: if answer.is.is_ok() { "" } else { meanwhile },
        }
    }
}

/// How this node is now.
pub(super) struct Now {
    pub(super) sentence: String,
    pub(super) is_well: bool,
    pub(super) parts: Vec<Part>,
    /// When it last swept, and when any node last ticked.
    pub(super) swept: Option<Time>,
    pub(super) ticked: Option<Time>,
    /// What of the whole cluster is shown: its size, and the room that is left.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Now {
    pub(super) async fn read(app: &AppState, visitor: &Visitor) -> Self {
        let of = app.engine.node_health().await;
        let (wall, now) = (app.engine.wall_now(), app.engine.now());
        let away = "Nothing is handed out or saved until it is back; workers wait.";
        let mut parts = vec![Part::new("Store", &of.store, away, wall)];
        if !app.is_kept {
            let queue = "Tasks are handed out from the store, which is slower.";
            parts.push(Part::new("Queue", &of.queue, queue, wall));
            let progress = "Pages are told of changes later.";
            parts.push(Part::new("Progress", &of.progress, progress, wall));
        }
        let silent: Vec<_> = parts
            .iter()
            .filter(|p| !p.meanwhile.is_empty())
            .map(|p| p.name)
            .collect();
        let late = app.engine.policy().health.health_interval * 2;
        let age = of.tick.as_ref().map(|tick| now.since(tick.finished_at));
        let is_late = !app.is_kept && age.is_some_and(|age| age > late);
        let sentence = match (silent.as_slice(), is_late) {
            ([], false) => "Everything works.".to_owned(),
            ([], true) => format!(
                "The last health check was {} ago.",
                about(age.unwrap_or_default())
            ),
            (silent, _) => format!("{} does not answer.", silent.join(" and ")),
        };
        let mut facts = Vec::new();
        if visitor.principal.project.is_none()
            && let Ok(room) = app.engine.store().room().await
        {
            facts.push(("Database", bytes(room.bytes)));
            facts.extend(room.free.map(|free| ("Disk free", bytes(free))));
            facts.extend(app.thumbs.bytes().map(|n| ("Thumbnails", bytes(n))));
        }
        Self {
            is_well: silent.is_empty() && !is_late,
            sentence,
            parts,
            swept: of.swept_at.map(|at| Time::new(app.engine.shown(at), wall)),
            ticked: of
                .tick
                .map(|tick| Time::new(app.engine.shown(tick.finished_at), wall)),
            facts,
        }
    }
}

/// So many bytes, in a unit that fits.
fn bytes(n: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let (mut tenths, mut unit) = (n / 100, 0);
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", count(tenths / 10), tenths % 10, units[unit])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let said = [0, 4_096, 999_949, 1_000_000, 1_234_567_890, 5_000_000_000_000_000].map(bytes);
        assert_eq!(
            said,
            ["0.0 kB", "4.0 kB", "999.9 kB", "1.0 MB", "1.2 GB", "5,000.0 TB"]
        );
    }
}
