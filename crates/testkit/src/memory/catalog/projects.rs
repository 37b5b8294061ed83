//! Projects.

use trapline_core::{
    ProjectId, Timestamp,
    catalog::{Project, ProjectEdit, ProjectSettings},
};

use super::{CatalogRows, at};

impl CatalogRows {
    pub(super) fn add_project(
        &mut self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
        now: Timestamp,
    ) -> Project {
        let project = Project {
            id: ProjectId(self.projects.len() as i64 + 1),
            name: name.to_owned(),
            description: description.to_owned(),
            settings: settings.clone(),
            created_at: now,
            updated_at: now,
        };
        self.projects.push(project.clone());
        project
    }

    pub(super) fn edit_project(
        &mut self,
        id: ProjectId,
        edit: &ProjectEdit,
        now: Timestamp,
    ) -> Option<Project> {
        let project = self.projects.get_mut(at(id.0))?;
        let kept = (project.name.clone(), project.description.clone());
        project.name = edit.name.clone().unwrap_or(kept.0);
        project.description = edit.description.clone().unwrap_or(kept.1);
        project.settings = edit.settings(&project.settings);
        project.updated_at = now;
        Some(project.clone())
    }
}
