//! The project that somebody has chosen in the bar: lists begin with it. A cookie keeps it, and shows nobody more than they may see.

use trapline_core::{ProjectId, Result, ports::OffsetPage};

use super::words::visible;
use crate::http::{AppState, Principal};

/// Projects that are offered.
const PROJECTS_MAX: u64 = 200;

/// The projects that a visitor may choose.
#[derive(Clone)]
pub(super) struct Projects {
    /// Those that are offered, and how they are shown.
    pub(super) known: Vec<(ProjectId, String)>,
    /// The one of the cookie, if there is a choice and it is among them.
    pub(super) chosen: Option<ProjectId>,
    /// Whether there are others.
    is_cut: bool,
    is_bound: bool,
}

impl Projects {
    /// A cookie that names a project that is gone or hidden is as none.
    pub(super) async fn read(app: &AppState, principal: &Principal, asked: Option<i64>) -> Result<Self> {
        let page = OffsetPage {
            limit: PROJECTS_MAX,
            offset: 0,
        };
        let found = app.catalog.projects(principal.project, page).await?;
        let known = found.rows.into_iter().map(|p| (p.id, visible(&p.name)));
        let mut projects = Self {
            known: known.collect(),
            chosen: None,
            is_cut: found.count > PROJECTS_MAX,
            is_bound: principal.project.is_some(),
        };
        let asked = asked.map(ProjectId).filter(|_| projects.is_offered());
        if let Some(id) = asked {
            let is_known = projects.name(id).is_some();
            if !is_known && projects.is_cut {
                let found = app.catalog.project(id).await?;
                projects.known.extend(found.map(|p| (p.id, visible(&p.name))));
            }
            projects.chosen = projects.name(id).map(|_| id);
        }
        Ok(projects)
    }

    /// Whether there is a choice.
    pub(super) fn is_offered(&self) -> bool {
        !self.is_bound && self.known.len() > 1
    }

    pub(super) fn name(&self, id: ProjectId) -> Option<&str> {
        let known = self.known.iter().find(|(known, _)| *known == id);
        known.map(|(_, name)| name.as_str())
    }
}

/// What the bar shows of them.
pub(super) struct Picker {
    /// The name of the project to which pages are narrowed; empty if they are of all.
    pub(super) name: String,
    /// Projects, and which of them is chosen; none if there is no choice.
    pub(super) offered: Vec<(ProjectId, String, bool)>,
    pub(super) is_cut: bool,
}

impl Picker {
    /// Nothing where all is of one project, unless others are hidden.
    pub(super) fn new(projects: &Projects, chosen: Option<ProjectId>) -> Option<Self> {
        let shown = match projects.is_bound {
            true => projects.known.first().map(|(id, _)| *id),
            false => chosen,
        };
        let offered = projects.known.iter().filter(|_| projects.is_offered());
        let picker = Self {
            name: shown
                .and_then(|id| projects.name(id))
                .unwrap_or_default()
                .to_owned(),
            offered: offered
                .map(|(id, name)| (*id, name.clone(), shown == Some(*id)))
                .collect(),
            is_cut: projects.is_cut,
        };
        (projects.is_bound || projects.is_offered()).then_some(picker)
    }
}
