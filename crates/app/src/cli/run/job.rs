//! The job of a run: of exactly what the sources hold now.

use sha2::{Digest as _, Sha256};
use trapline_core::{
    CaptureId, CollectionId, Error, JobId, JobStatus, ProjectId, Result,
    catalog::{Capture, CaptureScope, Collection},
    job::Expect,
    ports::{Job, JobFilter, JobOrder, NewJob, OffsetPage, Store},
    words::counted,
};
use trapline_engine::Engine;

use super::{
    RunArgs, folders,
    found::{Found, Past},
    known, photographs,
    sources::{Listed, ManifestLine, Sources},
};
use crate::cli::output;

/// A new store has this project.
pub(super) const PROJECT: ProjectId = ProjectId(1);
/// Rows read or written at a time.
pub(super) const PAGE: u64 = 1_000;

/// The images of this run, in the store.
pub(super) struct Images {
    pub(super) set: CollectionId,
    pub(super) found: Found,
    pub(super) bad: Vec<ManifestLine>,
    pub(super) warnings: Vec<ManifestLine>,
    /// The URLs that photographs had before they were moved.
    pub(super) old_urls: Vec<String>,
    /// The job of exactly these images that was cut short, to go on with.
    unfinished: Option<JobId>,
}

/// Stores the images of the sources as a set of their own.
///
/// # Errors
/// `Invalid` if there are none, or a manifest can't be read.
pub(super) async fn images(args: &RunArgs, engine: &Engine, sources: &Sources) -> Result<Images> {
    let store = engine.store();
    let name = SetName::of(args, sources);
    let before = last_set(store.as_ref(), &name.roots).await?;
    let newest = known::newest(store.as_ref()).await?;
    let set = store.create_collection(PROJECT, &name.whole()).await?.id;
    let listed = sources
        .manifests(async |slice| store.add_captures(set, slice).await.map(drop))
        .await?;
    let Listed { files, bad, warnings } = listed;
    let files: Vec<_> = sources.files().chain(files).collect();
    let disk = photographs::RealDisk::default();
    let _until_here = disk.guard();
    let known = known::of(store.as_ref(), &files, &disk).await?;
    let mut past = Past::default();
    let known_ids: Vec<_> = known.iter().map(|c| c.id).collect();
    past.read(store.as_ref(), args.slug(), &known_ids).await?;
    let processed = past.processed();
    let compare = move || photographs::plan(files, known, &processed, &disk);
    let mut plan = tokio::task::spawn_blocking(compare)
        .await
        .map_err(|e| Error::internal("the photographs can't be compared").with_source(e))?;
    folders::bring_along(&mut plan, store.as_ref(), &mut past, args.slug()).await?;
    for learnt in plan.learnt.chunks(PAGE as usize) {
        store.describe_captures(learnt).await?;
    }
    for captures in plan.captures.chunks(PAGE as usize) {
        store.add_captures(set, captures).await?;
    }
    let now = ids(store.as_ref(), set).await?;
    if now.is_empty() {
        store.delete_collection(set).await?;
        return Err(sources.nothing(&bad));
    }
    let (set, gone) = match before {
        Some(before) => {
            let then = ids(store.as_ref(), before.id).await?;
            let is_same = before.name == name.whole() && then == now;
            let gone = then.iter().filter(|id| now.binary_search(id).is_err()).count();
            (if is_same { before.id } else { set }, gone)
        }
        None => (set, 0),
    };
    forget_unused(store.as_ref(), set).await?;
    let unfinished = unfinished(args, store.as_ref(), sources, &now).await?;
    // URLs are compared as they are written, so that nothing was read of them yet.
    let new = now.partition_point(|id| *id <= newest);
    past.read(store.as_ref(), args.slug(), &now[..new]).await?;
    let found = Found {
        images: now.len() as u64,
        new: (now.len() - new) as u64,
        moved: plan.moved,
        replaced: plan.replaced,
        tried_again: match unfinished {
            // A job that goes on does what is left of it.
            Some(_) => 0,
            None => past.tried_again(candidates(args, &now), args.limit),
        },
        gone: gone as u64,
    };
    Ok(Images {
        set,
        found,
        bad,
        warnings,
        old_urls: plan.old_urls,
        unfinished,
    })
}

/// Those that a limit chooses from. What was processed counts too if it is processed again.
fn candidates<'a>(args: &RunArgs, images: &'a [CaptureId]) -> &'a [CaptureId] {
    let limit = args.limit.filter(|_| args.reprocess);
    let end = limit.map_or(images.len(), |n| images.len().min(n as usize));
    &images[..end]
}

/// The newest job of exactly these images that was cut short.
async fn unfinished(
    args: &RunArgs,
    store: &dyn Store,
    sources: &Sources,
    images: &[CaptureId],
) -> Result<Option<JobId>> {
    for job in not_final(store, Some(PROJECT)).await? {
        if is_same(args, store, sources, images, &job).await? {
            return Ok(Some(job.id));
        }
    }
    Ok(None)
}

/// Refuses a store in which a server has jobs to do: this process would take them for its own.
///
/// # Errors
/// `Invalid`, naming one of them.
pub(super) async fn no_jobs_of_a_server(store: &dyn Store) -> Result<()> {
    for job in not_final(store, None).await? {
        let set = match job.collection {
            Some(set) => store.collection_up_to(set, 0).await?,
            None => None,
        };
        if !set.is_some_and(|s| SetName::is_of_a_run(&s.name)) {
            return Err(Error::invalid(format!(
                "--database: the store holds job {} ({}, {}) of a server, which is not over; let `trapline serve` end or \
                 cancel it, or give another file",
                job.id, job.name, job.status
            )));
        }
    }
    Ok(())
}

/// A job of exactly these images that was cut short, to go on with. Any other that was cut short is stopped, so that nobody's
/// images are processed by surprise.
pub(super) async fn only_unfinished(engine: &Engine, images: &Images) -> Result<Option<JobId>> {
    for job in not_final(engine.store().as_ref(), Some(PROJECT)).await? {
        if images.unfinished == Some(job.id) {
            output::note(format_args!("job {} was cut short and goes on", job.id));
            continue;
        }
        let left = job
            .counts
            .total
            .saturating_sub(job.counts.processed + job.counts.failed);
        output::note(format_args!(
            "job {} ({}) was cut short with {} left and is stopped; what it processed is kept",
            job.id,
            job.name,
            counted(left, "image")
        ));
        engine.cancel_job(job.id, &Expect::ANYTHING).await?;
    }
    Ok(images.unfinished)
}

/// Starts the job of these images.
pub(super) async fn start(
    args: &RunArgs,
    engine: &Engine,
    sources: &Sources,
    images: &Images,
) -> Result<JobId> {
    let store = engine.store();
    let pipeline = store
        .pipeline_by_slug(PROJECT, args.slug())
        .await?
        .ok_or_else(|| Error::internal("the worker's pipeline was not registered"))?;
    let of_project = store
        .project(PROJECT)
        .await?
        .map_or(0.5, |p| p.settings.failure_threshold);
    engine
        .create_job(&NewJob {
            project: PROJECT,
            name: title(sources),
            delay_seconds: 0,
            priority: 0,
            failure_threshold: args.failure_threshold.unwrap_or(of_project),
            pipeline: Some(pipeline),
            collection: Some(images.set),
            capture: None,
            limit: args.limit,
            shuffle: false,
            reprocess: args.reprocess,
            job_type: "ml".to_owned(),
            start: true,
            key: None,
        })
        .await
}

/// The name of a run's set: by its sources, so that the next run finds it, and by what was asked for.
struct SetName {
    roots: String,
    asked: String,
}

impl SetName {
    fn of(args: &RunArgs, sources: &Sources) -> Self {
        let mut hash = Sha256::new();
        for root in &sources.roots {
            hash.update(root.as_os_str().as_encoded_bytes());
            hash.update([0]);
        }
        let asked = format!(
            "{} {:?} {} {:?}",
            args.slug(),
            args.limit,
            args.reprocess,
            args.failure_threshold
        );
        let short = |hash: Sha256| trapline_core::words::hex(&hash.finalize()[..8]);
        Self {
            roots: format!("run {}", short(hash)),
            asked: short(Sha256::new().chain_update(asked)),
        }
    }

    /// Whether `run` gave a set this name.
    fn is_of_a_run(name: &str) -> bool {
        let is_hash = |part: &str| part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let hashes = name.strip_prefix("run ").and_then(|n| n.split_once(' '));
        hashes.is_some_and(|(roots, asked)| is_hash(roots) && is_hash(asked))
    }

    fn whole(&self) -> String {
        format!("{} {}", self.roots, self.asked)
    }
}

fn title(sources: &Sources) -> String {
    let first = sources
        .roots
        .first()
        .and_then(|p| p.file_name())
        .unwrap_or_default();
    let more = match sources.roots.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    trapline_core::task::cut(&format!("run: {}{more}", first.to_string_lossy()), 255)
}

/// Every named set.
async fn sets(store: &dyn Store) -> Result<Vec<Collection>> {
    let mut all = Vec::new();
    loop {
        let page = OffsetPage {
            limit: PAGE,
            offset: all.len() as u64,
        };
        let sets = store.collections(Some(PROJECT), page).await?;
        all.extend(sets.rows);
        if page.offset + PAGE >= sets.count {
            return Ok(all);
        }
    }
}

/// Removes the sets of earlier runs that never came to a job.
async fn forget_unused(store: &dyn Store, but: CollectionId) -> Result<()> {
    for set in sets(store).await? {
        if set.id != but && SetName::is_of_a_run(&set.name) {
            store.delete_collection(set.id).await?;
        }
    }
    Ok(())
}

/// The newest set of these sources.
async fn last_set(store: &dyn Store, roots: &str) -> Result<Option<Collection>> {
    let of_roots = sets(store)
        .await?
        .into_iter()
        .filter(|s| s.name.starts_with(roots));
    Ok(of_roots.max_by_key(|s| s.id))
}

/// What is wanted of each capture of a set, ascending.
pub(super) async fn each<T>(
    store: &dyn Store,
    set: CollectionId,
    wanted: impl Fn(Capture) -> T,
) -> Result<Vec<T>> {
    let (mut all, mut after) = (Vec::new(), CaptureId(i64::MIN));
    loop {
        let page = store.captures(CaptureScope::Collection(set), after, PAGE).await?;
        let is_last = (page.len() as u64) < PAGE;
        after = page.last().map_or(after, |c| c.id);
        all.extend(page.into_iter().map(&wanted));
        if is_last {
            return Ok(all);
        }
    }
}

/// The captures of a set, ascending.
async fn ids(store: &dyn Store, set: CollectionId) -> Result<Vec<CaptureId>> {
    each(store, set, |c| c.id).await
}

/// Jobs that were cut short, newest first.
async fn not_final(store: &dyn Store, project: Option<ProjectId>) -> Result<Vec<Job>> {
    let filter = JobFilter {
        project,
        status: JobStatus::ALL.into_iter().filter(|s| !s.is_final()).collect(),
        order: (JobOrder::Id, true),
        ..JobFilter::default()
    };
    let page = OffsetPage {
        limit: PAGE,
        offset: 0,
    };
    Ok(store.jobs(&filter, page).await?.rows)
}

/// Whether a job is what this run asks for.
async fn is_same(
    args: &RunArgs,
    store: &dyn Store,
    sources: &Sources,
    images: &[CaptureId],
    job: &Job,
) -> Result<bool> {
    let Some(set) = job.collection else {
        return Ok(false);
    };
    let named = store.collection_up_to(set, 0).await?.map(|s| s.name);
    if job.status == JobStatus::Canceling || named != Some(SetName::of(args, sources).whole()) {
        return Ok(false);
    }
    Ok(ids(store, set).await? == images)
}

/// The set with exactly this name.
pub(super) async fn named_set(store: &dyn Store, name: &str) -> Result<Option<CollectionId>> {
    let found = sets(store).await?.into_iter().find(|s| s.name == name);
    Ok(found.map(|s| s.id))
}

/// Every URL of a set.
pub(super) async fn urls(store: &dyn Store, set: CollectionId) -> Result<Vec<String>> {
    each(store, set, |c| c.url).await
}
