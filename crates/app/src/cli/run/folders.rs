//! Folders that were moved or renamed, as their photographs tell.
//!
//! A link that leads nowhere, a pipe, and a file that may not be read have no content to be known by. They are taken for
//! those that failed before under the same name, with the same size and time, in the folder that their neighbours came from.

use std::{
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
    // Where each may have been, and who it may be there.
    let mut lost: HashMap<PathBuf, usize> = HashMap::new();
    for at in &plan.unknown {
        let Some(path) = file_url::path(&plan.captures[*at].url) else {
            continue;
        };
        for old in moves.came_from(&path).filter(|old| !asked.contains(old)) {
            // Also a link that leads nowhere is there.
            let there = tokio::fs::symlink_metadata(&old).await;
            if there.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                lost.insert(old, *at);
            }
        }
    }
    let urls: Vec<String> = lost.keys().filter_map(|old| file_url::of(old, 1).ok()).collect();
    let mut found: BTreeMap<usize, Capture> = BTreeMap::new();
    for page in urls.chunks(PAGE as usize) {
        let known = store.file_captures(PROJECT, Files::At(page)).await?;
        let ids: Vec<_> = known.iter().map(|c| c.id).collect();
        past.read(store, slug, &ids).await?;
        let processed = past.processed();
        for capture in known.into_iter().filter(|c| !processed.contains_key(&c.id)) {
            let new = file_url::path(&capture.url).and_then(|old| lost.get(&old));
            if let Some(at) = new.filter(|at| is_same(&capture, &plan.captures[**at])) {
                found.insert(*at, capture);
            }
        }
    }
    for (at, capture) in found {
        plan.moved += 1;
        plan.old_urls.push(capture.url);
        plan.learnt.push(Learnt {
            capture: capture.id,
            url: Some(plan.captures[at].url.clone()),
            facts: CaptureFacts::default(),
        });
    }
    Ok(())
}

/// Whether nobody has read a known one, and nothing else tells it from a new one.
fn is_same(known: &Capture, new: &NewCapture) -> bool {
    let of = |facts: &CaptureFacts| facts.file.as_ref().map(|f| (f.size, f.modified));
    let is_read = known.facts.file.as_ref().is_some_and(|f| f.digest.is_some());
    !is_read && of(&known.facts) == of(&new.facts)
}

/// Where folders came from.
struct Moves(HashMap<PathBuf, BTreeSet<PathBuf>>);

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
            self.0.entry(to.to_owned()).or_default().insert(from.to_owned());
        }
    }

    /// Where a file may have been before.
    fn came_from(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        path.ancestors().skip(1).flat_map(move |folder| {
            let from = self.0.get(folder).into_iter().flatten();
            from.filter_map(move |old| Some(old.join(path.strip_prefix(folder).ok()?)))
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
                &[june, spare],
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
