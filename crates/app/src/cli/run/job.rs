//! The job of a run: found unfinished, or made anew.

use sha2::{Digest as _, Sha256};
use trapline_core::{
    CollectionId, Error, JobId, JobStatus, ProjectId, Result,
    ports::{JobFilter, JobOrder, NewJob, OffsetPage},
};
use trapline_engine::Engine;

use super::{RunArgs, Started, sources::Sources};

/// A new store has this project.
const PROJECT: ProjectId = ProjectId(1);

/// Starts the job of these sources, or goes on with one that was cut short.
pub(super) async fn start(args: &RunArgs, engine: &Engine, sources: &Sources) -> Result<Started> {
    let name = set_name(sources);
    if let Some(set) = find_set(engine, &name).await?
        && let Some(job) = unfinished(args, engine, set).await?
    {
        return Ok(Started {
            job,
            resumed: true,
            bad_lines: Vec::new(),
        });
    }
    let store = engine.store();
    let set = match find_set(engine, &name).await? {
        Some(set) => set,
        None => store.create_collection(PROJECT, &name).await?.id,
    };
    let mut found = 0;
    let bad_lines = sources
        .captures(async |slice| {
            found += slice.len();
            store.add_captures(set, slice).await.map(drop)
        })
        .await?;
    if found == 0 {
        let why = bad_lines
            .first()
            .map(|b| format!("; {} line {}: {}", b.manifest.display(), b.line, b.why))
            .unwrap_or_default();
        return Err(Error::invalid(format!("no image was found in the sources{why}")));
    }
    let pipeline = store
        .pipeline_by_slug(PROJECT, args.slug())
        .await?
        .ok_or_else(|| Error::internal("the worker's pipeline was not registered"))?;
    let job = NewJob {
        project: PROJECT,
        name: title(sources),
        delay_seconds: 0,
        priority: 0,
        failure_threshold: store
            .project(PROJECT)
            .await?
            .map_or(0.5, |p| p.settings.failure_threshold),
        pipeline: Some(pipeline),
        collection: Some(set),
        capture: None,
        limit: args.limit,
        shuffle: false,
        reprocess: args.reprocess,
        job_type: "ml".to_owned(),
        start: true,
    };
    Ok(Started {
        job: engine.create_job(&job).await?,
        resumed: false,
        bad_lines,
    })
}

/// The set of these sources has a name of its own, so that the next run finds it. Of a folder's files it holds those
/// that were there, so that a new photograph changes nothing but the set's size.
fn set_name(sources: &Sources) -> String {
    let mut hash = Sha256::new();
    let folders = sources.images.iter().filter_map(|p| p.parent());
    let mut parts: Vec<_> = folders
        .chain(sources.manifests.iter().map(AsRef::as_ref))
        .collect();
    parts.sort();
    parts.dedup();
    for part in parts {
        hash.update(part.as_os_str().as_encoded_bytes());
        hash.update([0]);
    }
    let hex: String = hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
    format!("run {hex}")
}

fn title(sources: &Sources) -> String {
    let first = sources
        .manifests
        .first()
        .map(AsRef::as_ref)
        .or(sources.images.first().and_then(|p| p.parent()));
    let name = first
        .and_then(|p| p.file_name())
        .unwrap_or_default()
        .to_string_lossy();
    trapline_core::task::cut(&format!("run: {name}"), 255)
}

async fn find_set(engine: &Engine, name: &str) -> Result<Option<CollectionId>> {
    let mut page = OffsetPage {
        limit: 1_000,
        offset: 0,
    };
    loop {
        let sets = engine.store().collections(Some(PROJECT), page).await?;
        if let Some(set) = sets.rows.iter().find(|s| s.name == name) {
            return Ok(Some(set.id));
        }
        page.offset += page.limit;
        if page.offset >= sets.count {
            return Ok(None);
        }
    }
}

async fn unfinished(args: &RunArgs, engine: &Engine, set: CollectionId) -> Result<Option<JobId>> {
    let filter = JobFilter {
        project: Some(PROJECT),
        collection: Some(set),
        status: JobStatus::ALL.into_iter().filter(|s| !s.is_final()).collect(),
        pipeline_slugs: vec![args.slug().to_owned()],
        order: (JobOrder::Id, true),
        ..JobFilter::default()
    };
    let page = OffsetPage { limit: 1, offset: 0 };
    Ok(engine
        .store()
        .jobs(&filter, page)
        .await?
        .rows
        .first()
        .map(|j| j.id))
}
