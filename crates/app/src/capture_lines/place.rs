//! Where an image is: a URL, or a file of this machine.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use trapline_core::{TimePattern, catalog::ProjectSettings, time::head};

use super::{LINE_BYTES_MAX, decode::text, too_long};

/// Which files a list may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// None.
    Refused,
    /// Those of `file` URLs, which are kept as they are.
    AsUrls,
    /// Those of this machine, by `file` URL or by path; a relative one is in this folder.
    In(PathBuf),
}

impl Files {
    /// What a server allows.
    #[must_use]
    pub fn of_urls(allowed: bool) -> Self {
        if allowed { Self::AsUrls } else { Self::Refused }
    }
}

/// How the lines of a list are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which files it may name.
    pub(super) files: Files,
    /// How names tell a time, beside the usual ways.
    pub(crate) times: Option<TimePattern>,
}

impl From<Files> for Reading {
    fn from(files: Files) -> Self {
        Self { files, times: None }
    }
}

impl Reading {
    /// As a server reads a list for a project.
    #[must_use]
    pub fn of_project(files: Files, settings: &ProjectSettings) -> Self {
        let times = settings.time_pattern.as_deref();
        Self {
            files,
            times: times.and_then(|text| TimePattern::parse(text).ok()),
        }
    }
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Empty if it is not known.
    Url(String),
    File(PathBuf),
}

impl Place {
    /// Reads it; the second says that the text is no UTF-8 and was taken for Windows-1252.
    pub(super) fn parse(bytes: &[u8], files: &Files) -> Result<(Self, bool), String> {
        let bytes = bytes.trim_ascii();
        let (decoded, guessed) = text(bytes);
        let value = decoded.trim();
        if let Files::In(folder) = files {
            // Names of files are bytes.
            if guessed && let Some(path) = local(OsStr::from_bytes(bytes), folder, &|p| p.exists()) {
                return Ok((Self::File(path), false));
            }
            if let Some(path) = file(value, folder, &|p| p.exists())? {
                return Ok((Self::File(path), guessed));
            }
        }
        check_url(value, *files == Files::AsUrls)?;
        Ok((Self::Url(value.to_owned()), guessed))
    }
}

/// The file that a value names, `None` if it is something else.
fn file(value: &str, folder: &Path, exists: &dyn Fn(&Path) -> bool) -> Result<Option<PathBuf>, String> {
    if value.chars().any(char::is_control) {
        return Err("the file's name holds a control character".to_owned());
    }
    match value.split_at_checked(5) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file:") => of_uri(rest, exists).map(Some),
        _ if value.is_empty() || value.contains("://") => Ok(None),
        _ => match local(OsStr::new(value), folder, exists) {
            Some(path) => Ok(Some(path)),
            None => Err(format!(
                "`{}` is neither a URL nor a file in `{}`",
                head(value, 100),
                folder.display()
            )),
        },
    }
}

/// A path, if it is absolute, exists, or is named like an image.
fn local(path: &OsStr, folder: &Path, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    const IMAGES: [&str; 11] = [
        "jpg", "jpeg", "jfif", "png", "tif", "tiff", "bmp", "webp", "gif", "heic", "heif",
    ];
    let path = Path::new(path);
    let named = path.extension().and_then(OsStr::to_str);
    let is_image = named.is_some_and(|e| IMAGES.iter().any(|known| known.eq_ignore_ascii_case(e)));
    let absolute = path.is_absolute();
    let path = match path
        .to_str()
        .filter(|p| p.contains('\\') && !exists(&folder.join(p)))
    {
        // As Windows writes it.
        Some(path) => folder.join(path.replace('\\', "/")),
        None => folder.join(path),
    };
    (absolute || is_image || exists(&path)).then_some(path)
}

/// The path of what follows `file:`, as `Path.as_uri()` writes it, or with the name as it is.
fn of_uri(rest: &str, exists: &dyn Fn(&Path) -> bool) -> Result<PathBuf, String> {
    let host = rest.strip_prefix("//").map(|r| r.split('/').next().unwrap_or(r));
    let path = match host {
        None => rest,
        Some(host) if host.is_empty() || host.eq_ignore_ascii_case("localhost") => &rest[2 + host.len()..],
        Some(host) => {
            return Err(format!(
                "the file is on the machine `{}`, not on this one",
                head(host, 100)
            ));
        }
    };
    if !path.starts_with('/') {
        return Err(format!(
            "`file:{}` names no file: write file:///…",
            head(rest, 100)
        ));
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let raw = Path::new(path);
    if decoded.contains(&0) {
        return Err("the file's name holds a control character".to_owned());
    }
    let decoded = Path::new(OsStr::from_bytes(&decoded));
    Ok(if exists(raw) { raw } else { decoded }.to_owned())
}

/// The server never fetches a URL; it only keeps those from workers that they must not follow.
fn check_url(url: &str, allow_file: bool) -> Result<(), String> {
    if url.is_empty() {
        return Ok(());
    }
    if url.chars().any(char::is_control) {
        return Err("the URL holds a control character".to_owned());
    }
    if url.len() > LINE_BYTES_MAX {
        return Err(too_long());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("`{}` is not a URL", head(url, 100)));
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" if rest.is_empty() || rest.starts_with('/') => {
            Err(format!("the URL `{}` names no host", head(url, 100)))
        }
        "http" | "https" => Ok(()),
        "file" if allow_file => Ok(()),
        _ => Err(format!(
            "the scheme `{}` is not allowed, only http and https",
            head(&scheme, 20)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_http_or_where_allowed_file() {
        let read = |line: &str, files| Place::parse(line.as_bytes(), &files);
        for good in ["https://h/a b.jpg", "", "HTTP://h/a"] {
            let place = Ok((Place::Url(good.to_owned()), false));
            assert_eq!(read(good, Files::Refused), place);
            assert_eq!(read(good, Files::In("/".into())), place);
        }
        assert!(read("file:///a.jpg", Files::AsUrls).is_ok());
        for bad in [
            "file:///a.jpg",
            "ftp://h/a",
            "a.jpg",
            "http://",
            "http:///a",
            "http://h/\u{0}",
        ] {
            assert!(read(bad, Files::Refused).is_err(), "{bad}");
        }
        assert!(read("ftp://h/a", Files::In("/".into())).is_err());
    }

    #[test]
    fn a_file_is_named_by_uri_or_path_as_it_is_or_percent_encoded() {
        let there = ["/n/a%20b.jpg", "/n/c d #2 é.jpg", "/n/list/notes"];
        let exists = |p: &Path| there.contains(&p.to_str().unwrap());
        let read = |value: &str| file(value, Path::new("/n/list"), &exists);
        for (value, path) in [
            ("file:///n/c%20d%20%232%20%C3%A9.jpg", "/n/c d #2 é.jpg"),
            ("file:///n/c d #2 é.jpg", "/n/c d #2 é.jpg"),
            ("file://localhost/n/c%20d%20%232%20%c3%a9.jpg", "/n/c d #2 é.jpg"),
            ("FILE:/n/gone%21.jpg", "/n/gone!.jpg"),
            ("file:///n/a%20b.jpg", "/n/a%20b.jpg"),
            ("/n/a%20b.jpg", "/n/a%20b.jpg"),
            ("/elsewhere", "/elsewhere"),
            ("x/1.JPG", "/n/list/x/1.JPG"),
            ("notes", "/n/list/notes"),
            ("x\\1.jpg", "/n/list/x/1.jpg"),
        ] {
            assert_eq!(read(value), Ok(Some(path.into())), "{value}");
        }
        for bad in ["not a url", "file://nas/a.jpg", "file:a.jpg", "file:///a%00.jpg"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let bytes = read("file:///n/K%E4fer.jpg").unwrap().unwrap();
        assert_eq!(bytes.as_os_str().as_bytes(), b"/n/K\xe4fer.jpg");
    }
}
