//! `file://` URLs of local photographs. A path that came to hold another photograph has a fragment that tells the
//! versions apart: `file:///card/IMG_0001.JPG#2`.

use std::path::{Path, PathBuf};

use reqwest::Url;

const SCHEME: &str = "file://";

/// The URL of an absolute path; any bytes of its name are percent-encoded. `version` counts from 1.
///
/// # Errors
/// A text that says that the path is not absolute.
pub(crate) fn of(path: &Path, version: usize) -> Result<String, String> {
    let mut url =
        Url::from_file_path(path).map_err(|()| format!("`{}` is not an absolute path", path.display()))?;
    if version > 1 {
        url.set_fragment(Some(&version.to_string()));
    }
    Ok(url.into())
}

/// The path that a URL names, if it is one of a local file.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    url.starts_with(SCHEME)
        .then(|| Url::parse(url).ok()?.to_file_path().ok())?
}

/// How people read a URL: a local file's by its path.
pub(crate) fn shown(url: &str) -> String {
    path(url).map_or_else(|| url.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    #[test]
    fn any_file_name_becomes_a_url_and_a_path_again() {
        for name in [
            &b"1.jpg"[..],
            b"M\xe4rz 1#2?.jpg",
            b"50%25 \n.jpg",
            "n\u{e9}.jpg".as_bytes(),
        ] {
            let file = Path::new("/card").join(OsStr::from_bytes(name));
            for version in [1, 2] {
                let url = of(&file, version).unwrap();
                assert!(url.is_ascii() && !url.contains([' ', '?', '\n']), "{url}");
                assert_eq!(path(&url).as_deref(), Some(&*file), "{url}");
                assert_eq!(url.ends_with("#2"), version == 2, "{url}");
            }
        }
        assert!(of(Path::new("a.jpg"), 1).is_err());
        assert_eq!(path("https://h/1.jpg"), None);
        assert_eq!(shown("file:///a%20b.jpg"), "/a b.jpg");
        assert_eq!(shown("https://h/a%20b.jpg"), "https://h/a%20b.jpg");
    }
}
