//! Lists that are narrowed to a project.

use trapline_core::ProjectId;

use super::{
    picker::{Picker, Projects},
    session::Visitor,
    words::visible,
};
use crate::http::{ApiError, AppState, Params};

/// To which project a list is narrowed.
pub(super) struct Narrowed {
    /// As its address says, else as was chosen in the bar.
    pub(super) chosen: Option<ProjectId>,
    /// The same, else the one that the token is bound to.
    pub(super) of: Option<ProjectId>,
    /// Whether its address says it.
    pub(super) is_asked: bool,
    /// Those that the filter offers, how they are shown, and which of them is chosen.
    pub(super) offered: Vec<(ProjectId, String, bool)>,
    projects: Projects,
}

impl Narrowed {
    /// # Errors
    /// 400 if the address names none that is there for the visitor; or as the store's.
    pub(super) async fn read(app: &AppState, visitor: &Visitor, params: &Params) -> Result<Self, ApiError> {
        let mut projects = match &visitor.projects {
            Some(projects) => projects.clone(),
            None => Projects::read(app, &visitor.principal, None).await?,
        };
        let asked = params.text("project");
        let chosen = match asked {
            None => projects.chosen,
            Some("") => None,
            Some(_) => match params.int("project")? {
                None => None,
                Some(id) => Some(app.known_project(&visitor.principal, id).await?),
            },
        };
        if let Some(id) = chosen.filter(|id| projects.name(*id).is_none()) {
            let found = app.catalog.project(id).await?;
            projects.known.extend(found.map(|p| (p.id, visible(&p.name))));
        }
        Ok(Self {
            chosen,
            of: chosen.or(visitor.principal.project),
            is_asked: asked.is_some_and(|text| !text.is_empty()),
            offered: projects
                .known
                .iter()
                .map(|(id, name)| (*id, name.clone(), chosen == Some(*id)))
                .collect(),
            projects,
        })
    }

    /// Whether there is a choice.
    pub(super) fn is_offered(&self) -> bool {
        self.projects.is_offered()
    }

    /// The name of a project, where a list is of several.
    pub(super) fn named(&self, id: ProjectId) -> String {
        let known = self.projects.name(id);
        let known = known.filter(|_| self.is_offered() && self.of.is_none());
        known.unwrap_or_default().to_owned()
    }

    /// The name of the project that was chosen, where there is a choice.
    pub(super) fn name(&self) -> Option<&str> {
        let chosen = self.chosen.filter(|_| self.is_offered());
        chosen.and_then(|id| self.projects.name(id))
    }

    /// What the bar shows above this list.
    pub(super) fn picker(&self) -> Option<Picker> {
        Picker::new(&self.projects, self.chosen)
    }

    /// What an address says of it. One of all projects says so, where another was chosen in the bar.
    pub(super) fn query(&self) -> Option<(&'static str, String)> {
        match (self.chosen, self.projects.chosen) {
            (Some(id), _) => Some(("project", id.to_string())),
            (None, Some(_)) => Some(("project", String::new())),
            (None, None) => None,
        }
    }
}
