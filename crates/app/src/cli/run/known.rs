//! What the store knows of the files of a run. A store may know a million photographs, so only those are read that these
//! files may be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trapline_core::{
    CaptureId, Error, Result,
    catalog::{Capture, CaptureScope, Files},
    ports::Store,
};

use super::{
    job::{PAGE, PROJECT},
    photographs::{Disk, LocalFile},
};
use crate::file_url;

/// Captures at the paths of these files, and those that may have been moved there.
///
/// # Errors
/// As the store's.
pub(super) async fn of(
    store: &dyn Store,
    files: &[LocalFile],
    disk: &(impl Disk + Clone + Send + 'static),
) -> Result<Vec<Capture>> {
    let mut known = BTreeMap::new();
    for page in files.chunks(PAGE as usize) {
        let urls: Vec<String> = page
            .iter()
            .filter_map(|f| file_url::of(&f.path, 1).ok())
            .collect();
        let found = store.file_captures(PROJECT, Files::At(&urls)).await?;
        known.extend(found.into_iter().map(|c| (c.id, c)));
    }
    let paths = files.iter().map(|f| f.path.clone()).collect::<Vec<_>>();
    let here = known.values().filter_map(|c| {
        let file = c.facts.file.as_ref()?;
        Some((file_url::path(&c.url)?, (file.size, file.modified)))
    });
    let mut at: HashMap<_, Vec<_>> = HashMap::new();
    for (path, stat) in here {
        at.entry(path).or_default().push(stat);
    }
    let disk = disk.clone();
    let sizes = move || {
        let new = paths.iter().filter_map(|path| {
            let stat = disk.stat(path)?;
            let is_known = at.get(path).is_some_and(|known| known.contains(&stat));
            (!is_known).then_some(stat.0)
        });
        new.collect::<BTreeSet<i64>>().into_iter().collect::<Vec<_>>()
    };
    let sizes = tokio::task::spawn_blocking(sizes)
        .await
        .map_err(|e| Error::internal("the photographs can't be looked at").with_source(e))?;
    if !sizes.is_empty() {
        let found = store.file_captures(PROJECT, Files::OfSizes(&sizes)).await?;
        known.extend(found.into_iter().map(|c| (c.id, c)));
    }
    Ok(known.into_values().collect())
}

/// The newest capture; 0 if there is none. What comes later is new.
///
/// # Errors
/// As the store's.
pub(super) async fn newest(store: &dyn Store) -> Result<CaptureId> {
    let (mut low, mut high) = (0, i64::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        let after = store.captures(CaptureScope::Project(PROJECT), CaptureId(middle), 1);
        match after.await?.first() {
            Some(capture) => low = capture.id.0,
            None => high = middle,
        }
    }
    Ok(CaptureId(low))
}
