//! That no statement, and so no page, goes through what grows with a job or with the number of jobs: not as a store is, which has
//! no statistics, and not with those of a large one, which somebody makes beside it.

use std::{collections::BTreeSet, path::Path};

use sqlx::SqliteConnection;

use super::{
    SQL, empty,
    except::{ENDS, EXCEPT, GROWS, OF_A_JOB},
    plan, statements,
};

/// A statement without its comments.
fn bare(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The table that a step of a plan names, by its name or by that of the statement for it.
fn table(step: &str, sql: &str) -> Option<&'static str> {
    let name = step.split_whitespace().nth(1)?;
    let is_so_called = |table: &&str| {
        let words: Vec<&str> = sql.split_whitespace().collect();
        let so_called = words
            .windows(2)
            .any(|w| w[0] == *table && w[1].trim_end_matches([',', ')']) == name);
        let as_called = words
            .windows(3)
            .any(|w| w[0] == *table && w[1] == "AS" && w[2].trim_end_matches([',', ')']) == name);
        *table == name || so_called || as_called
    };
    GROWS.into_iter().find(is_so_called)
}

/// The table that a step goes through, if it grows.
fn gone_through(step: &str, sql: &str) -> Option<&'static str> {
    let table = table(step, sql)?;
    let of_one = ["(job_id=?)", "(collection_id=?)"];
    let all_of_a_job =
        OF_A_JOB.contains(&table) && of_one.iter().any(|of| step.contains(of)) && !sql.contains("LIMIT");
    (step.starts_with("SCAN ") || all_of_a_job).then_some(table)
}

/// What goes through a table, by statement and table, and how.
async fn found(conn: &mut SqliteConnection) -> BTreeSet<(String, &'static str, String)> {
    let mut found = BTreeSet::new();
    for folder in SQL.map(Path::new) {
        for file in statements(folder) {
            let name = file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            if name == "thumbs/init.sql" {
                continue;
            }
            let ends = ENDS
                .iter()
                .find(|(of, _)| *of == name)
                .map_or(&[""][..], |(_, ends)| ends);
            for sql in text
                .split(";\n")
                .flat_map(|sql| ends.iter().map(move |end| format!("{sql}{end}")))
            {
                let sql = bare(&sql);
                // To explain a pragma is to run it.
                if sql.trim().is_empty() || sql.starts_with("PRAGMA") {
                    continue;
                }
                for step in plan(conn, &sql).await {
                    found.extend(gone_through(&step, &sql).map(|table| (name.clone(), table, step)));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn no_statement_goes_through_what_grows_but_those_that_are_named_with_their_reasons() {
    let mut conn = empty().await;
    let thumbnails = include_str!("../../src/sqlite/sql/thumbs/init.sql");
    for script in [
        thumbnails,
        "PRAGMA foreign_keys = OFF",
        include_str!("filled.sql"),
    ] {
        sqlx::raw_sql(script).execute(&mut conn).await.unwrap();
    }
    let mut all = found(&mut conn).await;
    sqlx::raw_sql("ANALYZE").execute(&mut conn).await.unwrap();
    all.extend(found(&mut conn).await);
    let is_named = |file: &str, table: &str| {
        EXCEPT
            .iter()
            .any(|(of, through, _)| (*of, *through) == (file, table))
    };
    let wrong: Vec<_> = all
        .iter()
        .filter(|(file, table, _)| !is_named(file, table))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let idle: Vec<_> = EXCEPT
        .iter()
        .filter(|(of, through, _)| {
            !all.iter()
                .any(|(file, table, _)| (of, through) == (&file.as_str(), table))
        })
        .collect();
    assert!(idle.is_empty(), "these go through nothing: {idle:#?}");
}
