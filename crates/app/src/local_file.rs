//! Photographs that are files of this machine: read whole, and only while they are what was processed.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use axum::http::StatusCode;
use bytes::Bytes;
use rustix::{fs::OFlags, io::Errno};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use trapline_core::{
    Error, Result, Timestamp,
    catalog::{Capture, FileVersion},
    words::hex,
};

use crate::file_url;

/// No worker of ours takes more.
const BYTES_MAX: usize = 128 << 20;

/// Which files of this machine a signed-in person may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocalFiles {
    /// None.
    #[default]
    None,
    /// Those of any capture, as in `trapline run`, whose user chose them.
    All,
    /// Those below a folder, named without links.
    Below(PathBuf),
}

impl LocalFiles {
    /// Those below a folder, if one is named.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn below(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self::None);
        };
        let real = folder.canonicalize().and_then(|real| match real.is_dir() {
            true => Ok(real),
            false => Err(ErrorKind::NotADirectory.into()),
        });
        real.map(Self::Below)
            .map_err(|e| Error::invalid(format!("`files`: {} is no folder: {e}", folder.display())))
    }

    /// The path of a capture's file, if its name alone does not forbid to show it.
    pub(crate) fn may_be(&self, url: &str) -> bool {
        file_url::path(url).is_some_and(|path| match self {
            Self::None => false,
            Self::All => true,
            Self::Below(folder) => path.starts_with(folder),
        })
    }

    /// The file that a URL leads to, with no link left in its path, if it may be shown.
    pub(crate) async fn find(&self, url: &str) -> Result<PathBuf, Unreadable> {
        let hidden = || Unreadable::new(StatusCode::NOT_FOUND, "the image is not shown here");
        let path = file_url::path(url).ok_or_else(hidden)?;
        let folder = match self {
            Self::None => return Err(hidden()),
            Self::All => return Ok(path),
            Self::Below(folder) => folder,
        };
        // Said of nothing outside of the folder, not even whether it is there.
        let real = tokio::fs::canonicalize(&path)
            .await
            .map_err(|e| match path.starts_with(folder) {
                true => e.into(),
                false => hidden(),
            })?;
        real.starts_with(folder).then_some(real).ok_or_else(hidden)
    }
}

/// The content of a file, and which it is.
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    pub(crate) version: FileVersion,
}

/// A file that is no larger than may be read. What lies at its path may be another by now.
pub(crate) struct Opened {
    file: tokio::fs::File,
    stat: Stat,
}

impl Opened {
    pub(crate) async fn at(path: &Path) -> Result<Self, Unreadable> {
        // Opening a FIFO would wait for a writer.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let mut options = tokio::fs::OpenOptions::new();
        let opened = options.read(true).custom_flags(nonblocking).open(path).await;
        let file = opened.map_err(|e| match Errno::from_io_error(&e) {
            // A socket can't be opened.
            Some(Errno::NXIO) => not_a_file(),
            _ => e.into(),
        })?;
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(not_a_file());
        }
        let opened = Self {
            file,
            stat: stat(&metadata),
        };
        match opened.size() > BYTES_MAX {
            true => Err(too_large()),
            false => Ok(opened),
        }
    }

    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.stat.0).unwrap_or(usize::MAX)
    }

    /// Reads it whole. Its content is what was processed of the capture, or nobody has processed that yet.
    pub(crate) async fn read(self, capture: &Capture) -> Result<Read, Unreadable> {
        let (size, modified) = self.stat;
        let mut bytes = Vec::with_capacity(self.size());
        // It may grow meanwhile.
        self.file
            .take(BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .await?;
        if bytes.len() > BYTES_MAX {
            return Err(too_large());
        }
        let bytes = Bytes::from(bytes);
        let whole = bytes.clone();
        let digest = tokio::task::spawn_blocking(move || hex(&Sha256::digest(&whole)))
            .await
            .map_err(|_| Unreadable::new(StatusCode::UNPROCESSABLE_ENTITY, "the file can't be read"))?;
        let before = capture.facts.file.as_ref().and_then(|f| f.digest.as_ref());
        if before.is_some_and(|before| *before != digest) {
            let why = "the file holds another photograph now; run the folder again to process that one";
            return Err(Unreadable::new(StatusCode::GONE, why));
        }
        let version = FileVersion {
            size,
            modified,
            digest: Some(digest),
        };
        Ok(Read { bytes, version })
    }
}

fn not_a_file() -> Unreadable {
    Unreadable::new(StatusCode::UNPROCESSABLE_ENTITY, "not a regular file")
}

fn too_large() -> Unreadable {
    let why = format!("larger than {BYTES_MAX} bytes");
    Unreadable::new(StatusCode::PAYLOAD_TOO_LARGE, why)
}

/// Why a file can't be had, in words for people.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

impl Unreadable {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::new(StatusCode::NOT_FOUND, "file not found"),
            ErrorKind::PermissionDenied => Self::new(
                StatusCode::FORBIDDEN,
                "the file may not be read (permission denied)",
            ),
            _ => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the file can't be read: {error}"),
            ),
        }
    }
}

/// Size and time of a file.
pub(crate) type Stat = (i64, Timestamp);

/// Size and time as they are stored.
pub(crate) fn stat(metadata: &std::fs::Metadata) -> Stat {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let micros = modified.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    (
        i64::try_from(metadata.len()).unwrap_or(i64::MAX),
        Timestamp(micros),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_words() {
        for (kind, detail) in [
            (ErrorKind::NotFound, "file not found"),
            (
                ErrorKind::PermissionDenied,
                "the file may not be read (permission denied)",
            ),
        ] {
            assert_eq!(Unreadable::from(io::Error::from(kind)).detail, detail);
        }
        let other = Unreadable::from(io::Error::other("device is on fire"));
        assert_eq!(other.detail, "the file can't be read: device is on fire");
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
