//! What `verify` finds on PostgreSQL: its pages are other statements than SQLite's.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use trapline_core::verify::verify;
use trapline_testkit::ManualClock;

use crate::{broken, node, support::Databases};

/// What the schema forbids a bug of ours could still have written under another schema.
const WITHOUT_CONSTRAINTS: &str = "DO $$ DECLARE c record; BEGIN \
    FOR c IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint \
             WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace \
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname); END LOOP; END $$";

pub(crate) async fn what_was_broken_by_hand_is_named_with_its_rows(databases: Arc<Databases>) {
    for case in broken::CASES {
        let (url, clock) = (databases.fresh().await, ManualClock::new());
        let w = node(&url, &clock).await;
        broken::fill(&w).await;
        let mut conn = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(WITHOUT_CONSTRAINTS)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::raw_sql(case.sql).execute(&mut conn).await.unwrap();
        case.assert_named(&verify(w.store.as_ref(), 2).await.unwrap().violations);
    }
}
