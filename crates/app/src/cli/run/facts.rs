//! What is learnt of photographs while they are processed, on its way to the store.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use trapline_core::{
    CaptureId, Result, TakenAt,
    catalog::{CaptureFacts, Learnt},
    ports::Catalog,
};
use trapline_worker::photograph::Photograph;

/// Facts written at a time.
const SLICE: usize = 1_000;

/// Facts that are not written yet. Losing them loses no result.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    waiting: Vec<Learnt>,
    /// Of these more is in the store already.
    written: HashSet<CaptureId>,
}

impl Facts {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a worker saw of an image.
    pub(super) fn note(&self, image_id: &str, photograph: &Photograph) {
        let Ok(id) = image_id.parse().map(CaptureId) else {
            return;
        };
        let mut noted = self.noted();
        if !noted.written.contains(&id) {
            noted.waiting.push(Learnt {
                capture: id,
                url: None,
                facts: of(photograph),
            });
        }
    }

    /// What is known of this image was written elsewhere.
    pub(super) fn are_written(&self, id: CaptureId) {
        self.noted().written.insert(id);
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// As the store's.
    pub(super) async fn write(&self, catalog: &dyn Catalog) -> Result<()> {
        let waiting = std::mem::take(&mut self.noted().waiting);
        for slice in waiting.chunks(SLICE) {
            catalog.describe_captures(slice).await?;
        }
        Ok(())
    }
}

/// What a photograph says about itself, as a capture keeps it.
pub(super) fn of(photograph: &Photograph) -> CaptureFacts {
    let taken_at = photograph.taken_at.and_then(|t| {
        let zone = t.offset_minutes.map_or_else(String::new, |m| {
            let sign = if m < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", m.abs() / 60, m.abs() % 60)
        });
        TakenAt::parse(&format!("{}{zone}", t.local)).ok()
    });
    CaptureFacts {
        taken_at,
        width: photograph.width.map(i64::from),
        height: photograph.height.map(i64::from),
        camera: photograph.camera.clone(),
        ..CaptureFacts::default()
    }
}
