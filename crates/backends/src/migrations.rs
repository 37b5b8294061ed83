//! The schema's migrations. Listed by hand, because `sqlx::migrate!` builds both drivers and SQLite a second time for
//! the compiler's own use.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

macro_rules! embedded {
    ($file:literal) => {
        ($file, include_str!(concat!("../migrations/", $file, ".sql")))
    };
}

pub(crate) fn sqlite() -> Migrator {
    migrator(&[
        embedded!("sqlite/0001_init"),
        embedded!("sqlite/0002_given_back"),
        embedded!("sqlite/0003_definitions"),
        embedded!("sqlite/0004_recent_answers"),
        embedded!("sqlite/0005_time_and_services"),
        embedded!("sqlite/0006_empty_grants"),
        embedded!("sqlite/0007_own_labels"),
        embedded!("sqlite/0008_photographs"),
        embedded!("sqlite/0009_detection_score"),
        embedded!("sqlite/0010_create_keys"),
        embedded!("sqlite/0011_results_by_dispatch"),
        embedded!("sqlite/0012_sessions"),
        embedded!("sqlite/0013_pages_of_a_job"),
        embedded!("sqlite/0015_jobs_by_status"),
        embedded!("sqlite/0016_drafts"),
        embedded!("sqlite/0017_worker_minutes"),
        embedded!("sqlite/0018_summaries"),
        embedded!("sqlite/0019_jobs_in_order"),
        embedded!("sqlite/0020_by_reason_and_level"),
        embedded!("sqlite/0021_uses_of_tokens"),
        embedded!("sqlite/0022_time_zones"),
        embedded!("sqlite/0023_log_by_image"),
        embedded!("sqlite/0024_jobs_that_wait"),
        embedded!("sqlite/0025_failures"),
        embedded!("sqlite/0026_lists_of_jobs"),
        embedded!("sqlite/0027_jobs_of_a_set"),
    ])
}

pub(crate) fn postgres() -> Migrator {
    migrator(&[
        embedded!("postgres/0001_init"),
        embedded!("postgres/0002_given_back"),
        embedded!("postgres/0003_definitions"),
        embedded!("postgres/0004_recent_answers"),
        embedded!("postgres/0005_time_and_services"),
        embedded!("postgres/0006_named_indexes"),
        embedded!("postgres/0007_own_labels"),
        embedded!("postgres/0008_photographs"),
        embedded!("postgres/0009_detection_score"),
        embedded!("postgres/0010_create_keys"),
        embedded!("postgres/0011_results_by_dispatch"),
        embedded!("postgres/0012_sessions"),
        embedded!("postgres/0013_pages_of_a_job"),
        embedded!("postgres/0015_jobs_by_status"),
        embedded!("postgres/0016_drafts"),
        embedded!("postgres/0017_worker_minutes"),
        embedded!("postgres/0018_summaries"),
        embedded!("postgres/0019_jobs_in_order"),
        embedded!("postgres/0020_by_reason_and_level"),
        embedded!("postgres/0021_uses_of_tokens"),
        embedded!("postgres/0022_time_zones"),
        embedded!("postgres/0023_log_by_image"),
        embedded!("postgres/0024_jobs_that_wait"),
        embedded!("postgres/0025_failures"),
        embedded!("postgres/0026_lists_of_jobs"),
        embedded!("postgres/0027_jobs_of_a_set"),
    ])
}

/// As sqlx reads `<version>_<description>.sql` from a folder.
fn migrator(files: &[(&'static str, &'static str)]) -> Migrator {
    let migration = |(path, sql): &(&'static str, &'static str)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (version, description) = name.split_once('_').unwrap_or((name, ""));
        Migration::new(
            version
                .parse()
                .expect("a migration's name begins with its version"),
            description.replace('_', " ").into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            sql.starts_with("-- no-transaction"),
        )
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn the_migrations_are_those_in_the_folders() {
        for (folder, listed) in [("sqlite", sqlite()), ("postgres", postgres())] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(folder);
            let in_folder = Migrator::new(path).await.expect("the folder can be read");
            let all = |of: &Migrator| -> Vec<_> {
                of.iter()
                    .map(|m| (m.version, m.description.to_string(), m.checksum.to_vec(), m.no_tx))
                    .collect()
            };
            assert_eq!(all(&listed), all(&in_folder), "{folder}");
        }
    }
}
