//! The image files of a folder, searched recursively and sorted. One entry that can't be read costs that entry, and what
//! is passed over is counted by its kind.

use std::{
    collections::BTreeMap,
    fs::FileType,
    path::{Path, PathBuf},
};

/// What is read, by the ending of the name.
pub(super) const IMAGES: [&str; 10] = [
    "jpg", "jpeg", "jfif", "png", "tif", "tiff", "bmp", "webp", "heic", "heif",
];
/// Pictures and films that are known and not read; they are counted by name.
const UNREAD: [&str; 20] = [
    "avif", "cr2", "cr3", "crw", "nef", "nrw", "arw", "dng", "orf", "rw2", "raf", "pef", "srw", "raw", "gif",
    "jp2", "psd", "mp4", "mov", "avi",
];
/// Folders that file servers, cameras and desktops keep for themselves.
const SYSTEM: [&str; 8] = [
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "__macosx",
    "@recycle",
];

/// What a walk came by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// Absolute paths of image files, in order.
    pub(super) images: Vec<PathBuf>,
    /// How many entries of which kind were passed over.
    pub(super) passed_over: BTreeMap<String, u64>,
    /// Folders that can't be read, and why.
    pub(super) closed: Vec<(PathBuf, String)>,
}

fn extension(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

/// Whether a file's name is that of an image that can be read.
pub(super) fn is_image(path: &Path) -> bool {
    IMAGES.contains(&extension(path).as_str())
}

/// Small copies of pictures beside them: those that Windows keeps of a folder, and those that cameras make of films.
fn is_thumbnail(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_ascii_lowercase();
    extension(path) == "thm" || name == "thumbs.db" || name == "ehthumbs.db"
}

impl Walk {
    /// Searches a folder.
    pub(super) fn folder(&mut self, folder: &Path) {
        let read = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = match read {
            Ok(entries) => entries,
            Err(error) => {
                self.closed.push((folder.to_owned(), reason(&error)));
                return;
            }
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            // What can't be told is taken for a file; it fails with its reason if it is none.
            match entry.file_type() {
                Ok(kind) if is_folder(kind, &path) => self.inner(&path, kind),
                _ => self.file(path),
            }
        }
    }

    fn inner(&mut self, folder: &Path, kind: FileType) {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if SYSTEM.contains(&name.as_str()) {
            self.pass(&format!(
                "`{}` folder",
                folder.file_name().unwrap_or_default().display()
            ));
        } else if name.starts_with('.') {
            self.pass("hidden folder");
        } else if kind.is_symlink() {
            // It may lead round in a circle, or to what is searched anyway.
            self.pass("linked folder");
        } else {
            self.folder(folder);
        }
    }

    fn file(&mut self, path: PathBuf) {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        let ending = extension(&path);
        if hidden {
            self.pass("hidden file");
        } else if is_image(&path) {
            self.images.push(path);
        } else if is_thumbnail(&path) {
            self.pass("thumbnail file");
        } else if UNREAD.contains(&ending.as_str()) {
            self.pass(&format!("{} file", ending.to_uppercase()));
        } else {
            self.pass("other file");
        }
    }

    fn pass(&mut self, kind: &str) {
        *self.passed_over.entry(kind.to_owned()).or_default() += 1;
    }
}

fn is_folder(kind: FileType, path: &Path) -> bool {
    kind.is_dir() || kind.is_symlink() && path.is_dir()
}

/// Why a file or folder can't be read, in words.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "it may not be read (permission denied)".to_owned(),
        std::io::ErrorKind::NotFound => "it is gone".to_owned(),
        _ => error.to_string(),
    }
}

/// `12 CR2 files, 1 linked folder`; empty if nothing was passed over.
pub(super) fn listed(passed_over: &BTreeMap<String, u64>) -> String {
    let each = passed_over
        .iter()
        .map(|(kind, n)| trapline_core::words::counted(*n, kind));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_searched_recursively_in_order_and_what_is_passed_over_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in [
            "b/2.JPG",
            "a.png",
            "b/1.tiff",
            "c.JFIF",
            ".hidden/x.jpg",
            "b/.x.jpg",
            "b/._2.jpg",
            "notes.txt",
            "1.AVIF",
            "2.avif",
            "3.cr2",
            "b/@eaDir/2.JPG",
            "$RECYCLE.BIN/9.jpg",
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        symlink(&root, root.join("b/round")).unwrap();
        symlink("nowhere.jpg", root.join("b/3.jpg")).unwrap();
        symlink("self.jpg", root.join("self.jpg")).unwrap();
        let mut walk = Walk::default();
        walk.folder(&root);
        let expected = ["a.png", "b/1.tiff", "b/2.JPG", "b/3.jpg", "c.JFIF", "self.jpg"];
        assert_eq!(walk.images, expected.map(|n| root.join(n)));
        assert_eq!(
            listed(&walk.passed_over),
            "2 AVIF files, 1 CR2 file, 1 `$RECYCLE.BIN` folder, 1 `@eaDir` folder, 2 hidden files, 1 hidden folder, \
             1 linked folder, 1 other file"
        );
        assert_eq!(walk.closed, []);
        walk.folder(&root.join("gone"));
        assert_eq!(walk.closed, [(root.join("gone"), "it is gone".to_owned())]);
    }

    /// What a folder with these files in it comes to.
    fn walked(names: &[&str]) -> (Vec<String>, String) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in names {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        let mut walk = Walk::default();
        walk.folder(&root);
        assert_eq!(walk.closed, []);
        let inner = |path: PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        let images = walk.images.into_iter().map(inner).collect();
        (images, listed(&walk.passed_over))
    }

    #[test]
    fn what_recycle_bins_and_servers_keep_is_passed_over_under_the_name_it_has() {
        for folder in [
            "#recycle",
            "#Recycle",
            "RECYCLER",
            "Recycler",
            "__MACOSX",
            "System Volume Information",
            "SYSTEM VOLUME INFORMATION",
            "$Recycle.Bin",
            "@Recycle",
            "#snapshot",
        ] {
            let inside = format!("june/{folder}/S-1-5-21/1.jpg");
            let (images, passed) = walked(&[&inside, "june/1.jpg"]);
            assert_eq!(images, ["june/1.jpg"], "{folder}");
            assert_eq!(passed, format!("1 `{folder}` folder"));
        }
        let named = [
            "recycle/1.jpg",
            "my #recycle/1.jpg",
            "macosx/1.jpg",
            "RECYCLER.jpg",
        ];
        let (images, passed) = walked(&named);
        assert_eq!((images.len(), passed.as_str()), (4, ""), "{images:?}");
    }

    #[test]
    fn thumbnails_are_no_images_and_are_counted_as_what_they_are() {
        for (name, expected) in [
            ("Thumbs.db", "1 thumbnail file"),
            ("thumbs.DB", "1 thumbnail file"),
            ("MVI_0042.THM", "1 thumbnail file"),
            ("ehthumbs.db", "1 thumbnail file"),
            ("birds.db", "1 other file"),
            (".thm", "1 hidden file"),
        ] {
            let (images, passed) = walked(&[name, "2.jpg"]);
            assert_eq!(
                (images, passed.as_str()),
                (vec!["2.jpg".to_owned()], expected),
                "{name}"
            );
        }
        let (images, passed) = walked(&["a/Thumbs.db", "b/Thumbs.db", "b/1.thm"]);
        assert_eq!((images.len(), passed.as_str()), (0, "3 thumbnail files"));
    }

    #[test]
    fn a_folder_with_the_name_of_an_image_is_searched_and_a_socket_is_taken_for_a_file() {
        let (images, passed) = walked(&["x.jpg/1.jpg", "x.jpg/y.PNG/2.jpg", ".z.jpg/3.jpg"]);
        assert_eq!(images, ["x.jpg/1.jpg", "x.jpg/y.PNG/2.jpg"]);
        assert_eq!(passed, "1 hidden folder");
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("x.jpg");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        symlink(&socket, dir.path().join("y.jpg")).unwrap();
        let mut walk = Walk::default();
        walk.folder(dir.path());
        assert_eq!(walk.images, [socket, dir.path().join("y.jpg")]);
    }
}
