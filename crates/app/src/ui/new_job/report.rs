//! What became of the lines of a draft's list.

use serde::{Deserialize, Serialize};
use trapline_core::words::{count, counted};
use trapline_wire as wire;

use super::form::NONE;
use crate::{http::upload::Times, ui::words::visible};

/// Rejected lines, and warnings, that a page shows.
const LINES_MAX: usize = 100;

/// The report that a draft keeps.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::ui) struct Report {
    pub(in crate::ui) told: wire::Upload,
    pub(in crate::ui) times: Times,
}

impl Report {
    /// Reads one; of a list that is still being read there is none.
    pub(in crate::ui) fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What is wrong with a list in which nothing was found.
    pub(super) fn or_problem(self) -> Result<Self, String> {
        let told = &self.told;
        if told.added + told.already_there + told.rejected_count > 0 {
            return Ok(self);
        }
        let why = told.detail.as_deref();
        Err(why.map_or_else(
            || NONE.to_owned(),
            |why| format!("The list can't be read: {why}."),
        ))
    }

    /// What was found, in a sentence.
    pub(in crate::ui) fn sentence(&self) -> String {
        let told = &self.told;
        let lines = told.added + told.already_there + told.rejected_count;
        let mut parts = vec![counted(told.added, "image")];
        if told.already_there > 0 {
            parts.push(format!("{} named before", count(told.already_there)));
        }
        if told.rejected_count > 0 {
            parts.push(format!("{} broken", count(told.rejected_count)));
        }
        format!("{}: {}.", counted(lines, "line"), parts.join(", "))
    }

    /// Which times are known.
    pub(in crate::ui) fn times(&self) -> String {
        let times = &self.times;
        let mut parts = Vec::new();
        if times.given > 0 {
            parts.push(format!("{} in the list", count(times.given)));
        }
        if times.named > 0 {
            let name = visible(&times.example);
            parts.push(format!("{} from names like {name}", count(times.named)));
        }
        if times.without > 0 {
            parts.push(format!("{} without", count(times.without)));
        }
        parts.join(", ")
    }

    pub(in crate::ui) fn broken_lines(&self) -> String {
        match self.told.rejected_count {
            1 => "1 line is no image".to_owned(),
            n => format!("{} lines are no images", count(n)),
        }
    }

    /// The first rejected lines.
    pub(in crate::ui) fn rejected(&self) -> Vec<(u64, String)> {
        first(&self.told.rejected)
    }

    /// The first warnings.
    pub(in crate::ui) fn warnings(&self) -> Vec<(u64, String)> {
        first(&self.told.warnings)
    }

    /// Rejected lines beyond the first; empty if there are none.
    pub(in crate::ui) fn more(&self) -> String {
        match self.told.rejected_count.saturating_sub(LINES_MAX as u64) {
            0 => String::new(),
            n => counted(n, "more line"),
        }
    }
}

fn first(notes: &[wire::LineNote]) -> Vec<(u64, String)> {
    let first = notes.iter().take(LINES_MAX);
    first.map(|note| (note.line, visible(&note.detail))).collect()
}
