//! What `trapline run` is pointed at: folders, image files and manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use trapline_core::{Error, Result, catalog::NewCapture};

use super::{
    photographs::LocalFile,
    walk::{self, IMAGES, Walk, is_image},
};
use crate::capture_lines::{Found, List};

const MANIFESTS: [&str; 6] = ["txt", "csv", "tsv", "ndjson", "jsonl", "json"];

/// What was found, before any manifest is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// The sources as absolute paths: what the job is of.
    pub(super) roots: Vec<PathBuf>,
    /// Absolute paths of image files, each once, sorted within each source.
    pub(super) images: Vec<PathBuf>,
    /// Manifests, in the order given.
    pub(super) manifests: Vec<PathBuf>,
    /// How many entries of which kind were passed over.
    pub(super) passed_over: BTreeMap<String, u64>,
    /// Folders that can't be read, and why.
    pub(super) closed: Vec<(PathBuf, String)>,
}

/// A line of a manifest about which something is to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ManifestLine {
    pub(super) manifest: PathBuf,
    pub(super) line: u64,
    pub(super) why: String,
}

/// What the manifests hold.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Local files.
    pub(super) files: Vec<LocalFile>,
    /// Lines that are no captures.
    pub(super) bad: Vec<ManifestLine>,
    /// Values that could not be read; their captures are there.
    pub(super) warnings: Vec<ManifestLine>,
}

/// `.csv`, also packed as `.csv.gz`.
fn is_manifest(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| MANIFESTS.contains(&ending))
}

/// The path as it was given, made absolute; only its folder is resolved, because a link to a file has its own name.
fn absolute(source: &Path) -> std::io::Result<PathBuf> {
    // What is there at all has an entry of its own, be it a link that leads nowhere.
    std::fs::symlink_metadata(source)?;
    if source.is_dir() {
        return source.canonicalize();
    }
    let folder = source
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let folder = folder.canonicalize()?;
    Ok(source
        .file_name()
        .map_or_else(|| folder.clone(), |name| folder.join(name)))
}

impl Sources {
    /// Looks at each source: a folder, recursively and sorted, without hidden files; an image file; a manifest.
    ///
    /// # Errors
    /// `Invalid`, naming the source that is missing or none of these.
    pub(super) fn find(given: &[PathBuf]) -> Result<Self> {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        let mut walk = Walk::default();
        for source in given {
            let path = absolute(source).map_err(|e| {
                Error::invalid(format!("the source `{}` can't be read", source.display())).with_source(e)
            })?;
            found.roots.push(path.clone());
            if path.is_dir() {
                walk.folder(&path);
            } else if is_image(&path) {
                walk.images.push(path);
            } else if is_manifest(&path) {
                found.manifests.push(path);
            } else {
                return Err(Error::invalid(format!(
                    "the source `{}` is no folder, image ({}) or manifest ({}, also as .gz)",
                    source.display(),
                    IMAGES.join(", "),
                    MANIFESTS.join(", ")
                )));
            }
            let images = std::mem::take(&mut walk.images);
            found
                .images
                .extend(images.into_iter().filter(|p| seen.insert(p.clone())));
        }
        found.roots.sort();
        found.roots.dedup();
        (found.passed_over, found.closed) = (walk.passed_over, walk.closed);
        Ok(found)
    }

    /// Reads the manifests. URLs are handed on as they come, a slice at a time; local files and lines that are none are
    /// returned.
    ///
    /// # Errors
    /// `Invalid` if a manifest can't be read at all, or as `slice` fails.
    pub(super) async fn manifests(
        &self,
        mut slice: impl AsyncFnMut(&[NewCapture]) -> Result<()>,
    ) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut seen: BTreeSet<PathBuf> = self.images.iter().cloned().collect();
        for manifest in &self.manifests {
            let wrong = |why: String| Error::invalid(format!("the manifest `{}`: {why}", manifest.display()));
            let mut list = List::open(manifest).await.map_err(wrong)?;
            while let Some(lines) = list.next().await.map_err(wrong)? {
                let mut urls = Vec::new();
                for (line, found) in lines {
                    let about = |why| ManifestLine {
                        manifest: manifest.clone(),
                        line,
                        why,
                    };
                    match found {
                        Found::Capture(capture) => urls.push(capture),
                        Found::File(path, about) => {
                            if seen.insert(path.clone()) {
                                listed.files.push(LocalFile {
                                    path,
                                    about: about.facts,
                                });
                            }
                        }
                        Found::Rejected(why) => listed.bad.push(about(why)),
                        Found::Warning(why) => listed.warnings.push(about(why)),
                    }
                }
                slice(&urls).await?;
            }
        }
        Ok(listed)
    }

    /// The image files that were found beside manifests.
    pub(super) fn files(&self) -> impl Iterator<Item = LocalFile> {
        self.images.iter().map(|path| LocalFile {
            path: path.clone(),
            ..LocalFile::default()
        })
    }

    /// What to say if there is no image.
    pub(super) fn nothing(&self, bad: &[ManifestLine]) -> Error {
        let mut text = "no image was found in the sources".to_owned();
        if let Some(b) = bad.first() {
            text += &format!("; {} line {}: {}", b.manifest.display(), b.line, b.why);
        }
        for (folder, why) in &self.closed {
            text += &format!("; the folder `{}` can't be read: {why}", folder.display());
        }
        if !self.passed_over.is_empty() {
            text += &format!("; passed over: {}", walk::listed(&self.passed_over));
        }
        Error::invalid(format!("{text}; formats that are read: {}", IMAGES.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, b"x").unwrap();
        path
    }

    #[test]
    fn a_file_that_several_sources_name_is_one_image() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        touch(&root, "a.png");
        let list = touch(&root, "list.csv.gz");
        let found = Sources::find(&[root.clone(), root.join("a.png"), list.clone()]).unwrap();
        assert_eq!(found.images, [root.join("a.png")]);
        assert_eq!(found.manifests, [list]);
        assert_eq!(found.passed_over.len(), 1);
    }

    #[test]
    fn a_missing_source_and_one_of_no_known_kind_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = |p: PathBuf| Sources::find(&[p]).unwrap_err().to_string();
        assert!(said(dir.path().join("gone")).contains("gone` can't be read"));
        assert!(said(touch(dir.path(), "a.pdf")).contains("a.pdf` is no folder, image"));
    }

    #[tokio::test]
    async fn the_broken_lines_of_a_manifest_are_told_with_their_numbers_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = touch(dir.path(), "m.txt");
        std::fs::write(
            &path,
            "https://h/1.jpg\nftp://h/x\n\nhttps://h/2.jpg\n/card/3.jpg\n/card/3.jpg",
        )
        .unwrap();
        let mut urls = Vec::new();
        let sources = Sources::find(&[path]).unwrap();
        let listed = sources
            .manifests(async |slice| {
                urls.extend(slice.iter().map(|c| c.url.clone()));
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(urls, ["https://h/1.jpg", "https://h/2.jpg"]);
        assert_eq!((listed.bad.len(), listed.bad[0].line), (1, 2));
        let files: Vec<_> = listed.files.iter().map(|f| f.path.clone()).collect();
        assert_eq!(files, [PathBuf::from("/card/3.jpg")]);
        assert!(sources.nothing(&listed.bad).message.contains("line 2"));
    }
}
