//! Projects and tokens.

use trapline_core::{
    ProjectId, Timestamp, TokenId,
    catalog::{NewToken, Project, ProjectEdit, ProjectSettings, Token},
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

    pub(in super::super) fn project(&self, id: ProjectId) -> Option<&Project> {
        self.projects.get(at(id.0))
    }

    pub(in super::super) fn edit_project(
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

    pub(super) fn add_token(&mut self, new: &NewToken, now: Timestamp) -> Token {
        self.last_token += 1;
        let token = Token {
            id: TokenId(self.last_token),
            name: new.name.clone(),
            role: new.role,
            project_id: new.project_id,
            prefix: new.prefix.clone(),
            created_at: now,
            expires_at: new.expires_at,
            used_at: None,
        };
        self.tokens.push((token.clone(), new.hash));
        token
    }

    pub(super) fn note_uses(&mut self, uses: &[(TokenId, Timestamp)]) {
        for (id, at) in uses {
            let of_it = self.tokens.iter_mut().filter(|(token, _)| token.id == *id);
            for (token, _) in of_it {
                token.used_at = token.used_at.max(Some(*at));
            }
        }
    }
}
