//! A job that somebody asks for.

use trapline_core::{
    ProjectId, Result,
    catalog::ProjectSettings,
    ports::{CreateKey, NewJob},
};
use trapline_engine::{Crew, Images, Plan, Preflight};

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
    /// Reads the body of a job that is to be made.
    ///
    /// # Errors
    /// 400 with all that is wrong in it.
    pub(crate) async fn read(app: &AppState, principal: &Principal, fields: &mut Fields) -> ApiResult<Self> {
        Self::read_and(app, principal, fields, Parts::refuse_rejected).await
    }

    /// Reads the body; its inline captures may be wrong.
    ///
    /// # Errors
    /// 400 with all else that is wrong in it.
    pub(crate) async fn read_roughly(
        app: &AppState,
        principal: &Principal,
        fields: &mut Fields,
    ) -> ApiResult<Self> {
        Self::read_and(app, principal, fields, |_, _| {}).await
    }

    async fn read_and(
        app: &AppState,
        principal: &Principal,
        fields: &mut Fields,
        judge: fn(&Parts, &mut Fields),
    ) -> ApiResult<Self> {
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
        judge(&parts, fields);
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

    /// What it would do.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn preflight(&self, app: &AppState, crew: &Crew) -> Result<Preflight> {
        let parts = &self.parts;
        let images = match (&parts.captures, parts.collection, parts.capture) {
            (Some(captures), ..) => Some(Images::Listed(captures)),
            (None, Some(set), _) => Some(Images::Set(set)),
            (None, None, capture) => capture.map(Images::One),
        };
        let plan = Plan {
            project: self.project,
            pipeline: parts.pipeline.as_ref().map(|(id, slug)| (*id, slug.as_str())),
            images,
            limit: parts.limit,
            reprocess: self.reprocess(),
            priority: self.priority(),
        };
        app.engine.preflight(&plan, crew).await
    }

    fn reprocess(&self) -> bool {
        let as_project = self.settings.reprocess_all_images;
        self.parts.reprocess.unwrap_or(as_project)
    }

    fn priority(&self) -> i64 {
        let usual = match self.parts.capture {
            Some(_) => PRIORITY_SINGLE,
            None => 0,
        };
        self.parts.priority.unwrap_or(usual)
    }

    /// The job, whose inline captures are stored.
    ///
    /// # Errors
    /// 400 if it can't start.
    pub(crate) async fn job(self, app: &AppState, start: bool, key: Option<CreateKey>) -> ApiResult<NewJob> {
        let (priority, reprocess) = (self.priority(), self.reprocess());
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
        Ok(NewJob {
            project: self.project,
            name: self.name,
            delay_seconds: self.delay,
            priority,
            failure_threshold: parts.failure_threshold.unwrap_or(self.settings.failure_threshold),
            pipeline: parts.pipeline.as_ref().map(|(id, _)| *id),
            collection,
            capture: parts.capture,
            limit: parts.limit,
            shuffle: parts.shuffle.unwrap_or(true),
            reprocess,
            job_type: self.job_type,
            start,
            key,
        })
    }
}
