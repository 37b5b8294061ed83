//! What `trapline run` is pointed at: folders, image files and manifests, as captures.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use trapline_core::{Error, Result, catalog::NewCapture};

use crate::capture_lines::{Found, List};

const IMAGES: [&str; 7] = ["jpg", "jpeg", "png", "tif", "tiff", "bmp", "webp"];
/// Captures handed on at a time.
const SLICE: usize = 1_000;

/// What was found, before any manifest is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// Absolute paths of image files, each once, sorted within each source.
    pub(super) images: Vec<PathBuf>,
    /// Manifests, in the order given.
    pub(super) manifests: Vec<PathBuf>,
}

/// A line of a manifest that is no capture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) manifest: PathBuf,
    pub(super) line: u64,
    pub(super) why: String,
}

fn extension(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

fn is_image(path: &Path) -> bool {
    IMAGES.contains(&extension(path).as_str())
}

fn is_manifest(path: &Path) -> bool {
    matches!(extension(path).as_str(), "txt" | "csv" | "ndjson" | "jsonl")
}

impl Sources {
    /// Looks at each source: a folder, recursively and sorted, without hidden files; an image file; a manifest.
    ///
    /// # Errors
    /// `Invalid`, naming the source that is missing or none of these.
    pub(super) fn find(given: &[PathBuf]) -> Result<Self> {
        let mut found = Self {
            images: Vec::new(),
            manifests: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for source in given {
            let path = source.canonicalize().map_err(|e| {
                Error::invalid(format!("the source `{}` can't be read", source.display())).with_source(e)
            })?;
            let mut images = Vec::new();
            if path.is_dir() {
                walk(&path, &mut images)?;
            } else if is_image(&path) {
                images.push(path);
            } else if is_manifest(&path) {
                found.manifests.push(path);
            } else {
                return Err(Error::invalid(format!(
                    "the source `{}` is no folder, image ({}) or manifest (txt, csv, ndjson, jsonl)",
                    source.display(),
                    IMAGES.join(", ")
                )));
            }
            found
                .images
                .extend(images.into_iter().filter(|p| seen.insert(p.clone())));
        }
        Ok(found)
    }

    /// Hands on all captures, a slice at a time, and returns the lines that are none.
    ///
    /// # Errors
    /// `Invalid` if a manifest can't be read at all, or as `slice` fails.
    pub(super) async fn captures(
        &self,
        mut slice: impl AsyncFnMut(&[NewCapture]) -> Result<()>,
    ) -> Result<Vec<BadLine>> {
        for paths in self.images.chunks(SLICE) {
            let captures: Vec<NewCapture> = paths.iter().map(|p| local(p)).collect::<Result<_>>()?;
            slice(&captures).await?;
        }
        let mut bad = Vec::new();
        for manifest in &self.manifests {
            read_manifest(manifest, &mut slice, &mut bad).await?;
        }
        Ok(bad)
    }
}

fn walk(folder: &Path, images: &mut Vec<PathBuf>) -> Result<()> {
    let wrong = |e: std::io::Error| {
        Error::invalid(format!("the folder `{}` can't be read", folder.display())).with_source(e)
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(wrong)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(wrong)?;
    entries.sort();
    for path in entries {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            // A link to a folder may lead round in a circle.
            if !path.is_symlink() {
                walk(&path, images)?;
            }
        } else if is_image(&path) {
            images.push(path);
        }
    }
    Ok(())
}

/// The capture of a file here.
fn local(path: &Path) -> Result<NewCapture> {
    let text = path
        .to_str()
        .filter(|t| !t.chars().any(char::is_control))
        .ok_or_else(|| {
            Error::invalid(format!(
                "the name of `{}` is not plain text; rename it",
                path.display()
            ))
        })?;
    Ok(NewCapture {
        url: format!("file://{text}"),
        ..NewCapture::default()
    })
}

async fn read_manifest(
    path: &Path,
    slice: &mut impl AsyncFnMut(&[NewCapture]) -> Result<()>,
    bad: &mut Vec<BadLine>,
) -> Result<()> {
    let wrong =
        |why: &dyn std::fmt::Display| Error::invalid(format!("the manifest `{}`: {why}", path.display()));
    let mut list = List::open(path).await.map_err(|why| wrong(&why))?;
    while let Some(lines) = list.next().await.map_err(|why| wrong(&why))? {
        let mut ready = Vec::new();
        for (line, found) in lines {
            let read = match found {
                Found::Capture(capture) => Ok(capture),
                Found::File(path, about) => local(&path)
                    .map(|file| NewCapture {
                        url: file.url,
                        ..about
                    })
                    .map_err(|e| e.message),
                Found::Rejected(why) => Err(why),
                Found::Warning(why) => {
                    tracing::warn!("{}: line {line}: {why}", path.display());
                    continue;
                }
            };
            match read {
                Ok(capture) => ready.push(capture),
                Err(why) => bad.push(BadLine {
                    manifest: path.to_owned(),
                    line,
                    why,
                }),
            }
        }
        for captures in ready.chunks(SLICE) {
            slice(captures).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"x").unwrap();
        path
    }

    #[test]
    fn a_folder_is_searched_to_its_depths_in_order_without_hidden_and_other_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in [
            "b/2.JPG",
            "a.png",
            "b/1.tiff",
            ".hidden/x.jpg",
            "b/.x.jpg",
            "notes.txt",
            "c.gif",
        ] {
            touch(&root, name);
        }
        let found = Sources::find(&[root.clone(), root.join("a.png")]).unwrap();
        assert_eq!(
            found.images,
            [root.join("a.png"), root.join("b/1.tiff"), root.join("b/2.JPG")]
        );
        assert_eq!(found.manifests, Vec::<PathBuf>::new());
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
        let path = dir.path().join("m.txt");
        std::fs::write(&path, "https://h/1.jpg\nnot a url\n\nhttps://h/2.jpg").unwrap();
        let mut urls = Vec::new();
        let sources = Sources::find(&[path]).unwrap();
        let bad = sources
            .captures(async |slice| {
                urls.extend(slice.iter().map(|c| c.url.clone()));
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(urls, ["https://h/1.jpg", "https://h/2.jpg"]);
        assert_eq!((bad.len(), bad[0].line), (1, 2));
        let csv = dir.path().join("m.csv");
        std::fs::write(&csv, "image\nhttps://h/1.jpg").unwrap();
        let error = Sources::find(&[csv])
            .unwrap()
            .captures(async |_| Ok(()))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("must name the column `url`"),
            "{error}"
        );
    }
}
