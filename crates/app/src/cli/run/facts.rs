//! What is learnt of photographs while they are processed, on its way to the store.

use std::sync::{Arc, Mutex, PoisonError};

use trapline_core::{CaptureId, Result, TakenAt, catalog::CaptureFacts, ports::Catalog};
use trapline_worker::photograph::Photograph;

/// Facts written at a time.
const SLICE: usize = 1_000;

/// Facts that are not written yet. Losing them loses no result.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(Arc<Mutex<Vec<(CaptureId, CaptureFacts)>>>);

impl Facts {
    /// Notes what a worker saw of an image.
    pub(super) fn note(&self, image_id: &str, photograph: &Photograph) {
        if let Ok(id) = image_id.parse() {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((CaptureId(id), of(photograph)));
        }
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// As the store's.
    pub(super) async fn write(&self, catalog: &dyn Catalog) -> Result<()> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
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
