//! Thumbnails in a table beside the store.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use trapline_backends::{Known, SIZE_BYTES, Thumbnail, Thumbnails};
use trapline_core::{CaptureId, JobId};

use crate::{
    ManualClock,
    support::{Databases, connect},
};

/// A thumbnail of so many bytes.
fn thumbnail(job: i64, capture: i64, bytes: usize) -> Thumbnail {
    Thumbnail {
        capture: CaptureId(capture),
        job: JobId(job),
        size: (4_000 + capture, 3_000),
        jpeg: vec![0xff; bytes],
    }
}

pub(crate) async fn thumbnails_are_in_a_table_that_all_nodes_share_and_the_oldest_job_goes_first(
    databases: Arc<Databases>,
) {
    let url = databases.fresh().await;
    let clock = ManualClock::new();
    let (a, b) = (connect(&url, &clock).await, connect(&url, &clock).await);
    let (a, b) = futures::join!(Thumbnails::beside(&a), Thumbnails::beside(&b));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.bytes().await.unwrap(), 0);
    assert_eq!(a.trim().await.unwrap(), 0, "there is nothing to remove");

    let turn = a.turn().await.unwrap().unwrap();
    assert!(b.turn().await.unwrap().is_none(), "one node at a time removes");
    turn.end().await.unwrap();
    b.turn().await.unwrap().unwrap().end().await.unwrap();

    let many: Vec<_> = (10..610).map(|capture| thumbnail(2, capture, 10)).collect();
    a.keep(&many).await.unwrap();
    b.keep(&[thumbnail(1, 1, 16 << 10), thumbnail(3, 2, 7)])
        .await
        .unwrap();
    // The newest one of a photograph counts.
    b.keep(&[thumbnail(3, 10, 20)]).await.unwrap();
    assert_eq!(a.find(CaptureId(1)).await.unwrap().unwrap().len(), 16 << 10);
    assert_eq!(a.find(CaptureId(10)).await.unwrap().unwrap(), vec![0xff; 20]);
    assert_eq!(a.find(CaptureId(9)).await.unwrap(), None);
    let sizes = a
        .sizes(&[CaptureId(9), CaptureId(10), CaptureId(2)])
        .await
        .unwrap();
    let known = |size, has_jpeg| Known { size, has_jpeg };
    assert_eq!(
        (sizes.len(), sizes[&CaptureId(10)]),
        (2, known((4_010, 3_000), true))
    );
    assert_eq!(a.bytes().await.unwrap(), 599 * 10 + (16 << 10) + 7 + 20);

    // A size alone leaves the picture that is there, and is no picture.
    a.keep(&[thumbnail(3, 10, 0), thumbnail(4, 9, 0)]).await.unwrap();
    assert_eq!(a.find(CaptureId(10)).await.unwrap().unwrap(), vec![0xff; 20]);
    assert_eq!(a.find(CaptureId(9)).await.unwrap(), None);
    let sizes = a.sizes(&[CaptureId(9), CaptureId(10)]).await.unwrap();
    assert_eq!(
        (sizes[&CaptureId(9)], sizes[&CaptureId(10)].has_jpeg),
        (known((4_009, 3_000), false), true)
    );
    let with_size = 599 * 10 + (16 << 10) + 7 + 20 + SIZE_BYTES.unsigned_abs();
    assert_eq!(a.bytes().await.unwrap(), with_size);

    let mut before = with_size;
    for (captures_left, bytes_left) in [
        (601, 599 * 10 + 27 + 64),
        (101, 99 * 10 + 27 + 64),
        (3, 27 + 64),
        (1, 64),
        (0, 0),
    ] {
        let removed = b.trim().await.unwrap();
        assert_eq!(b.bytes().await.unwrap(), bytes_left, "of {captures_left} more");
        assert_eq!(removed, before - bytes_left);
        before = bytes_left;
    }
    assert_eq!(b.trim().await.unwrap(), 0);

    let mut conn = PgConnection::connect(&url).await.unwrap();
    let kind = "SELECT relpersistence::text FROM pg_class WHERE oid = 'thumbnails'::regclass";
    let kind: String = sqlx::query_scalar(kind).fetch_one(&mut conn).await.unwrap();
    assert_eq!(kind, "u", "what may be lost is not logged");
}
