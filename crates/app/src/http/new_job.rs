//! A job that somebody asks for.

use trapline_core::{
    ProjectId,
    catalog::ProjectSettings,
    ports::{CreateKey, NewJob},
};

use super::{
    ApiError, AppState, Fields, NAME_MAX, Principal,
    error::ApiResult,
    job_fields::{Parts, check_delay, parts},
};

/// The priority of a job on a single capture: somebody looks on.
const PRIORITY_SINGLE: i64 = 100;

/// What the body of a request says of a new job.
pub(crate) struct Asked {
    pub(crate) project: ProjectId,
    settings: ProjectSettings,
    name: String,
    delay: u64,
    job_type: String,
    pub(crate) parts: Parts,
}

impl Asked {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 with all that is wrong in it.
    pub(crate) async fn read(app: &AppState, principal: &Principal, fields: &mut Fields) -> ApiResult<Self> {
        let name = fields.text("name", NAME_MAX);
        let delay = u64::try_from(fields.int("delay", 0)).unwrap_or(0);
        check_delay(fields, delay);
        let project = fields.int("project_id", i64::MIN);
        let job_type = fields
            .maybe_text("job_type_key", NAME_MAX)
            .unwrap_or_else(|| "ml".to_owned());
        if job_type != "ml" {
            fields.error("job_type_key", "Only `ml` jobs run here.");
        }
        let home = app.known_project(principal, project).await;
        let parts = parts(app, principal, home.as_ref().ok().copied(), fields).await?;
        if parts.sources() > 1 {
            fields.error(
                "non_field_errors",
                "Give one of a capture set, a single capture and inline captures.",
            );
        }
        fields.check()?;
        let project = home?;
        let found = app.catalog.project(project).await?;
        Ok(Self {
            project,
            settings: found.ok_or_else(ApiError::not_found)?.settings,
            name,
            delay,
            job_type,
            parts,
        })
    }

    /// The job, whose inline captures are stored.
    ///
    /// # Errors
    /// 400 if it can't start.
    pub(crate) async fn job(self, app: &AppState, start: bool, key: Option<CreateKey>) -> ApiResult<NewJob> {
        let parts = self.parts;
        if start && parts.pipeline.is_none() {
            return Err(ApiError::field(
                "pipeline_id",
                "The job needs a pipeline to start: give `pipeline_slug` or `pipeline_id`.",
            ));
        }
        let collection = match parts.captures {
            Some(captures) => Some(app.engine.inline_captures(self.project, &captures).await?),
            None => parts.collection,
        };
        let priority = if parts.capture.is_some() {
            PRIORITY_SINGLE
        } else {
            0
        };
        Ok(NewJob {
            project: self.project,
            name: self.name,
            delay_seconds: self.delay,
            priority: parts.priority.unwrap_or(priority),
            failure_threshold: parts
                .failure_threshold
                .unwrap_or(self.settings.failure_threshold),
            pipeline: parts.pipeline.as_ref().map(|(id, _)| *id),
            collection,
            capture: parts.capture,
            limit: parts.limit,
            shuffle: parts.shuffle.unwrap_or(true),
            reprocess: parts.reprocess.unwrap_or(self.settings.reprocess_all_images),
            job_type: self.job_type,
            start,
            key,
        })
    }
}
