//! The statements that are not hot.

/// Asked for once in a run or by a person, and of as many rows as they read; `x/` is all of a folder.
pub(crate) const COLD: &[&str] = &[
    "catalog/",
    "projects/",
    "tokens/",
    "claim_set.sql",
    "attempts.sql",
    "detections_of_tasks.sql",
    "freeze_run.sql",
    "move.sql",
    "number_jobs_from.sql",
    "health/recount.sql",
    "health/stray_classifications.sql",
    "health/stray_detections.sql",
    "health/stray_grants.sql",
    "health/stray_overdue.sql",
];
