//! The lines that the health check writes. Antenna's runbooks and tests match the first one, so its ids are written
//! as Antenna does, as a list of quoted strings.

use std::time::Duration;

use crate::{CaptureId, JobStatus, counts::Counts, ports::QueueInfo};

use super::REAPED;

/// The number of ids that the line in a job's errors names.
const NAMED: usize = 10;
/// The number of ids in one line of a job's log, so that it stays within 10,000 characters.
const LISTED: usize = 500;

/// Tasks that were settled lost, as the line in their job's errors names them: their number, and the first ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostTasks {
    count: usize,
    named: Vec<CaptureId>,
}

impl LostTasks {
    /// Adds more tasks.
    pub fn add(&mut self, lost: &[CaptureId]) {
        let room = NAMED - self.named.len();
        self.named.extend(lost.iter().take(room));
        self.count += lost.len();
    }

    /// Returns their number.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Reads the tasks from a line of the same settler and cause.
    fn read(line: &str, by: LostBy) -> Option<Self> {
        let rest = line.strip_prefix(by.settler())?.strip_prefix(": marked ")?;
        let (count, rest) = rest.split_once(" image(s) as failed (")?;
        let rest = rest.strip_prefix(&by.why())?.strip_prefix("; ")?;
        let (_, ids) = rest.split_once("). IDs: [")?;
        let (ids, _) = ids.split_once(']')?;
        let id = |id: &str| id.trim_matches('\'').parse().ok().map(CaptureId);
        Some(Self {
            count: count.parse().ok()?,
            named: ids.split(", ").map(id).collect::<Option<_>>()?,
        })
    }
}

impl From<&[CaptureId]> for LostTasks {
    fn from(lost: &[CaptureId]) -> Self {
        let mut these = Self::default();
        these.add(lost);
        these
    }
}

/// Who settled tasks as lost, and the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostBy {
    /// The health check, because the job was idle for too long.
    Idle,
    /// The health check, because a worker of this job also held leases of an idle job, and is dead.
    Beside,
    /// The sweep, when the last lease ended.
    LeaseEnd {
        /// The budget of strikes.
        max_deliver: i64,
    },
}

impl LostBy {
    const fn settler(self) -> &'static str {
        match self {
            Self::Idle | Self::Beside => "jobs_health_check",
            Self::LeaseEnd { .. } => "sweep",
        }
    }

    fn why(self) -> String {
        match self {
            Self::Idle => "job idle past cutoff".to_owned(),
            Self::Beside => "no answer before the last lease ended".to_owned(),
            Self::LeaseEnd { max_deliver } => {
                format!("no answer before the last lease ended, max_deliver={max_deliver}")
            }
        }
    }
}

/// Returns the line in a job's errors for tasks that the health check settled lost. `queue` are the queue's counters,
/// if there is a queue.
#[must_use]
pub fn lost_line(queue: Option<&QueueInfo>, lost: &LostTasks) -> String {
    line_of(LostBy::Idle, queue, lost)
}

fn line_of(by: LostBy, queue: Option<&QueueInfo>, lost: &LostTasks) -> String {
    let named = list(&lost.named);
    let more = match lost.count.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" ... and {more} more"),
    };
    format!(
        "{}: marked {} image(s) as failed ({}; {}). IDs: {named}{more}",
        by.settler(),
        lost.count,
        by.why(),
        counters(queue),
    )
}

/// Adds tasks that were settled lost to a job's errors, and returns their line. A run has one such line for each settler and
/// cause, however many transactions settle them: a job that loses a thousand images one by one must stay readable.
pub fn note_lost(
    errors: &mut Vec<String>,
    by: LostBy,
    queue: Option<&QueueInfo>,
    lost: &[CaptureId],
) -> String {
    let before = errors
        .iter()
        .rposition(|line| LostTasks::read(line, by).is_some());
    let mut all = before
        .and_then(|at| LostTasks::read(&errors[at], by))
        .unwrap_or_default();
    all.add(lost);
    let line = line_of(by, queue, &all);
    match before {
        Some(at) => errors[at].clone_from(&line),
        None => errors.push(line.clone()),
    }
    line
}

/// Returns the full list of ids, cut into lines for a job's log.
pub fn id_lists(lost: &[CaptureId]) -> impl Iterator<Item = String> {
    lost.chunks(LISTED)
        .map(|ids| format!("(full IDs: {})", list(ids)))
}

/// Returns the line for a job that is reaped.
#[must_use]
pub fn reap_line(idle: Duration, status: JobStatus, counts: &Counts) -> String {
    format!(
        "{REAPED}: no progress for {} s in {status}, and no rule explains it, which is a bug in Trapline; \
         {} processed, {} failed of {} image(s), results are kept",
        idle.as_secs(),
        counts.processed,
        counts.failed,
        counts.total,
    )
}

/// Returns the line of `running_job_snapshots`.
#[must_use]
pub fn snapshot_line(status: JobStatus, counts: &Counts, queue: Option<&QueueInfo>) -> String {
    format!(
        "jobs_health_check: {status}, {} pending, {} in flight, {} processed, {} failed of {}; {}",
        counts.pending,
        counts.in_flight,
        counts.processed,
        counts.failed,
        counts.total,
        counters(queue),
    )
}

fn counters(queue: Option<&QueueInfo>) -> String {
    match queue {
        Some(q) => format!(
            "{} num_pending={} num_ack_pending={} num_redelivered={}",
            // Runbooks know NATS's by this name; a node without NATS has none.
            if q.in_nats { "NATS consumer" } else { "queue" },
            q.num_pending,
            q.num_ack_pending,
            q.num_redelivered
        ),
        None => "queue num_pending=n/a num_ack_pending=n/a num_redelivered=n/a".to_owned(),
    }
}

fn list(ids: &[CaptureId]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobId;

    #[test]
    fn the_line_is_upstreams_to_the_letter() {
        let queue = QueueInfo {
            job: JobId(1),
            num_pending: 0,
            num_ack_pending: 0,
            num_redelivered: 16,
            created_at: None,
            in_nats: true,
        };
        let lost: Vec<CaptureId> = (2868..2884).map(CaptureId).collect();
        assert_eq!(
            lost_line(Some(&queue), &lost[..].into()),
            "jobs_health_check: marked 16 image(s) as failed (job idle past cutoff; NATS consumer num_pending=0 \
             num_ack_pending=0 num_redelivered=16). IDs: ['2868', '2869', '2870', '2871', '2872', '2873', '2874', \
             '2875', '2876', '2877'] ... and 6 more"
        );
        assert!(lost_line(None, &lost[..10].into()).ends_with("'2877']"));
    }

    #[test]
    fn a_line_of_a_queue_in_this_process_does_not_name_nats() {
        let queue = QueueInfo {
            job: JobId(1),
            num_pending: 3,
            num_ack_pending: 0,
            num_redelivered: 0,
            created_at: None,
            in_nats: false,
        };
        let lines = [
            snapshot_line(JobStatus::Started, &Counts::default(), Some(&queue)),
            snapshot_line(JobStatus::Started, &Counts::default(), None),
            lost_line(Some(&queue), &[CaptureId(1)][..].into()),
        ];
        assert!(
            lines[0].ends_with("; queue num_pending=3 num_ack_pending=0 num_redelivered=0"),
            "{lines:?}"
        );
        assert!(lines.iter().all(|line| !line.contains("NATS")), "{lines:?}");
    }

    #[test]
    fn a_run_has_one_line_for_all_that_one_settler_lost_for_one_cause() {
        let swept = LostBy::LeaseEnd { max_deliver: 2 };
        let mut errors = vec!["something else".to_owned()];
        for id in 1..=1_000 {
            note_lost(&mut errors, swept, None, &[CaptureId(id)]);
        }
        let counters = "queue num_pending=n/a num_ack_pending=n/a num_redelivered=n/a";
        assert_eq!(
            errors[1],
            format!(
                "sweep: marked 1000 image(s) as failed (no answer before the last lease ended, max_deliver=2; {counters}). \
                 IDs: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'] ... and 990 more"
            )
        );
        assert_eq!(errors.len(), 2);
        let others = [LostBy::Idle, LostBy::Beside, LostBy::LeaseEnd { max_deliver: 3 }];
        for by in others {
            note_lost(&mut errors, by, None, &[CaptureId(1)]);
        }
        assert_eq!(errors.len(), 5);
    }

    #[test]
    fn the_full_list_names_every_id_once_in_lines_within_the_bound() {
        let lost: Vec<CaptureId> = (1_000_000_000..1_000_001_200).map(CaptureId).collect();
        let lines: Vec<String> = id_lists(&lost).collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines
                .iter()
                .all(|l| l.len() < 10_000 && l.starts_with("(full IDs: ['"))
        );
        assert_eq!(
            lines.iter().map(|l| l.matches('\'').count() / 2).sum::<usize>(),
            1_200
        );
    }
}
