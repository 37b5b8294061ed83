//! What a pattern reads from names of a project, before it is saved.

use trapline_core::{CaptureId, ProjectId, Result, TakenAt, TimePattern, catalog::CaptureScope};

use super::super::words::visible;
use crate::{
    capture_lines::file_name::{name_of_url, taken_at_of_url},
    http::AppState,
};

/// Names that are shown.
const NAMES_MAX: u64 = 5;

/// Names of a project's files, and what is read from them.
pub(super) struct Sample {
    /// Names as they are shown, with the times, and whether those are by the pattern.
    pub(super) rows: Vec<(String, Option<String>, bool)>,
}

impl Sample {
    /// Of its newest set, else of its first images.
    pub(super) async fn read(app: &AppState, project: ProjectId, pattern: &str) -> Result<Self> {
        let pattern = TimePattern::parse(pattern).ok();
        let newest = app.catalog.recent_sets(Some(project), None, 1, 0).await?.pop();
        let scope = newest.map_or(CaptureScope::Project(project), |set| {
            CaptureScope::Collection(set.id)
        });
        let captures = app.catalog.captures(scope, CaptureId(0), NAMES_MAX).await?;
        let row = |url: &str| {
            let name = name_of_url(url).filter(|name| !name.is_empty())?;
            let read = |pattern: Option<&TimePattern>| taken_at_of_url(url, pattern);
            let (by_pattern, usual): (Option<TakenAt>, _) = (read(pattern.as_ref()), read(None));
            let is_own = pattern.is_some() && by_pattern != usual;
            Some((visible(&name), by_pattern.map(|at| at.to_string()), is_own))
        };
        Ok(Self {
            rows: captures.iter().filter_map(|capture| row(&capture.url)).collect(),
        })
    }
}
