//! `--export TARGET`: what is in the store about the images, in files. Each is written beside its name first, so that a
//! half-written one never has it, and is checked before the work.
//!
//! In a kept store a file goes on holding every image of every run that exported to it, whatever became of the sources.

mod keeps;

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use trapline_core::{CollectionId, Error, Result, catalog::CaptureScope, ports::Store};

use super::job::{self, Images, PROJECT};
use crate::export::{self, Export, Format, Table};

/// Files to write: one table, or detections with the table of their images beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(Vec<OutFile>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct OutFile {
    path: PathBuf,
    format: Format,
    table: Table,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let file = |path: PathBuf, format, table| OutFile { path, format, table };
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        let format = match ending.to_ascii_lowercase().as_str() {
            _ if stem.is_empty() && !ending.is_empty() && !path.is_dir() => {
                return Err("the name is empty but for its ending".to_owned());
            }
            "ndjson" | "jsonl" if !text.ends_with('/') => Format::Ndjson,
            "csv" if !text.ends_with('/') => Format::Csv,
            _ if text.ends_with('/') || path.is_dir() => {
                return Ok(Self(vec![
                    file(path.join("detections.csv"), Format::Csv, Table::Detections),
                    file(path.join("images.csv"), Format::Csv, Table::Images),
                ]));
            }
            _ => return Err("the name must end in .csv or .ndjson, or be that of a folder".to_owned()),
        };
        if stem == "images" || stem.ends_with("-images") {
            return Ok(Self(vec![file(path, format, Table::Images)]));
        }
        let images = match stem {
            "detections" => format!("images.{ending}"),
            stem => format!("{stem}-images.{ending}"),
        };
        let images = path.with_file_name(images);
        Ok(Self(vec![
            file(path, format, Table::Detections),
            file(images, format, Table::Images),
        ]))
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::invalid(format!("--export: `{}` {why}", path.display()))
}

/// Checks that every file can be written, before any work.
///
/// # Errors
/// `Invalid`, naming the file.
pub(crate) fn check(targets: &[Target]) -> Result<()> {
    let mut names = HashSet::new();
    for OutFile { path, .. } in targets.iter().flat_map(|t| &t.0) {
        if let Some(why) = no_file(path) {
            return Err(refused(path, why));
        }
        let folder = folder(path);
        if !folder.is_dir() {
            return Err(refused(path, "can't be written: its folder is missing"));
        }
        tempfile::NamedTempFile::new_in(folder)
            .map_err(|e| refused(path, "can't be written").with_source(e))?;
        if path.exists() && std::fs::OpenOptions::new().append(true).open(path).is_err() {
            return Err(refused(path, "can't be written: it is protected"));
        }
        if !names.insert(absolute(path)) {
            return Err(refused(path, "is given twice"));
        }
    }
    Ok(())
}

/// Why this can't be replaced by a file. What a link leads to is what would be replaced: a device must not be.
fn no_file(path: &Path) -> Option<&'static str> {
    let is_link = path.is_symlink();
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => Some("is a folder"),
        Ok(there) if !there.is_file() && is_link => Some("leads to something that is no file"),
        Ok(there) if !there.is_file() => Some("is there and is no file"),
        Err(_) if is_link => Some("is a link that leads nowhere"),
        _ => None,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn absolute(path: &Path) -> PathBuf {
    let folder = folder(path);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or_default())
}

/// A file, and the set of the images that it holds.
pub(super) struct Ready {
    file: OutFile,
    set: CollectionId,
}

/// Finds what each file is to hold: the images of this run, and those of earlier runs that exported to it.
///
/// # Errors
/// `Invalid` if a file is there that Trapline did not write, or that holds rows that would be lost.
pub(super) async fn prepare(
    targets: &[Target],
    store: &dyn Store,
    images: &Images,
    overwrite: bool,
) -> Result<Vec<Ready>> {
    let (mut ready, mut also) = (Vec::new(), Vec::new());
    for file in targets.iter().flat_map(|t| &t.0) {
        let name = format!("export {}", absolute(&file.path).display());
        let known = job::named_set(store, &name).await?;
        let kept = match overwrite {
            true => Vec::new(),
            false => keeps::all(&file.path, file.format, store, images, known).await?,
        };
        let set = match known {
            Some(set) => set,
            None => store.create_collection(PROJECT, &name).await?.id,
        };
        ready.push(Ready {
            file: file.clone(),
            set,
        });
        also.push(kept);
    }
    // Only when no file is refused: what a file is to hold stays with it.
    for (Ready { set, .. }, kept) in ready.iter().zip(&also) {
        for slice in kept.chunks(job::PAGE as usize) {
            store.add_captures(*set, slice).await?;
        }
        store.merge_collection(*set, images.set).await?;
    }
    Ok(ready)
}

impl Ready {
    /// Writes the file; a crash leaves the one that was there.
    pub(super) async fn write(&self, store: &Arc<dyn Store>) -> Result<()> {
        write(&self.file, store, CaptureScope::Collection(self.set)).await
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Writes the files of a target.
pub(crate) async fn write_all(target: &Target, store: &Arc<dyn Store>, scope: CaptureScope) -> Result<()> {
    for file in &target.0 {
        write(file, store, scope).await?;
    }
    Ok(())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|file| file.path.display().to_string())
            .collect();
        f.write_str(&names.join(", "))
    }
}

async fn write(file: &OutFile, store: &Arc<dyn Store>, scope: CaptureScope) -> Result<()> {
    let path = &file.path;
    let wrong = |e: std::io::Error| {
        Error::internal(format!("the results can't be written to `{}`", path.display())).with_source(e)
    };
    // A link keeps its name, and what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| absolute(path));
    let temporary = tempfile::Builder::new()
        .prefix(".trapline-export-")
        .tempfile_in(folder(&target))
        .map_err(wrong)?;
    let (handle, part) = temporary.into_parts();
    let mut out = tokio::fs::File::from_std(handle);
    let export = Export {
        scope,
        table: file.table,
        format: file.format,
        scores: false,
    };
    let mut rows = std::pin::pin!(export::stream(Arc::clone(store), export));
    while let Some(bytes) = rows.try_next().await? {
        out.write_all(&bytes).await.map_err(wrong)?;
    }
    out.flush().await.map_err(wrong)?;
    let mode = std::fs::metadata(&target).map(|m| m.permissions());
    out.set_permissions(mode.unwrap_or_else(|_| readable()))
        .await
        .map_err(wrong)?;
    out.sync_all().await.map_err(wrong)?;
    part.persist(&target).map_err(|e| wrong(e.error))
}

/// A temporary file is private; a result gets the permissions that the folder gives.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_detections_with_their_images_or_images_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        for (text, names) in [
            ("june.csv", vec!["june.csv", "june-images.csv"]),
            ("a/june.ndjson", vec!["a/june.ndjson", "a/june-images.ndjson"]),
            ("detections.csv", vec!["detections.csv", "images.csv"]),
            ("images.csv", vec!["images.csv"]),
            ("june-images.jsonl", vec!["june-images.jsonl"]),
            ("out/", vec!["out/detections.csv", "out/images.csv"]),
            ("out.csv/", vec!["out.csv/detections.csv", "out.csv/images.csv"]),
            ("JUNE.CSV", vec!["JUNE.CSV", "JUNE-images.CSV"]),
        ] {
            let target: Target = text.parse().unwrap();
            let paths: Vec<_> = target.0.iter().map(|f| f.path.to_str().unwrap()).collect();
            assert_eq!(paths, names, "{text}");
        }
        assert_eq!(dir.parse::<Target>().unwrap().0.len(), 2);
        for text in ["june.xlsx", ".csv", "a/.ndjson", "", "-"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_written_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().parse::<Target>().unwrap();
        std::fs::create_dir(dir.path().join("out.csv")).unwrap();
        let said = |targets: &[Target]| check(targets).unwrap_err().message;
        assert!(said(&[at("out.csv")]).contains("out.csv` is a folder"));
        assert!(said(&[at("gone/out.csv")]).contains("its folder is missing"));
        assert!(said(&[at("a.csv"), at("a.csv")]).contains("is given twice"));
        assert!(said(&[at("a.csv"), at("a-images.csv")]).contains("is given twice"));
        check(&[at("a.csv"), at("b.ndjson")]).unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket.csv")).unwrap();
        link("socket.csv", "device.csv");
        link("gone/x.csv", "dangling.csv");
        link("out.csv", "folder.csv");
        assert!(said(&[at("device.csv")]).contains("leads to something that is no file"));
        assert!(said(&[at("dangling.csv")]).contains("is a link that leads nowhere"));
        assert!(said(&[at("folder.csv")]).contains("is a folder"));
        assert!(said(&[at("socket.csv")]).contains("is there and is no file"));
        drop(socket);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            5,
            "nothing is left behind"
        );
    }
}
