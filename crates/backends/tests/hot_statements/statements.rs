//! The hot statements, with what they are asked for.

use crate::Statement;

macro_rules! known {
    ($name:literal) => {
        concat!("(SELECT value FROM known WHERE name = '", $name, "')")
    };
}

macro_rules! fill {
    ($value:literal) => {
        concat!("array_fill(", $value, ", ARRAY[24])::text")
    };
}

const fn hot(file: &'static str, rows: u64, values: &'static [(&'static str, &'static str)]) -> Statement {
    Statement {
        file,
        end: "",
        rows,
        values,
    }
}

const fn with(
    file: &'static str,
    end: &'static str,
    rows: u64,
    values: &'static [(&'static str, &'static str)],
) -> Statement {
    Statement {
        file,
        end,
        rows,
        values,
    }
}

const INT: &str = "bigint";
const INTS: &str = "bigint[]";
const TEXT: &str = "text";
const TEXTS: &str = "text[]";
const FLAG: &str = "boolean";
const FLAGS: &str = "boolean[]";
const REALS: &str = "float8[]";

const JOB: (&str, &str) = (INT, "'2'");
const JOBS: (&str, &str) = (INTS, known!("jobs"));
const LEASED: (&str, &str) = (INTS, known!("leased"));
const SETTLED: (&str, &str) = (INTS, known!("settled"));
const BUDGET: (&str, &str) = (INT, "'2'");
const NOW: (&str, &str) = (INT, "'500'");
/// Tasks to be added, capture and place.
const TASKS: &str = "(SELECT array_agg(v ORDER BY id, n)::text FROM known k, unnest(k.value::bigint[]) AS e (id), \
                      LATERAL (VALUES (1, id), (2, 9)) AS p (n, v) WHERE k.name = 'set')";
/// The newest jobs, of all and of a project.
const NEWEST: &str = " AND (j.status NOT IN ('FAILURE', 'REVOKED', 'UNKNOWN') OR j.updated_at >= 0) \
                      ORDER BY j.created_at DESC, j.id DESC LIMIT $1 OFFSET $2";
const NEWEST_OF: &str = " AND j.project_id = $1 ORDER BY j.created_at DESC, j.id DESC LIMIT $2 OFFSET $3";
const LOCKED: &str = "FOR NO KEY UPDATE SKIP LOCKED";
/// Tasks under a lease in the running job.
const IN_FLIGHT: u64 = 240;
/// Its tasks with a strike.
const STRUCK: u64 = 30;

#[rustfmt::skip]
pub(crate) const HOT: &[Statement] = &[
    // Hand-outs.
    hot("grant_process.sql", 1, &[(INT, "'34'"), (INT, "'9'"), (FLAG, "'false'")]),
    hot("standing.sql", 1, &[(INT, "'34'"), BUDGET, (INT, "'10'")]),
    hot("busy.sql", 24, &[(INT, "'34'")]),
    hot("grant_pick.sql", 24, &[JOB, BUDGET, (INT, "'24'"), (INTS, known!("free")), (FLAG, "'false'")]),
    // What is leased, or settled and not yet vacuumed, is at the beginning.
    hot("grant_fill.sql", 24 + IN_FLIGHT / 4, &[JOB, BUDGET, (INT, "'24'"), (INTS, "'{}'")]),
    hot("grant_suspects.sql", 1, &[JOB, BUDGET, (INT, "'1'"), (INT, "'10'"), (FLAG, "'false'")]),
    hot("has_suspects.sql", 2, &[JOB, BUDGET, (INT, "'10'"), (INT, "'34'")]),
    hot("grant_set.sql", 24, &[
        JOB, (INTS, known!("free")), (INT, "'3'"), NOW, (INT, "'800'"), (FLAG, "'false'"), (FLAG, "'false'"),
    ]),
    hot("receipts_of.sql", 24, &[(INTS, "'{2}'"), (INTS, "'{31}'"), (INTS, "'{40}'")]),
    hot("meet_worker.sql", 1, &[(INT, "'1'"), (TEXT, "'w3'"), (TEXT, "'w3'"), (TEXT, "NULL"), NOW, (FLAG, "'true'")]),
    hot("waiting.sql", 1, &[(TEXTS, "'{p}'"), (INT, "NULL"), BUDGET]),
    hot("workers/page.sql", 40, &[(INT, "'0'"), (INT, "'1000'"), (INT, "'24'")]),
    hot("workers/holdings.sql", IN_FLIGHT, &[(INT, "'1000'")]),
    hot("workers/add_minutes.sql", 1, &[(TEXT, "'[[3, 1, 7, 1, 0, 0]]'")]),
    hot("workers/minutes.sql", 24, &[(INTS, "'{3}'"), (INT, "'1'"), (INT, "'0'")]),
    hot("workers/turn.sql", 1, &[(INT, "'3'")]),
    hot("workers/set_turn.sql", 1, &[
        (INT, "'3'"), (INT, "NULL"), (INT, "'0'"), (INT, "NULL"), (INT, "'7'"),
    ]),
    // Settlements.
    hot("settle_rows.sql", 24, &[JOBS, LEASED]),
    hot("settle_set.sql", 24, &[
        JOBS, LEASED, (TEXTS, fill!("'processed'::text")), (TEXTS, fill!("NULL::text")),
        (TEXTS, fill!("NULL::text")), (INTS, fill!("0")), (INTS, fill!("0")), NOW, (INTS, fill!("1")),
    ]),
    hot("settle_answered.sql", 1, &[(INTS, known!("grants"))]),
    hot("settle_late.sql", 1, &[(INTS, "'{2}'"), (INTS, "'{31}'"), (INTS, "'{40}'")]),
    hot("settle_clear.sql", 7, &[JOB, (INT, "'5'")]),
    hot("settle_suspect.sql", 24, &[
        JOBS, LEASED, (INTS, fill!("1")), (TEXTS, fill!("'w'::text")), (FLAGS, fill!("true")),
    ]),
    hot("detections_delete.sql", 48, &[JOBS, SETTLED]),
    hot("classifications_delete.sql", 48, &[JOBS, SETTLED]),
    hot("detections_insert.sql", 24, &[
        JOBS, (INTS, fill!("1")), LEASED, (INTS, fill!("1")), (INTS, fill!("1")),
        (REALS, fill!("0")), (REALS, fill!("0")), (REALS, fill!("1")), (REALS, fill!("1")), (INTS, fill!("1")), (REALS, fill!("NULL::float8")), (TEXTS, fill!("NULL::text")),
        (REALS, fill!("NULL::float8")),
    ]),
    hot("classifications_insert.sql", 1, &[
        (INTS, "'{900000000}'"), (INTS, "'{1}'"), (INTS, "'{1}'"), (INTS, "'{1}'"), (INTS, "'{0}'"), (INTS, "'{1}'"), (TEXTS, "'{l}'"), (FLAGS, "'{t}'"),
        (REALS, "'{1}'"), ("bytea[]", "'{\"\"}'"), ("bytea[]", "'{\"\"}'"), (INTS, "'{1}'"), (REALS, "'{NULL}'"),
        (TEXTS, "'{NULL}'"),
    ]),
    hot("log.sql", 1, &[(INTS, "'{2}'"), (TEXTS, "'{INFO}'"), (TEXTS, "'{m}'"), (INTS, "'{NULL}'"), NOW]),
    hot("counts_lock.sql", 1, &[(INTS, "'{2}'")]),
    hot("counts.sql", 1, &[
        (INTS, "'{2}'"), (INTS, "'{1}'"), (INTS, "'{0}'"), (INTS, "'{0}'"), (INTS, "'{0}'"), (INTS, "'{NULL}'"),
        NOW, NOW,
    ]),
    hot("worker_names.sql", 2, &[(INTS, "'{3,34}'")]),
    hot("jobs/errors.sql", 1, &[JOB]),
    hot("jobs/save_errors.sql", 1, &[JOB, (TEXT, "'[]'")]),
    // Leases.
    hot("signs_lock.sql", 2, &[(INTS, "'{3,34}'")]),
    hot("canceling.sql", 1, &[NOW]),
    hot("sweep_charged.sql", 1, &[(INTS, "'{3}'"), (INTS, "'{500}'")]),
    hot("sweep_again.sql", 24, &[(INTS, known!("grants")), (INTS, fill!("500"))]),
    hot("sweep_done.sql", 24, &[(INTS, known!("grants"))]),
    hot("lease_rows.sql", 24, &[JOBS, LEASED]),
    hot("lease_extend.sql", 24, &[JOBS, LEASED, (INT, "'900'")]),
    hot("lease_free.sql", 24, &[JOBS, LEASED, (INT, "'1'")]),
    hot("lease_grants.sql", 1, &[(INTS, known!("grants")), (INT, "NULL")]),
    hot("keep_alive.sql", 1, &[
        (INTS, "'{3}'"), (INTS, "'{500}'"), (INTS, "'{400}'"), (INTS, "'{800}'"), (TEXTS, "'{NULL}'"),
        (TEXTS, "'{[]}'"),
    ]),
    hot("sweep_due.sql", 24, &[(INT, "'2000'"), (INT, "'24'"), (INT, "NULL")]),
    hot("sweep_spent.sql", 1, &[BUDGET, (INT, "'50'")]),
    hot(
        "sweep_last_try.sql",
        24,
        &[JOB, (INT, "'1'"), BUDGET, (INT, "'24'"), (INT, "'1'")],
    ),
    hot("sweep_tasks.sql", 24, &[(INTS, known!("grants")), JOBS, LEASED]),
    hot("sweep_grants.sql", 24, &[(INTS, known!("grants"))]),
    hot("workers/link_service.sql", 1, &[(INT, "'3'"), (INT, "'1'")]),
    hot("sweep_set.sql", 24, &[
        JOBS, LEASED, (INTS, fill!("1")), (TEXTS, fill!("'w'::text")), (TEXTS, fill!("NULL::text")),
        (FLAGS, fill!("false")), (FLAGS, fill!("false")), NOW,
    ]),
    // 14 are not marked, of which four hold nothing.
    hot("grants_empty.sql", 10 + 4 * 24, &[(INT, "'0'"), (INT, "'0'"), (INT, "'100'")]),
    // The heartbeat.
    hot("cluster/gap.sql", 1, &[]),
    hot("cluster.sql", 1, &[]),
    hot("cluster_set.sql", 1, &[
        NOW, (INT, "NULL"), (INT, "NULL"), (INT, "NULL"), (INT, "'0'"), (TEXT, "'0af3'"), (INT, "'7'"),
        (INT, "'8'"), (INT, "NULL"), (INT, "NULL"),
    ]),
    // Collecting and publishing.
    hot("collect/claim.sql", 1, &[NOW]),
    hot("collect/fence.sql", 1, &[
        JOB, (INT, "'0'"), (INT, "'1'"), (INT, "'10'"), (INT, "'0'"), NOW, (INT, "NULL"), (INT, "NULL"), NOW,
        (INT, "'0'"), (INT, "'0'"),
    ]),
    hot("collect/source.sql", 1, &[JOB]),
    hot("collect/captures.sql", 24, &[(INT, "'1'"), (INT, "'0'"), (INT, "'1000000'"), (INT, "'24'")]),
    hot("collect/added.sql", 1, &[JOB, (INT, "'1'")]),
    hot("collect/skipped.sql", 1, &[JOB, (INT, "'0'")]),
    hot("collect/page.sql", 24, &[
        (INTS, known!("set")), (INT, "'3'"), (TEXT, "'f'"),
    ]),
    hot("collect/insert.sql", 24, &[(INT, "'3'"), (INT, "'1'"), (INTS, TASKS)]),
    hot("collect/insert_without_url.sql", 24, &[(INT, "'3'"), (INT, "'1'"), (INTS, TASKS), NOW]),
    hot("is_waiting.sql", 1, &[JOB, BUDGET]),
    hot("pending_tasks.sql", 24 + IN_FLIGHT / 4, &[JOB, (INT, "'-1'"), (INT, "'0'"), (INT, "'24'")]),
    hot("collect/reset.sql", 24, &[JOB, (INT, "'2'"), SETTLED, NOW]),
    hot("collect/stale.sql", 24, &[JOB, (INT, "'0'"), (INT, "'2'"), (TEXT, "'all'"), (INT, "'24'")]),
    hot("free_tasks.sql", 24 + IN_FLIGHT / 4, &[JOB, (INT, "'-1'"), (INT, "'0'"), (INT, "'24'")]),
    // What people and dashboards ask for again and again.
    hot("jobs/head.sql", 1, &[JOB]),
    hot("jobs/run_algorithms.sql", 1, &[JOB, (INT, "'1'")]),
    with("jobs/job.sql", " AND j.id = $1", IN_FLIGHT / 2, &[JOB]),
    with(
        "jobs/by_name.sql",
        " AND j.project_id = $1 AND lower(j.name COLLATE \"C\") > $2 ORDER BY lower(j.name COLLATE \"C\"), j.id LIMIT $3",
        24,
        &[(INT, "'1'"), (TEXT, "'a'"), (INT, "'24'")],
    ),
    with(
        "jobs/by_end.sql",
        " AND j.finished_at < $1 ORDER BY j.finished_at DESC, j.id DESC LIMIT $2",
        24,
        &[(INT, "'9'"), (INT, "'24'")],
    ),
    hot("jobs/outlooks.sql", IN_FLIGHT / 2 + STRUCK, &[(INTS, "'{1,2}'")]),
    with("jobs/ids.sql", NEWEST, 24, &[(INT, "'24'"), (INT, "'0'")]),
    with("jobs/ids.sql", NEWEST_OF, 24, &[(INT, "'1'"), (INT, "'24'"), (INT, "'0'")]),
    with("jobs/matching.sql", " AND j.id = ANY ($1) AND j.status = ANY ($2)", 1, &[(INTS, "'{2}'"), ("text[]", "'{STARTED}'")]),
    with("jobs/row.sql", " AND j.id = $1", 1, &[JOB]),
    with("jobs/log.sql", " AND id > $2 ORDER BY id LIMIT $3", 24, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    hot("minutes/add.sql", 1, &[(TEXT, "'[[2, 1, 7, 1, 0]]'")]),
    hot("minutes/read.sql", 24, &[(INTS, "'{2}'"), (INT, "'0'")]),
    with("jobs/log_bad.sql", " AND id > $2 ORDER BY id LIMIT $3", 24, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    with("jobs/log_capture.sql", " AND id > $3 ORDER BY id LIMIT $4", 24, &[JOB, (INT, "'7'"), (INT, "'0'"), (INT, "'24'")]),
    with("jobs/log_errors.sql", " AND id > $2 ORDER BY id LIMIT $3", 24, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    hot("reports/images_failed.sql", 24, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    hot("reports/images_failed_of.sql", 24, &[JOB, (TEXT, "'lost'"), (INT, "'0'"), (INT, "'24'")]),
    hot("reports/images.sql", 24, &[JOB, (TEXT, "NULL"), (TEXT, "NULL"), (INT, known!("last")), (INT, "'24'")]),
    hot("reports/images_waiting.sql", 24 + IN_FLIGHT, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    hot("reports/images_in_flight.sql", IN_FLIGHT / 2, &[JOB, (INT, "'0'"), (INT, "'24'")]),
    hot("reports/images_failed_before.sql", 24, &[JOB, (INT, known!("last")), (INT, "'24'")]),
    hot("reports/images_failed_of_before.sql", 24, &[JOB, (TEXT, "'lost'"), (INT, known!("last")), (INT, "'24'")]),
    hot("reports/images_before.sql", 24, &[JOB, (TEXT, "NULL"), (TEXT, "NULL"), (INT, "'25'"), (INT, "'24'")]),
    hot("reports/images_waiting_before.sql", 24 + IN_FLIGHT, &[JOB, (INT, known!("last")), (INT, "'24'")]),
    hot("reports/images_in_flight_before.sql", IN_FLIGHT / 2, &[JOB, (INT, known!("last")), (INT, "'24'")]),
    hot("reports/hand_outs.sql", 1, &[JOB, (INT, "'7'")]),
    hot("failures/known.sql", 1, &[JOB, (INT, "'1'")]),
    hot("failures/add.sql", 1, &[(TEXT, "'[[2, 1, 7, \"lost\", \"word\", 1, 7, 0]]'")]),
    hot("failures/groups.sql", 1, &[JOB]),
    hot("reports/results.sql", 24, &[JOB, (INT, known!("last")), (INT, "'24'")]),
    hot("reports/results_before.sql", 24, &[JOB, (INT, "'25'"), (INT, "'24'")]),
    hot("detections.sql", 24, &[JOB, (INT, "'0'"), (INT, "'0'"), (INT, "'24'")]),
    hot("classifications.sql", 24, &[
        JOBS, (INTS, known!("ords")), (INTS, known!("found")), (INTS, fill!("1")), (FLAG, "'true'"),
    ]),
    // Summaries: a slice, and what pages read.
    hot("summary/job.sql", 1, &[JOB]),
    hot("summary/row.sql", 1, &[JOB]),
    hot("summary/due.sql", 24, &[(INT, "'24'")]),
    hot("summary/advance.sql", 1, &[
        JOB, (INT, "'1'"), (TEXT, "'done'"), (INT, "'0'"), (INT, "'0'"), (INT, "'0'"), (INT, "'0'"), (INT, "'0'"), (INT, "'0'"),
        (INT, "'0'"), (INT, "'0'"), NOW, (INT, "NULL"),
    ]),
    hot("summary/photographs.sql", 24, &[JOB, (INT, known!("last")), (INT, "'24'")]),
    // As free_tasks.sql, it passes over what has been settled since the index was cleaned.
    hot("summary/frontier.sql", 24 + IN_FLIGHT / 4, &[JOB]),
    hot("summary/slice.sql", 24, &[
        JOB, (INT, "'-1'"), (INT, "'0'"), (INT, "'0'"), (INT, "'9223372036854775807'"), (INT, "'9223372036854775807'"),
        (INT, "'24'"),
    ]),
    hot("summary/slice_classes.sql", 24, &[
        JOB, (INT, "'-1'"), (INT, "'0'"), (INT, "'0'"), (INT, known!("place")), (INT, "'9223372036854775807'"), (INT, "'0'"),
    ]),
    hot("summary/slice_images.sql", 24, &[JOB, (INTS, known!("places"))]),
    hot("summary/add_labels.sql", 1, &[(TEXT, "'[[8, \"m\"]]'")]),
    hot("summary/add_counts.sql", 1, &[(INTS, "'{2, 7, 0, 1}'")]),
    hot("summary/add_activity.sql", 1, &[(INTS, "'{2, 7, 5, 1}'")]),
    hot("summary/add_index.sql", 1, &[(INTS, "'{2, 7, 5, 1, 1}'")]),
    hot("summary/add_taken.sql", 1, &[(INTS, "'{2, 5, 1}'")]),
    hot("summary/labels.sql", 24, &[JOB, (INT, "'24'")]),
    hot("summary/scores.sql", 21, &[JOB, (INT, "'7'")]),
    hot("summary/activity.sql", 24, &[JOB, (INT, "'7'"), (INT, "'24'")]),
    hot("summary/labelled.sql", 24, &[JOB, (INT, "'7'"), (INT, "'0'"), (INT, "'0'"), (INT, "'0'"), (INT, "'24'")]),
    hot("summary/labelled_before.sql", 24, &[
        JOB, (INT, "'7'"), (INT, "'2000000'"), (INT, known!("last")), (INT, "'0'"), (INT, "'24'"),
    ]),
    // Of each image the row of the index lies apart, as its task and its capture do.
    hot("summary/taken.sql", 2 * 24, &[JOB, (INT, "'548'"), (INT, "'500'"), (INT, "'0'"), (INT, "'24'")]),
    hot("summary/taken_before.sql", 2 * 24, &[JOB, (INT, "'500'"), (INT, "'520'"), (INT, "'0'"), (INT, "'24'")]),
    // The health check, and what explains a job.
    hot("health/take_tick.sql", 1, &[(TEXT, "'n'"), NOW, (INT, "'600'"), (INT, "NULL")]),
    hot("health/vitals.sql", IN_FLIGHT / 2, &[(INT, "'0'"), (INT, "'100'"), BUDGET]),
    hot("health/still_idle.sql", 1, &[JOB, (INT, "'1'"), NOW]),
    with("health/pending.sql", LOCKED, 24 + IN_FLIGHT / 4, &[JOB, (INT, "'1'"), (INT, "'24'")]),
    hot("health/outlook_lease.sql", IN_FLIGHT / 2, &[JOB]),
    hot("health/outlook_workers.sql", 40 * 3, &[(TEXT, "'p'"), (INT, "'0'"), (INT, "'100'"), (INT, "'1'")]),
    hot("jobs/purge_tasks.sql", 24, &[JOB, (INT, "'24'")]),
    hot("jobs/purge_delete.sql", 24, &[JOB, SETTLED]),
    // `verify` goes over everything, a page at a time.
    hot("health/audit_jobs.sql", 1, &[(INT, "'0'"), (INT, "'24'")]),
    hot("health/audit_tasks.sql", 48, &[JOB, (INT, "'0'"), (INT, "'24'"), (TEXT, "'d'")]),
];
