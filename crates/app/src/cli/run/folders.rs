//! Folders that were moved or renamed, as their photographs tell.
//!
//! A link that leads nowhere, or a pipe, has no content to be known by. It is taken for the one that failed before under the
//! same name in the folder that its neighbours came from.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use trapline_core::{
    Result,
    catalog::{Capture, CaptureFacts, Files, Learnt},
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
    let asked: HashSet<&str> = plan.captures.iter().map(|c| &*c.url).collect();
    let mut lost: HashMap<String, String> = HashMap::new();
    for capture in plan.captures.iter().filter(|c| c.facts.file.is_none()) {
        let Some(old) = file_url::path(&capture.url).and_then(|path| moves.came_from(&path)) else {
            continue;
        };
        // Also a link that leads nowhere is there.
        let is_gone = tokio::fs::symlink_metadata(&old).await.is_err();
        if let Some(url) = file_url::of(&old, 1).ok().filter(|_| is_gone) {
            lost.insert(url, capture.url.clone());
        }
    }
    lost.retain(|old, _| !asked.contains(&**old));
    let urls: Vec<String> = lost.keys().cloned().collect();
    for page in urls.chunks(PAGE as usize) {
        let known = store.file_captures(PROJECT, Files::At(page)).await?;
        let ids: Vec<_> = known.iter().map(|c| c.id).collect();
        past.read(store, slug, &ids).await?;
        let processed = past.processed();
        let never_read = |c: &Capture| c.facts.file.is_none() && !processed.contains_key(&c.id);
        for capture in known.into_iter().filter(never_read) {
            let Some(url) = lost.remove(&capture.url) else {
                continue;
            };
            plan.moved += 1;
            plan.old_urls.push(capture.url);
            plan.learnt.push(Learnt {
                capture: capture.id,
                url: Some(url),
                facts: CaptureFacts::default(),
            });
        }
    }
    Ok(())
}

/// Where folders came from.
struct Moves(HashMap<PathBuf, PathBuf>);

impl Moves {
    fn of(plan: &Plan) -> Self {
        let new = plan.learnt.iter().filter_map(|l| l.url.as_deref());
        let folders = plan.old_urls.iter().zip(new).filter_map(|(old, new)| {
            let (old, new) = (file_url::path(old)?, file_url::path(new)?);
            let mut roots = (&*old, &*new);
            while roots.0.file_name() == roots.1.file_name() {
                roots = (roots.0.parent()?, roots.1.parent()?);
            }
            (roots.1 != new).then(|| (roots.1.to_owned(), roots.0.to_owned()))
        });
        Self(folders.collect())
    }

    fn came_from(&self, path: &Path) -> Option<PathBuf> {
        path.ancestors()
            .skip(1)
            .find_map(|folder| Some(self.0.get(folder)?.join(path.strip_prefix(folder).ok()?)))
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
        for (moved, path, expected) in [
            (&[june][..], "/july/pipe.jpg", Some("/june/pipe.jpg")),
            (&[june], "/july/deep/pipe.jpg", Some("/june/deep/pipe.jpg")),
            (&[june], "/august/pipe.jpg", None),
            (&[june, sub], "/b/other/pipe.jpg", Some("/a/other/pipe.jpg")),
            (&[("/june/1.jpg", "/june/2.jpg")], "/june/pipe.jpg", None),
            (&[("/june/1.jpg", "/july/2.jpg")], "/july/pipe.jpg", None),
            (
                &[("/photos/june/1.jpg", "/photos/old/june/1.jpg")],
                "/photos/old/june/pipe.jpg",
                Some("/photos/june/pipe.jpg"),
            ),
            (
                &[("/1.jpg#2", "/july/1.jpg")],
                "/july/pipe.jpg",
                Some("/pipe.jpg"),
            ),
        ] {
            assert_eq!(
                moves(moved).came_from(Path::new(path)),
                expected.map(PathBuf::from),
                "{moved:?} {path}"
            );
        }
    }
}
