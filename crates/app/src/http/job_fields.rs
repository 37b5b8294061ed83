//! What the body of a request says of a job, for creating one and for changing one.

use trapline_core::{CaptureId, CollectionId, PipelineId, ProjectId, catalog::NewCapture};

use super::{AppState, Fields, NAME_MAX, Principal, error::ApiResult};
use crate::capture_lines::{self, Files};

const DELAY_MAX: u64 = 366 * 24 * 3_600;
const PRIORITY_MAX: i64 = 1_000_000;
/// Captures of one job (docs/rules.md B10).
const LIMIT_MAX: i64 = 1_000_000;

/// What a body says of a job, for creating and for changing one.
pub(crate) struct Parts {
    /// What the project means by it now, and its slug.
    pub(crate) pipeline: Option<(PipelineId, String)>,
    pub(crate) collection: Option<CollectionId>,
    pub(crate) capture: Option<CaptureId>,
    pub(crate) captures: Option<Vec<NewCapture>>,
    /// Inline captures that are none, and why.
    pub(crate) rejected: Vec<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) shuffle: Option<bool>,
    pub(crate) priority: Option<i64>,
    pub(crate) failure_threshold: Option<f64>,
    pub(crate) reprocess: Option<bool>,
}

impl Parts {
    /// Refuses inline captures that are none, which a new job does without only if it is not made.
    pub(super) fn refuse_rejected(&self, fields: &mut Fields) {
        for why in &self.rejected {
            fields.error("captures", why);
        }
    }

    /// How many sources of captures are named.
    pub(super) fn sources(&self) -> usize {
        usize::from(self.collection.is_some())
            + usize::from(self.capture.is_some())
            + usize::from(self.captures.is_some())
    }
}

/// Reads them for a job of `project`; without one that the caller sees, its pipelines are not looked at.
pub(super) async fn parts(
    app: &AppState,
    principal: &Principal,
    project: Option<ProjectId>,
    fields: &mut Fields,
) -> ApiResult<Parts> {
    let pipeline = match project {
        Some(project) => pipeline(app, project, fields).await?,
        None => None,
    };
    let collection = fields
        .maybe_int("source_image_collection_id", i64::MIN)
        .map(CollectionId);
    if let Some(id) = collection
        && !app
            .catalog
            .collection_up_to(id, 0)
            .await?
            .is_some_and(|c| principal.sees(c.project))
    {
        fields.error(
            "source_image_collection_id",
            format!("Invalid pk \"{id}\" - object does not exist."),
        );
    }
    let capture = fields
        .maybe_int("source_image_single_id", i64::MIN)
        .map(CaptureId);
    if let Some(id) = capture
        && !app
            .catalog
            .capture(id)
            .await?
            .is_some_and(|c| principal.sees(c.project))
    {
        fields.error(
            "source_image_single_id",
            format!("Invalid pk \"{id}\" - object does not exist."),
        );
    }
    if fields.maybe_int("deployment_id", i64::MIN).is_some() {
        fields.error("deployment_id", "There are no deployments here; leave it out.");
    }
    let limit = fields.maybe_int("limit", 1);
    at_most(fields, "limit", limit, LIMIT_MAX);
    let priority = fields.maybe_int("priority", -PRIORITY_MAX);
    at_most(fields, "priority", priority, PRIORITY_MAX);
    let (captures, rejected) = inline_captures(app, project, fields).await?;
    Ok(Parts {
        pipeline,
        collection,
        capture,
        captures,
        rejected,
        limit: limit.and_then(|l| u64::try_from(l).ok()),
        shuffle: fields.maybe_bool("shuffle"),
        priority,
        failure_threshold: fields.maybe_number("failure_threshold", 0.0, 1.0),
        reprocess: fields.maybe_bool("reprocess"),
    })
}

fn at_most(fields: &mut Fields, name: &str, given: Option<i64>, max: i64) {
    if given.is_some_and(|given| given > max) {
        fields.error(name, format!("Ensure this value is less than or equal to {max}."));
    }
}

pub(super) fn check_delay(fields: &mut Fields, seconds: u64) {
    if seconds > DELAY_MAX {
        fields.error(
            "delay",
            format!("Ensure this value is less than or equal to {DELAY_MAX}."),
        );
    }
}

/// The pipeline that is named, as the project has it now: by its slug, or by the number of any definition of it that the
/// project ever had.
async fn pipeline(
    app: &AppState,
    project: ProjectId,
    fields: &mut Fields,
) -> ApiResult<Option<(PipelineId, String)>> {
    let catalog = &app.catalog;
    if let Some(slug) = fields.maybe_text("pipeline_slug", NAME_MAX) {
        if let Some(found) = catalog.pipeline_by_slug(project, &slug).await? {
            return Ok(Some((found, slug)));
        }
        let known = catalog.pipeline_slugs(project).await?;
        let known = if known.is_empty() {
            "none is registered yet".to_owned()
        } else {
            known.join(", ")
        };
        fields.error(
            "pipeline_slug",
            format!("There is no pipeline `{slug}`; known: {known}."),
        );
        return Ok(None);
    }
    let Some(id) = fields.maybe_int("pipeline_id", i64::MIN).map(PipelineId) else {
        return Ok(None);
    };
    let Some(named) = catalog.pipeline(Some(project), id).await? else {
        fields.error(
            "pipeline_id",
            format!("Invalid pk \"{id}\" - object does not exist."),
        );
        return Ok(None);
    };
    let current = catalog.pipeline_by_slug(project, &named.slug).await?;
    Ok(Some((current.unwrap_or(id), named.slug)))
}

/// The inline captures, and those that are none.
async fn inline_captures(
    app: &AppState,
    project: Option<ProjectId>,
    fields: &mut Fields,
) -> ApiResult<(Option<Vec<NewCapture>>, Vec<String>)> {
    let Some(list) = fields.maybe_list("captures") else {
        return Ok((None, Vec::new()));
    };
    let reading = match project {
        Some(project) => app.reading(project).await?,
        None => Files::of_urls(app.allow_file_urls).into(),
    };
    let (mut captures, mut rejected) = (Vec::with_capacity(list.len()), Vec::new());
    for (at, item) in list.iter().enumerate() {
        match capture_lines::from_json(item, &reading) {
            Ok(capture) => captures.push(capture),
            Err(why) => rejected.push(format!("{}: {why}", at + 1)),
        }
    }
    Ok((Some(captures), rejected))
}
