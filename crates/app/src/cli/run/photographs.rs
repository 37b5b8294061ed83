//! Which local files are photographs that the store knows.
//!
//! A photograph is its content, not its path. A file is one that is known if the known one had the same path and the
//! same content, or the same content under a path where that content no longer is (it was moved or renamed). A second
//! file with the content of one that is still there is a photograph of its own. What was never processed leaves its
//! place to what comes under its path: a damaged file that was mended is one photograph, not two.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use trapline_core::{
    CaptureId, Timestamp,
    catalog::{Capture, CaptureFacts, FileVersion, Learnt, NewCapture},
    words::hex,
};

use crate::{
    capture_lines::file_name,
    file_url,
    local_file::{Stat, stat},
};

/// A local file that the sources name.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalFile {
    pub(super) path: PathBuf,
    /// What a manifest says about it.
    pub(super) about: CaptureFacts,
}

/// Where files are looked at.
pub(super) trait Disk {
    /// `None` if there is no such file.
    fn stat(&self, path: &Path) -> Option<Stat>;
    /// When a file was last written or put there, which no program can set back; `None` if there is none.
    fn changed(&self, path: &Path) -> Option<Timestamp>;
    /// `None` if it can't be read.
    fn digest(&self, path: &Path) -> Option<String>;
}

/// The disk of this machine, until nobody wants to know any more: then every file is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct RealDisk {
    given_up: Arc<AtomicBool>,
}

impl RealDisk {
    /// Gives up when it is dropped, so that a reader of large files does not outlive who asked.
    pub(super) fn guard(&self) -> GivesUp {
        GivesUp(Arc::clone(&self.given_up))
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// Whoever waits for what a [`RealDisk`] says.
pub(super) struct GivesUp(Arc<AtomicBool>);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Disk for RealDisk {
    fn stat(&self, path: &Path) -> Option<Stat> {
        if self.is_given_up() {
            return None;
        }
        std::fs::metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|m| stat(&m))
    }

    fn changed(&self, path: &Path) -> Option<Timestamp> {
        let metadata = std::fs::metadata(path).ok()?;
        let micros = metadata.ctime().checked_mul(1_000_000)? + metadata.ctime_nsec() / 1_000;
        Some(Timestamp(micros))
    }

    fn digest(&self, path: &Path) -> Option<String> {
        let read = || -> io::Result<String> {
            let mut file = File::open(path)?;
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 1 << 20];
            loop {
                if self.is_given_up() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                match file.read(&mut buffer)? {
                    0 => return Ok(hex(&hash.finalize())),
                    n => hash.update(&buffer[..n]),
                }
            }
        };
        self.stat(path).and_then(|_| read().ok())
    }
}

/// A photograph that the store knows.
struct Known {
    id: CaptureId,
    path: PathBuf,
    url: String,
    file: Option<FileVersion>,
    /// When it was last processed, if ever.
    processed: Option<Timestamp>,
}

/// What is to be stored.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Every file, by the URL that it has from now on.
    pub(super) captures: Vec<NewCapture>,
    /// Which of them are known under no path, by what can be read of them.
    pub(super) unknown: Vec<usize>,
    /// What has changed of those that are known.
    pub(super) learnt: Vec<Learnt>,
    /// How many are known under another path.
    pub(super) moved: u64,
    /// How many have the path of a known one, and other content.
    pub(super) replaced: u64,
    /// The URLs that known ones had before they were moved.
    pub(super) old_urls: Vec<String>,
}

/// Decides what each file is. Files are read only where size and time don't tell.
pub(super) fn plan(
    files: Vec<LocalFile>,
    captures: Vec<Capture>,
    processed: &HashMap<CaptureId, Timestamp>,
    disk: &impl Disk,
) -> Plan {
    let known: Vec<Known> = captures
        .into_iter()
        .filter_map(|c| {
            Some(Known {
                path: file_url::path(&c.url)?,
                id: c.id,
                processed: processed.get(&c.id).copied(),
                url: c.url,
                file: c.facts.file,
            })
        })
        .collect();
    let mut planner = Planner::new(&known, disk);
    let mut rest = Vec::new();
    for file in files {
        if !planner.at_its_path(&file) {
            rest.push(file);
        }
    }
    for file in rest {
        planner.elsewhere(file);
    }
    planner.plan
}

struct Planner<'a, D> {
    disk: &'a D,
    by_path: HashMap<&'a Path, Vec<&'a Known>>,
    /// With a digest, by size: what may have been moved.
    by_size: BTreeMap<i64, Vec<&'a Known>>,
    /// Those that are some file's already.
    taken: HashSet<CaptureId>,
    /// Versions per path, those of this plan included.
    versions: HashMap<PathBuf, usize>,
    plan: Plan,
}

impl<'a, D: Disk> Planner<'a, D> {
    fn new(known: &'a [Known], disk: &'a D) -> Self {
        let mut by_path: HashMap<&Path, Vec<&Known>> = HashMap::new();
        let mut by_size: BTreeMap<i64, Vec<&Known>> = BTreeMap::new();
        let mut versions = HashMap::new();
        for k in known {
            by_path.entry(&k.path).or_default().push(k);
            if let Some(file) = k.file.as_ref().filter(|f| f.digest.is_some()) {
                by_size.entry(file.size).or_default().push(k);
            }
            let version = k
                .url
                .rsplit_once('#')
                .and_then(|(_, n)| n.parse().ok())
                .unwrap_or(1);
            let newest = versions.entry(k.path.clone()).or_insert(0);
            *newest = version.max(*newest);
        }
        Self {
            disk,
            by_path,
            by_size,
            taken: HashSet::with_capacity(known.len()),
            versions,
            plan: Plan::default(),
        }
    }

    /// A file that is what its path was before, or that takes the place of one that was never processed.
    fn at_its_path(&mut self, file: &LocalFile) -> bool {
        let Some(here) = self.by_path.get(&*file.path).cloned() else {
            return false;
        };
        let Some((size, modified)) = self.disk.stat(&file.path) else {
            // It can't be read, and fails with its reason, as what it was called last.
            let last = here
                .iter()
                .max_by_key(|k| k.id)
                .filter(|k| !self.taken.contains(&k.id));
            if let Some(k) = last {
                self.is_known(k, None);
            }
            return last.is_some();
        };
        let unchanged = |k: &&&Known| {
            k.file
                .as_ref()
                .is_none_or(|f| (f.size, f.modified) == (size, modified) && !self.is_written_since(k, f))
        };
        if let Some(k) = here.iter().rev().find(unchanged) {
            self.is_known(k, None);
            return true;
        }
        let of = |k: &&&Known| {
            k.file
                .as_ref()
                .filter(|f| f.size == size)
                .and_then(|f| f.digest.clone())
        };
        let mut digest = None;
        if here.iter().any(|k| of(&k).is_some()) {
            digest = self.disk.digest(&file.path);
        }
        let same = |k: &&&Known| digest.is_some() && of(k) == digest;
        let unprocessed = |k: &&&Known| k.processed.is_none() && !self.taken.contains(&k.id);
        let found = here
            .iter()
            .find(same)
            .or_else(|| here.iter().rev().find(unprocessed));
        let Some(k) = found else { return false };
        let touched = FileVersion {
            size,
            modified,
            digest: digest.filter(|d| of(&k).as_ref() == Some(d)),
        };
        self.is_known(k, Some(touched));
        true
    }

    /// Whether its file was written or put there since it was processed: then size and time tell nothing. A camera without a
    /// clock, or a copy that keeps times, makes other photographs that have both.
    fn is_written_since(&self, k: &Known, file: &FileVersion) -> bool {
        let changed = || self.disk.changed(&k.path);
        file.digest.is_some() && k.processed.is_some_and(|at| changed() > Some(at))
    }

    fn is_known(&mut self, k: &Known, touched: Option<FileVersion>) {
        self.taken.insert(k.id);
        if touched.is_some() {
            self.plan.learnt.push(learnt(k.id, None, touched));
        }
        self.plan.captures.push(NewCapture {
            url: k.url.clone(),
            ..NewCapture::default()
        });
    }

    /// A file that was moved here, or is new.
    fn elsewhere(&mut self, file: LocalFile) {
        let stat = self.disk.stat(&file.path);
        let from = stat.and_then(|(size, _)| self.moved_from(&file.path, size));
        if self.by_path.contains_key(&*file.path) {
            self.plan.replaced += 1;
        }
        let version = self.versions.entry(file.path.clone()).or_insert(0);
        *version += 1;
        let Ok(url) = file_url::of(&file.path, *version) else {
            return; // All paths are absolute.
        };
        let now = stat.map(|(size, modified)| FileVersion {
            size,
            modified,
            digest: None,
        });
        if let Some((k, digest)) = from {
            self.taken.insert(k.id);
            self.plan.moved += 1;
            self.plan.old_urls.push(k.url.clone());
            let digest = Some(digest);
            let file = now.clone().map(|f| FileVersion { digest, ..f });
            self.plan.learnt.push(learnt(k.id, Some(url.clone()), file));
        } else {
            self.plan.unknown.push(self.plan.captures.len());
        }
        let named = || file_name::taken_at(&file.path, None);
        self.plan.captures.push(NewCapture {
            url,
            facts: CaptureFacts {
                taken_at: file.about.taken_at.or_else(named),
                file: now,
                ..file.about
            },
        });
    }

    /// The known photograph that this file is, if it was moved, with the digest of both.
    fn moved_from(&self, path: &Path, size: i64) -> Option<(&'a Known, String)> {
        let candidates = self.by_size.get(&size)?;
        let free = || candidates.iter().filter(|k| !self.taken.contains(&k.id));
        free().next()?;
        let digest = self.disk.digest(path)?;
        let is_it = |k: &&&Known| k.file.as_ref().and_then(|f| f.digest.as_ref()) == Some(&digest);
        let found = free().filter(is_it).find(|k| self.is_gone(k))?;
        Some((found, digest))
    }

    /// Whether a known photograph is no longer where it was.
    fn is_gone(&self, k: &Known) -> bool {
        let Some((size, modified)) = self.disk.stat(&k.path) else {
            return true;
        };
        k.file.as_ref().is_some_and(|f| {
            let is_same = (f.size, f.modified) == (size, modified) && !self.is_written_since(k, f);
            !is_same && (f.size != size || self.disk.digest(&k.path) != f.digest)
        })
    }
}

fn learnt(capture: CaptureId, url: Option<String>, file: Option<FileVersion>) -> Learnt {
    let facts = CaptureFacts {
        file,
        ..CaptureFacts::default()
    };
    Learnt { capture, url, facts }
}

#[cfg(test)]
mod tests;
