//! Thumbnails that workers post with results: taken into memory, written behind, and thrown away as they become too many. Nobody
//! waits for one, and losing them loses nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use trapline_backends::{Known, SIZE_BYTES, Thumbnail, Thumbnails};
use trapline_core::{CaptureId, JobId, Result, error::chain};
use trapline_engine::{Engine, Supervisor};

use super::Opened;
use crate::config::Database;

const WRITE_EVERY: Duration = Duration::from_secs(2);
/// Thumbnails that wait to be written; those beyond it are not kept.
const WAITING_MAX: usize = 2_000;
const SLICE: usize = 200;
/// Slices that one turn removes, lest a stop wait for it. The next turn goes on where it ended.
const TRIMS_MAX: usize = 50;

/// The thumbnails of a node; none if it keeps none.
#[derive(Clone, Debug, Default)]
pub struct Thumbs(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    at: Thumbnails,
    bytes_max: u64,
    /// How large they are; 0 until it is known. More than `bytes_max` until enough of them are removed.
    bytes: AtomicU64,
    waiting: Mutex<Vec<Thumbnail>>,
}

impl Thumbs {
    /// Keeps thumbnails until they are too many.
    #[must_use]
    pub fn kept(at: Thumbnails, bytes_max: u64) -> Self {
        Self(Some(Arc::new(Kept {
            at,
            bytes_max,
            bytes: AtomicU64::new(0),
            waiting: Mutex::default(),
        })))
    }

    /// Takes one, or a size with an empty one, if there is room.
    pub(crate) fn offer(&self, job: JobId, capture: CaptureId, size: (i64, i64), jpeg: Vec<u8>) {
        let Some(kept) = &self.0 else { return };
        let mut waiting = kept.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(Thumbnail {
                capture,
                job,
                size,
                jpeg,
            });
        }
    }

    /// Writes what waits, now and then.
    pub fn serve(&self, supervisor: &Supervisor, engine: &Engine) {
        let (thumbs, engine) = (self.clone(), engine.clone());
        supervisor.every("thumbnails", WRITE_EVERY, move || {
            let (thumbs, engine) = (thumbs.clone(), engine.clone());
            async move {
                thumbs.write(&engine).await;
                Ok(())
            }
        });
    }

    /// Writes what waits. What can't be written is lost. Of a project that keeps none, sizes alone are written: boxes are in them.
    pub async fn write(&self, engine: &Engine) {
        let Some(kept) = &self.0 else { return };
        let mut taken = std::mem::take(&mut *kept.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let written = async {
            let jobs = taken.iter().map(|t| t.job).collect();
            let keeps = engine.jobs_with_thumbnails(jobs).await?;
            for other in taken.iter_mut().filter(|t| !keeps.contains(&t.job)) {
                other.jpeg.clear();
            }
            kept.write(&taken).await
        };
        if let Err(error) = written.await {
            tracing::debug!(error = chain(&error), "thumbnails were not kept");
        }
    }

    /// The thumbnail of a photograph, if there is one that can be had.
    pub(crate) async fn find(&self, capture: CaptureId) -> Option<Vec<u8>> {
        self.0.as_ref()?.at.find(capture).await.unwrap_or_default()
    }

    /// What is known of those photographs.
    pub(crate) async fn sizes(&self, captures: &[CaptureId]) -> HashMap<CaptureId, Known> {
        match &self.0 {
            Some(kept) => kept.at.sizes(captures).await.unwrap_or_default(),
            None => HashMap::new(),
        }
    }

    /// How large they are, as it was counted when this node wrote some: no page adds them up.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let bytes = self.0.as_ref()?.bytes.load(Ordering::Relaxed);
        (bytes > 0).then_some(bytes)
    }

    /// Closes where they are.
    pub async fn close(&self) {
        if let Some(kept) = &self.0 {
            kept.at.close().await;
        }
    }
}

impl Kept {
    /// Keeps what was taken, unless there are still too many from before. So there are never more than `bytes_max` and what
    /// one turn takes, however small the old ones are that have to go for it.
    async fn write(&self, taken: &[Thumbnail]) -> Result<()> {
        if !self.trim().await? || taken.is_empty() {
            return Ok(());
        }
        for slice in taken.chunks(SLICE) {
            self.at.keep(slice).await?;
        }
        let bytes = |t: &Thumbnail| match t.jpeg.len() as u64 {
            0 => SIZE_BYTES.unsigned_abs(),
            bytes => bytes,
        };
        let added: u64 = taken.iter().map(bytes).sum();
        let now = match self.bytes.load(Ordering::Relaxed) {
            0 => self.at.bytes().await?,
            known => known + added,
        };
        self.bytes.store(now, Ordering::Relaxed);
        self.trim().await?;
        Ok(())
    }

    /// Removes old ones, slice by slice, until there are few enough; returns whether there are.
    async fn trim(&self) -> Result<bool> {
        if self.bytes.load(Ordering::Relaxed) <= self.bytes_max {
            return Ok(true);
        }
        // Another node removes them; until there is room, nothing more is kept.
        let Some(mut turn) = self.at.turn().await? else {
            return Ok(false);
        };
        // What was replaced was counted twice, and other nodes write too.
        let mut now = turn.bytes().await?;
        for _ in 0..TRIMS_MAX {
            if now <= self.bytes_max {
                break;
            }
            match turn.trim().await? {
                0 => break,
                removed => now = now.saturating_sub(removed),
            }
        }
        turn.end().await?;
        self.bytes.store(now, Ordering::Relaxed);
        Ok(now <= self.bytes_max)
    }
}

impl Opened {
    /// Where thumbnails are kept, beside the store; nowhere if that can't be opened, which loses nothing.
    pub(super) async fn thumbs(&self, database: &str, bytes_max: u64) -> Thumbs {
        if bytes_max == 0 {
            return Thumbs::default();
        }
        let at = match (self, Database::parse(database)) {
            (Self::Postgres(store), _) => Thumbnails::beside(store).await,
            (Self::Sqlite(_), Ok(Database::Sqlite(path))) => {
                Thumbnails::file(&path.with_extension("thumbs.db")).await
            }
            _ => return Thumbs::default(),
        };
        match at {
            Ok(at) => Thumbs::kept(at, bytes_max),
            Err(error) => {
                tracing::warn!(error = chain(&error), "no thumbnails are kept");
                Thumbs::default()
            }
        }
    }
}
