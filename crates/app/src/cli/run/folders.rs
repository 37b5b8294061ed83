//! Folders that were moved or renamed, as their photographs tell.
//!
//! A link that leads nowhere, a pipe, and a file that may not be read have no content to be known by. They are taken for
//! those that failed before under the same name, with the same size and time, in the folder that their neighbours came from.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use trapline_core::{
    Result,
    catalog::{Capture, CaptureFacts, Files, Learnt, NewCapture},
    ports::Store,
};

use super::{
    found::Past,
    job::{PAGE, PROJECT},
    photographs::Plan,
};
use crate::file_url;

/// Adds to the plan what has no content and went with its folder.
///
/// # Errors
/// As the store's.
pub(super) async fn bring_along(
    plan: &mut Plan,
    store: &dyn Store,
    past: &mut Past,
    slug: &str,
) -> Result<()> {
    let moves = Moves::of(plan);
    let asked: HashSet<PathBuf> = plan
        .captures
        .iter()
        .filter_map(|c| file_url::path(&c.url))
        .collect();
    let mut places: Vec<(usize, Vec<PathBuf>)> = Vec::new();
    for at in &plan.unknown {
        if let Some(path) = file_url::path(&plan.captures[*at].url) {
            let from = moves.came_from(&path);
            places.push((*at, from.filter(|old| !asked.contains(old)).collect()));
        }
    }
    let mut known = never_read(store, past, slug, places.iter().flat_map(|(_, from)| from)).await?;
    let mut brought = Vec::new();
    for (at, from) in places {
        let new = &plan.captures[at];
        for old in from {
            let mut here = known.get(&old).into_iter().flatten();
            let Some(same) = here.find(|known| is_same(known, new)) else {
                continue;
            };
            // Also a link that leads nowhere is there.
            let there = tokio::fs::symlink_metadata(&old).await;
            if there.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                plan.moved += 1;
                plan.old_urls.push(same.url.clone());
                brought.push(Learnt {
                    capture: same.id,
                    url: Some(new.url.clone()),
                    facts: CaptureFacts::default(),
                });
                known.remove(&old);
                break;
            }
        }
    }
    // Before those by which they are found, whose move is seen once.
    plan.learnt.splice(0..0, brought);
    Ok(())
}

/// What was known at these paths, and that no pipeline has processed.
async fn never_read(
    store: &dyn Store,
    past: &mut Past,
    slug: &str,
    paths: impl Iterator<Item = &PathBuf>,
) -> Result<HashMap<PathBuf, Vec<Capture>>> {
    let urls: BTreeSet<String> = paths.filter_map(|path| file_url::of(path, 1).ok()).collect();
    let urls: Vec<String> = urls.into_iter().collect();
    let mut never: HashMap<PathBuf, Vec<Capture>> = HashMap::new();
    for page in urls.chunks(PAGE as usize) {
        let known = store.file_captures(PROJECT, Files::At(page)).await?;
        let ids: Vec<_> = known.iter().map(|c| c.id).collect();
        past.read(store, slug, &ids).await?;
        for capture in known.into_iter().filter(|c| !past.is_processed(c.id)) {
            if let Some(path) = file_url::path(&capture.url) {
                never.entry(path).or_default().push(capture);
            }
        }
    }
    Ok(never)
}

/// Whether nobody has read a known one, and nothing else tells it from a new one.
fn is_same(known: &Capture, new: &NewCapture) -> bool {
    let of = |facts: &CaptureFacts| facts.file.as_ref().map(|f| (f.size, f.modified));
    let is_read = known.facts.file.as_ref().is_some_and(|f| f.digest.is_some());
    !is_read && of(&known.facts) == of(&new.facts)
}

/// More folders than this, by what came from them, are not looked at for where a folder came from.
const ORIGINS_MAX: usize = 3;

/// Where folders came from, with how many photographs say so.
struct Moves(HashMap<PathBuf, BTreeMap<PathBuf, u64>>);

impl Moves {
    fn of(plan: &Plan) -> Self {
        let mut moves = Self(HashMap::new());
        let new = plan.learnt.iter().filter_map(|l| l.url.as_deref());
        for (old, new) in plan.old_urls.iter().zip(new) {
            if let (Some(old), Some(new)) = (file_url::path(old), file_url::path(new)) {
                moves.add(&old, &new);
            }
        }
        moves
    }

    fn add(&mut self, old: &Path, new: &Path) {
        let (mut from, mut to) = (old, new);
        while from.file_name() == to.file_name() {
            let (Some(above), Some(beside)) = (from.parent(), to.parent()) else {
                return;
            };
            (from, to) = (above, beside);
        }
        if to != new {
            let origins = self.0.entry(to.to_owned()).or_default();
            *origins.entry(from.to_owned()).or_default() += 1;
        }
    }

    /// Where a file may have been before: by the nearest folder, then by the most of its photographs.
    fn came_from(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        path.ancestors().skip(1).flat_map(move |folder| {
            let mut origins: Vec<_> = self.0.get(folder).into_iter().flatten().collect();
            origins.sort_by_key(|(_, photographs)| Reverse(**photographs));
            let origins = origins.into_iter().take(ORIGINS_MAX);
            origins.filter_map(move |(old, _)| Some(old.join(path.strip_prefix(folder).ok()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(pairs: &[(&str, &str)]) -> Moves {
        let mut plan = Plan::default();
        for (old, new) in pairs {
            plan.old_urls.push(format!("file://{old}"));
            plan.learnt.push(Learnt {
                capture: trapline_core::CaptureId(1),
                url: Some(format!("file://{new}")),
                facts: CaptureFacts::default(),
            });
        }
        Moves::of(&plan)
    }

    #[test]
    fn what_has_no_content_came_from_where_its_folder_came_from() {
        let (june, sub) = (("/june/1.jpg", "/july/1.jpg"), ("/a/trap/1.jpg", "/b/trap/1.jpg"));
        let spare = ("/spare/2.jpg", "/july/2.jpg");
        for (moved, path, expected) in [
            (&[june][..], "/july/pipe.jpg", &["/june/pipe.jpg"][..]),
            (&[june], "/july/deep/pipe.jpg", &["/june/deep/pipe.jpg"]),
            (&[june], "/august/pipe.jpg", &[]),
            (
                &[spare, june, june],
                "/july/pipe.jpg",
                &["/june/pipe.jpg", "/spare/pipe.jpg"],
            ),
            (&[june, sub], "/b/other/pipe.jpg", &["/a/other/pipe.jpg"]),
            (&[("/june/1.jpg", "/june/2.jpg")], "/june/pipe.jpg", &[]),
            (&[("/june/1.jpg", "/july/2.jpg")], "/july/pipe.jpg", &[]),
            (
                &[("/photos/june/1.jpg", "/photos/old/june/1.jpg")],
                "/photos/old/june/pipe.jpg",
                &["/photos/june/pipe.jpg"],
            ),
            (&[("/1.jpg#2", "/july/1.jpg")], "/july/pipe.jpg", &["/pipe.jpg"]),
        ] {
            let moves = moves(moved);
            let from: Vec<_> = moves.came_from(Path::new(path)).collect();
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(from, expected, "{path}");
        }
    }
}
