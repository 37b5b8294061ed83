//! Whether writing an export loses what the file that is there holds.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

use trapline_core::{
    CollectionId, Result,
    catalog::{Capture, Files, NewCapture},
    ports::Store,
    words::counted,
};

use super::{
    super::job::{self, Images, PAGE, PROJECT},
    refused,
};
use crate::{export::Format, file_url};

/// What a file holds of this store beside the images of this run, if nothing in it would be lost. `held` is the set of the
/// images that the store remembers to have written to it.
///
/// # Errors
/// `Invalid` if rows would be lost, or the file is no export.
pub(super) async fn all(
    path: &Path,
    format: Format,
    store: &dyn Store,
    images: &Images,
    held: Option<CollectionId>,
) -> Result<Vec<NewCapture>> {
    if std::fs::metadata(path).map_or(0, |m| m.len()) == 0 {
        return Ok(Vec::new());
    }
    let Some(there) = images_in(path, format) else {
        return Err(refused(
            path,
            "is there and is no export of Trapline; give another name, or --overwrite",
        ));
    };
    let mut now: HashSet<String> = job::urls(store, images.set).await?.into_iter().collect();
    now.extend(images.old_urls.iter().cloned());
    let mut moved: HashSet<Row> = HashSet::new();
    if let Some(held) = held {
        let each = |c: Capture| (Row::of(c.id.0, &c.url), c.url);
        for (row, url) in job::each(store, held, each).await? {
            moved.extend(row);
            now.insert(url);
        }
    }
    let others: Vec<String> = there.keys().filter(|url| !now.contains(*url)).cloned().collect();
    let mut known = HashSet::new();
    for page in others.chunks(PAGE as usize) {
        let found = store.file_captures(PROJECT, Files::At(page)).await?;
        known.extend(found.into_iter().map(|c| c.url));
    }
    let (kept, mut lost): (Vec<_>, Vec<_>) = others.into_iter().partition(|url| known.contains(url));
    // What was moved since the store wrote the file has the path of then in it, and the same number and name.
    lost.retain(|url| Row::of(there[url], url).is_none_or(|row| !moved.contains(&row)));
    if !lost.is_empty() {
        return Err(refused(path, &why(&lost, &now)));
    }
    let kept = kept.into_iter().map(|url| NewCapture {
        url,
        ..NewCapture::default()
    });
    Ok(kept.collect())
}

/// A row of an export, whatever folder its image is in.
#[derive(PartialEq, Eq, Hash)]
struct Row {
    image: i64,
    name: OsString,
}

impl Row {
    fn of(image: i64, url: &str) -> Option<Self> {
        let name = file_url::path(url)?.file_name()?.to_owned();
        Some(Self { image, name })
    }
}

fn why(lost: &[String], now: &HashSet<String>) -> String {
    let images = counted(lost.len() as u64, "image");
    match renamed(lost, now) {
        Some((from, to)) => format!(
            "holds {images} of the folder `{}`, which are no longer there; files of the same names are in `{}` now. If the folder \
             was renamed, --overwrite replaces the file and loses none of them; with --database, renamed folders are known by \
             what their files hold. If not, give another name",
            from.display(),
            to.display()
        ),
        None => format!(
            "holds {images} of earlier runs that this one does not have and would lose; give another name, the store that wrote \
             the file (--database), or --overwrite"
        ),
    }
}

/// From which folder to which one all these files seem to have gone: none is where it was, and each has its name among
/// those of now.
fn renamed(lost: &[String], now: &HashSet<String>) -> Option<(PathBuf, PathBuf)> {
    let now: HashMap<_, PathBuf> = now
        .iter()
        .filter_map(|url| file_url::path(url))
        .filter_map(|path| Some((path.file_name()?.to_owned(), path)))
        .collect();
    let mut folders = None;
    for url in lost {
        let old = file_url::path(url)?;
        let new = now.get(old.file_name()?).filter(|_| !old.exists())?;
        folders.get_or_insert((old.parent()?.to_owned(), new.parent()?.to_owned()));
    }
    folders
}

/// Columns that every export has, and one of which each table has one. A list of images that somebody made has others, and
/// is nobody's to replace.
const COLUMNS: [&str; 2] = ["image_id", "image_url"];
const OF_A_TABLE: [&str; 2] = ["detection_id", "status"];

fn is_export<'a>(names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let has = |name: &str| names.clone().any(|n| n == name);
    COLUMNS.into_iter().all(has) && OF_A_TABLE.into_iter().any(has)
}

/// The images that an export names, with their numbers by their URLs; `None` if the file is none.
fn images_in(path: &Path, format: Format) -> Option<HashMap<String, i64>> {
    match format {
        Format::Csv => {
            let mut csv = csv::Reader::from_path(path).ok()?;
            let header = csv.headers().ok().filter(|h| is_export(h.iter()))?;
            let at = |name: &str| header.iter().position(|h| h == name);
            let (url, id) = (at("image_url")?, at("image_id")?);
            let rows = csv.into_records().map(|row| {
                let row = row.ok()?;
                Some((row.get(url)?.to_owned(), row.get(id)?.parse().ok()?))
            });
            rows.collect()
        }
        Format::Ndjson => {
            let text = std::fs::read_to_string(path).ok()?;
            let rows = text.lines().map(|line| {
                let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
                is_export(row.keys().map(String::as_str)).then_some(())?;
                Some((
                    row.get("image_url")?.as_str()?.to_owned(),
                    row.get("image_id")?.as_str()?.parse().ok()?,
                ))
            });
            rows.collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_seems_renamed_only_if_none_of_its_files_is_there_and_all_names_are_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let url = |path: &str| file_url::of(&dir.path().join(path), 1).unwrap();
        let now = HashSet::from([url("new/1.jpg"), url("new/2.jpg"), "https://h/1.jpg".to_owned()]);
        let of = |lost: &[String]| renamed(lost, &now);
        let both = Some((dir.path().join("old"), dir.path().join("new")));
        assert_eq!(of(&[url("old/1.jpg"), url("old/2.jpg")]), both);
        assert_eq!(of(&[url("old/1.jpg"), url("old/3.jpg")]), None, "another name");
        assert_eq!(of(&["https://h/2.jpg".to_owned()]), None, "no file");
        std::fs::create_dir(dir.path().join("old")).unwrap();
        std::fs::write(dir.path().join("old/1.jpg"), b"x").unwrap();
        assert_eq!(of(&[url("old/1.jpg")]), None, "it is still there");
    }

    #[test]
    fn a_list_that_somebody_made_is_no_export() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.csv");
        let urls = |text: &str, format| {
            std::fs::write(&path, text).unwrap();
            images_in(&path, format).map(|images| images.len())
        };
        for (text, found) in [
            ("image_url,taken_at\nfile:///1.jpg,\n", None),
            ("image_id,image_url,site\n1,file:///1.jpg,a\n", None),
            ("image_id,image_url,status\n1,file:///1.jpg,failed\n", Some(1)),
            ("job_id,image_id,image_url,detection_id\n", Some(0)),
            ("\0\u{1}", None),
        ] {
            assert_eq!(urls(text, Format::Csv), found, "{text}");
        }
        for (text, found) in [
            ("{\"image_url\":\"file:///1.jpg\"}\n", None),
            (
                "{\"image_id\":\"1\",\"image_url\":\"file:///1.jpg\",\"status\":\"failed\"}\n",
                Some(1),
            ),
            ("[1]\n", None),
        ] {
            assert_eq!(urls(text, Format::Ndjson), found, "{text}");
        }
    }
}
