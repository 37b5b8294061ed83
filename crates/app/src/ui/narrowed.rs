//! Lists that are narrowed to a project.

use trapline_core::{ProjectId, ports::OffsetPage};

use super::{session::Visitor, words::visible};
use crate::http::{ApiError, AppState, Params};

/// Projects that a filter offers.
const PROJECTS_MAX: u64 = 200;

/// To which project a list is narrowed.
pub(super) struct Narrowed {
    /// As its address says.
    pub(super) chosen: Option<ProjectId>,
    /// The same, else the one that the token is bound to.
    pub(super) of: Option<ProjectId>,
    /// Those that the filter offers, how they are shown, and which of them is chosen.
    pub(super) offered: Vec<(ProjectId, String, bool)>,
}

impl Narrowed {
    /// # Errors
    /// 400 if the address names none that is there for the visitor; or as the store's.
    pub(super) async fn read(app: &AppState, visitor: &Visitor, params: &Params) -> Result<Self, ApiError> {
        let chosen = match params.text("project").filter(|text| !text.is_empty()) {
            None => None,
            Some(_) => match params.int("project")? {
                None => None,
                Some(id) => Some(app.known_project(&visitor.principal, id).await?),
            },
        };
        let page = OffsetPage {
            limit: PROJECTS_MAX,
            offset: 0,
        };
        let known = app.catalog.projects(visitor.principal.project, page).await?.rows;
        Ok(Self {
            chosen,
            of: chosen.or(visitor.principal.project),
            offered: known
                .into_iter()
                .map(|p| (p.id, visible(&p.name), chosen == Some(p.id)))
                .collect(),
        })
    }

    /// Whether there is a choice.
    pub(super) fn is_offered(&self) -> bool {
        self.offered.len() > 1
    }

    /// The name of a project, where a list is of several.
    pub(super) fn named(&self, id: ProjectId) -> String {
        let known = self.offered.iter().find(|(known, ..)| *known == id);
        let known = known.filter(|_| self.is_offered() && self.of.is_none());
        known.map_or_else(String::new, |(_, name, _)| name.clone())
    }

    /// What an address says of it.
    pub(super) fn query(&self) -> Option<(&'static str, String)> {
        self.chosen.map(|id| ("project", id.to_string()))
    }
}
