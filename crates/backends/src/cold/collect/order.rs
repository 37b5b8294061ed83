//! The captures of a run in the order in which they are handed out, and the order in which their tasks are added. A task lies where
//! its place in that order puts it, so a slice that adds neighbours writes a few pages, and one that adds captures in the order of
//! their ids writes a page for each.

use std::sync::{Mutex, MutexGuard, PoisonError};

use trapline_core::{JobId, ports::Claim};

use super::{Cold, RowOf, SLICE_ROWS};
use crate::{
    rows::{Columns, JobSource},
    sql::{Conn, List, Value, first, sql},
};

const PRIME: i64 = 2_147_483_647;
/// The number of captures that are read before the claim is held anew; a page is as many as a slice writes.
const READ: usize = 50_000;

/// The order that the dispatcher of this node is working on. It may be lost, and is made again.
#[derive(Default)]
pub(crate) struct Orders(Mutex<Option<Order>>);

impl Orders {
    fn lock(&self) -> MutexGuard<'_, Option<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order of a claim, as far as it was read.
    pub(super) fn take(&self, claim: &Claim) -> Order {
        let kept = self.lock().take();
        kept.filter(|order| (order.job, order.epoch) == (claim.job, claim.epoch))
            .unwrap_or_else(|| Order::of(claim))
    }

    pub(super) fn keep(&self, order: Order) {
        *self.lock() = Some(order);
    }
}

/// What a run adds, read from the store when its claim began: 16 bytes a capture.
pub(super) struct Order {
    job: JobId,
    epoch: i64,
    /// The last capture that was read.
    after: i64,
    /// The next place of which tasks are added. A claim begins at the first, whatever an earlier one has added: what was skipped
    /// then may not be now.
    next: i64,
    /// Whether all were read.
    pub(super) is_read: bool,
    /// Place in the order of dispatch and capture; by them, once all are read.
    places: Vec<(i64, i64)>,
    /// Captures without a URL, by their ids.
    without_url: Vec<i64>,
    /// How many captures are no tasks, because the pipeline has processed them.
    pub(super) skipped: i64,
    /// Where the limit cut the order, if it was not cut before.
    pub(super) cut: Option<(i64, i64)>,
}

impl Order {
    fn of(claim: &Claim) -> Self {
        Self {
            job: claim.job,
            epoch: claim.epoch,
            after: 0,
            next: 0,
            is_read: false,
            places: Vec::new(),
            without_url: Vec::new(),
            skipped: 0,
            cut: None,
        }
    }

    /// Reads on, so far that the claim may be held before it reads more.
    pub(super) async fn read<S: Cold>(&mut self, store: &S, source: &JobSource) -> sqlx::Result<()> {
        if self.is_read {
            return Ok(());
        }
        let mut conn = store.reader().await?;
        let mut read = 0;
        loop {
            let ids = page(&mut *conn, source, self.after).await?;
            let Some(last) = ids.last() else { break };
            self.after = *last;
            self.add::<S>(&mut conn, source, &ids).await?;
            read += ids.len();
            if read >= READ {
                return Ok(());
            }
        }
        self.places.sort_unstable();
        self.cut(source);
        self.is_read = true;
        Ok(())
    }

    async fn add<S: Cold>(
        &mut self,
        conn: &mut S::Conn,
        source: &JobSource,
        ids: &[i64],
    ) -> sqlx::Result<()> {
        let same = match source.reprocess {
            true => "",
            false => source.fingerprint.as_str(),
        };
        let read = |row: &RowOf<S>| Ok((row.col("id")?, row.col("done")?));
        let odd: Vec<(i64, bool)> = conn
            .list(
                sql!(each "collect/page.sql"),
                &[&List(ids), &self.job.0, &same],
                read,
            )
            .await?;
        let mut odd = odd.into_iter().peekable();
        for id in ids {
            match odd.next_if(|(other, _)| other == id) {
                Some((_, true)) => {
                    self.skipped += 1;
                    continue;
                }
                Some((_, false)) => self.without_url.push(*id),
                None => {}
            }
            self.places.push((place(*id, source), *id));
        }
        Ok(())
    }

    /// Takes what the job's limit takes.
    fn cut(&mut self, source: &JobSource) {
        let Some(limit) = source.limit.map(|l| usize::try_from(l).unwrap_or(0)) else {
            return;
        };
        if source.cut.is_none() {
            // Nothing is cut if there are not more than the limit: every place is at or before the largest.
            self.cut = Some(match (limit, self.places.get(limit)) {
                (0, _) => (i64::MIN, i64::MIN),
                (_, None) => (i64::MAX, i64::MAX),
                (_, Some(_)) => self.places[limit - 1],
            });
        }
        if let Some(cut) = source.cut.or(self.cut) {
            self.places.truncate(self.places.partition_point(|p| *p <= cut));
        }
    }

    /// The next tasks, and the place behind them. Captures that share a place are not parted.
    pub(super) fn slice(&self, rows: usize) -> (&[(i64, i64)], i64) {
        let start = self.places.partition_point(|(ord, _)| *ord < self.next);
        let rest = &self.places[start..];
        let Some((last, _)) = rest.get(..rows).unwrap_or(rest).last() else {
            return (&[], self.next);
        };
        (&rest[..rest.partition_point(|(ord, _)| ord <= last)], last + 1)
    }

    /// Notes up to where tasks were added.
    pub(super) fn added_to(&mut self, next: i64) {
        self.next = next;
    }

    pub(super) fn has_url(&self, capture: i64) -> bool {
        self.without_url.binary_search(&capture).is_err()
    }
}

/// The next captures of the job's set.
async fn page<C: Conn>(conn: &mut C, source: &JobSource, after: i64) -> sqlx::Result<Vec<i64>> {
    if let Some(capture) = source.capture {
        return Ok(if capture > after { vec![capture] } else { vec![] });
    }
    let values: [&dyn Value<'_>; 4] = [&source.collection, &after, &source.max_capture, &SLICE_ROWS];
    conn.list(sql!("collect/captures.sql"), &values, first).await
}

/// The place of a capture in the order of dispatch (docs/adr/0004-dispatch-order.md).
fn place(id: i64, source: &JobSource) -> i64 {
    let [first, second] = [source.seed, source.seed / PRIME].map(|seed| seed.rem_euclid(PRIME));
    match source.shuffle {
        true => turned(turned(id + first) + second),
        false => id,
    }
}

/// y² modulo the prime for the lower half of the residues, and for the upper what y² lacks to the prime.
fn turned(y: i64) -> i64 {
    let y = y % PRIME;
    match y * y % PRIME {
        square if 2 * y < PRIME => square,
        square => PRIME - square,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(seed: i64, shuffle: bool) -> JobSource {
        JobSource {
            phase: 0,
            mode: "all".to_owned(),
            collection: Some(1),
            capture: None,
            max_capture: 9,
            seed,
            shuffle,
            reprocess: false,
            fingerprint: String::new(),
            limit: None,
            cut: None,
        }
    }

    fn order(places: &[(i64, i64)]) -> Order {
        let claim = Claim {
            job: JobId(1),
            run: 1,
            epoch: 1,
            watermark: 0,
        };
        let mut order = Order::of(&claim);
        order.places = places.to_vec();
        order
    }

    /// The places are in stores, and a collect that an older version began goes on.
    #[test]
    fn a_capture_has_the_place_that_it_always_had() {
        let places =
            |seed| [1, 1_000_000, PRIME - 1, PRIME, 5_000_000_000].map(|id| place(id, &source(seed, true)));
        assert_eq!(places(7), [4_096, 1_206_751_391, 1_296, 2_401, 1_911_549_091]);
        assert_eq!(
            places(-3),
            [
                2_147_483_631,
                2_025_744_491,
                2_147_483_391,
                2_147_483_566,
                1_852_781_845
            ]
        );
        assert_eq!(
            places(5 * PRIME + 11),
            [22_201, 2_011_829_891, 11_025, 15_876, 1_202_797_424]
        );
        assert_eq!(places(i64::MAX), [64, 2_022_783_725, 16, 25, 1_167_230_823]);
        assert_eq!(place(5_000_000_000, &source(7, false)), 5_000_000_000);
    }

    #[test]
    fn a_slice_goes_on_where_the_last_one_ended_and_parts_no_captures_of_one_place() {
        let all = [(0, 4), (3, 1), (3, 2), (3, 9), (8, 3)];
        let mut order = order(&all);
        let mut slices = Vec::new();
        loop {
            let (tasks, next) = order.slice(2);
            if tasks.is_empty() {
                break;
            }
            slices.push(tasks.to_vec());
            order.added_to(next);
        }
        assert_eq!(slices, [all[..4].to_vec(), all[4..].to_vec()]);
    }

    #[test]
    fn a_limit_takes_the_first_places_and_what_was_cut_stays_cut() {
        let all = [(0, 4), (3, 1), (3, 2), (8, 3)];
        let cut = |limit, cut| {
            let mut order = order(&all);
            order.cut(&JobSource {
                limit: Some(limit),
                cut,
                ..source(7, true)
            });
            (order.places.len(), order.cut)
        };
        assert_eq!(cut(2, None), (2, Some((3, 1))));
        assert_eq!(cut(0, None), (0, Some((i64::MIN, i64::MIN))));
        assert_eq!(cut(4, None), (4, Some((i64::MAX, i64::MAX))));
        assert_eq!(cut(2, Some((3, 2))), (3, None));
    }
}
