//! What grows, what statements say in the code, and which of them may go through more than the others.

/// What a job brings, and what there is of each job.
pub(crate) const GROWS: [&str; 17] = [
    "activity",
    "captures",
    "classifications",
    "collection_captures",
    "detections",
    "grants",
    "job_logs",
    "job_minutes",
    "jobs",
    "label_counts",
    "label_index",
    "run_specs",
    "summaries",
    "taken_index",
    "tasks",
    "thumbnails",
    "worker_minutes",
];
/// Of these, a statement that has no limit may not go through all of a job either.
pub(crate) const OF_A_JOB: [&str; 8] = [
    "classifications",
    "collection_captures",
    "detections",
    "job_logs",
    "label_index",
    "taken_index",
    "tasks",
    "thumbnails",
];

/// What the code puts behind a statement that says alone too little.
#[rustfmt::skip]
pub(crate) const ENDS: [(&str, &[&str]); 11] = [
    ("jobs/count.sql", &[" AND j.status IN (SELECT value FROM json_each('[1]'))"]),
    (
        "jobs/ids.sql",
        &[
            " ORDER BY j.created_at DESC, j.id DESC LIMIT 9",
            " AND j.project_id = 1 ORDER BY j.created_at DESC, j.id DESC LIMIT 9",
        ],
    ),
    ("jobs/by_name.sql", &[" AND lower(j.name) > 'a' ORDER BY lower(j.name), j.id LIMIT 9"]),
    ("jobs/by_end.sql", &[" AND j.finished_at < 9 ORDER BY j.finished_at DESC, j.id DESC LIMIT 9"]),
    (
        "jobs/job.sql",
        &[
            " AND j.id = 1",
            " AND j.id IN (SELECT value FROM json_each('[1]'))",
            NEWEST,
        ],
    ),
    (
        "jobs/row.sql",
        &[" AND j.id IN (SELECT value FROM json_each('[1]'))", NEWEST],
    ),
    (
        "jobs/matching.sql",
        &[" AND j.id IN (SELECT value FROM json_each('[1]'))"],
    ),
    ("jobs/log.sql", &LINES),
    ("jobs/log_bad.sql", &LINES),
    ("jobs/log_errors.sql", &LINES),
    ("jobs/log_capture.sql", &LINES),
];
const NEWEST: &str = " AND j.id < 9 AND j.id > 0 ORDER BY j.id DESC LIMIT 51";
const LINES: [&str; 3] = [
    " AND id > 1 ORDER BY id LIMIT 9",
    " AND id < 9 ORDER BY id DESC LIMIT 9",
    " ORDER BY id DESC LIMIT 9",
];

/// What goes through more all the same: the statement, the table, and why it may.
#[rustfmt::skip]
pub(crate) const EXCEPT: [(&str, &str, &str); 18] = [
    ("catalog/captures_of_sizes.sql", "captures", "asked once by `trapline run`, of the photographs of its own store"),
    ("catalog/empty_collection.sql", "collection_captures", "all of what is removed, in the background"),
    ("catalog/merge_collection.sql", "collection_captures", "all of what is copied, by `trapline run`"),
    ("collect/claim_set.sql", "collection_captures", "once in a run, what is to be collected"),
    ("collect/total.sql", "tasks", "once in a run, at the end of its collect"),
    ("has_suspects.sql", "tasks", "those of an index of what died with a worker"),
    ("health/recount.sql", "tasks", "`trapline verify` and the health check, all of a job"),
    ("jobs/cleanup_due.sql", "jobs", "those of an index of what is due"),
    ("jobs/deleted.sql", "jobs", "those of an index of what is deleted"),
    ("jobs/has_tasks.sql", "tasks", "ends at the first"),
    ("jobs/ids.sql", "jobs", "by the index of its order, as far as a page"),
    ("jobs/log.sql", "job_logs", "from its end, and only by statistics that say that nearly all lines are of one job; they are forgotten at the next start"),
    ("settle_clear.sql", "tasks", "those of an index of what died with a worker"),
    ("summary/due.sql", "summaries", "those of an index of what is due"),
    ("takeover_tasks.sql", "tasks", "once at a start, what the process before it held"),
    ("thumbs/bytes.sql", "thumbnails", "in the background, when some are too many"),
    ("waiting.sql", "jobs", "those of an index of what runs"),
    ("workers/holdings.sql", "grants", "what is at workers, which is as much as they hold, up to a limit"),
];
