//! Of which projects thumbnails are kept.

use std::collections::BTreeSet;

use trapline_core::{JobId, ProjectId, Result, ports::RecentQuery};

use crate::Engine;

impl Engine {
    /// Whether thumbnails of a project are kept and shown; those of one that is gone are not.
    ///
    /// # Errors
    /// As the store's.
    pub async fn keeps_thumbnails(&self, project: ProjectId) -> Result<bool> {
        let found = self.inner.ports.store.project(project).await?;
        Ok(found.is_some_and(|project| project.settings.thumbnails))
    }

    /// Those of these jobs whose thumbnails are kept.
    ///
    /// # Errors
    /// As the store's.
    pub async fn jobs_with_thumbnails(&self, jobs: BTreeSet<JobId>) -> Result<BTreeSet<JobId>> {
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let query = RecentQuery::of(jobs.into_iter().collect());
        let jobs = self.inner.ports.store.recent_jobs(&query).await?.rows;
        let projects: BTreeSet<ProjectId> = jobs.iter().map(|job| job.project).collect();
        let mut keep = BTreeSet::new();
        for project in projects {
            if self.keeps_thumbnails(project).await? {
                keep.insert(project);
            }
        }
        let kept = jobs.iter().filter(|job| keep.contains(&job.project));
        Ok(kept.map(|job| job.id).collect())
    }
}
