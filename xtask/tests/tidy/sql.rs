//! SQL stands in files (ARCHITECTURE.md, "SQL"): none in Rust but in the few files that build a statement at run time, and each
//! file says what its statement does and what its parameters are.

use std::collections::BTreeSet;

use super::{files, root, sources};

/// Files that may hold text of statements, or run a text that is not a file's, and why.
const BUILT: &[(&str, &str)] = &[
    (
        "cold/parts.rs",
        "lists of jobs and logs, narrowed and ordered as their caller says",
    ),
    (
        "postgres/analyze.rs",
        "the names of tables; ANALYZE takes no parameters",
    ),
    (
        "postgres/scratch.rs",
        "the names of databases, which are no parameters either",
    ),
];
/// How a statement begins. What begins and ends a transaction says nothing of data.
const VERBS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "CREATE", "ALTER", "DROP", "ANALYZE",
    "TRUNCATE",
];

/// What a file of code holds of SQL that should be in files.
fn inline(code: &str) -> Option<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let of_no_file = ["AssertSqlSafe(", "QueryBuilder"];
    if let Some(found) = of_no_file.iter().find(|name| code.contains(**name)) {
        return Some((*found).to_owned());
    }
    // A literal may go on in the next line.
    let text = code.replace("\\\n", " ");
    let begins = |literal: &&str| {
        let rest = |verb: &&str| literal.trim_start().strip_prefix(*verb);
        VERBS
            .iter()
            .filter_map(rest)
            .any(|rest| rest.starts_with([' ', '\n']))
    };
    let literal = text.split('"').find(begins)?;
    Some(literal.lines().next().unwrap_or_default().trim().to_owned())
}

#[test]
fn statements_stand_in_files_but_the_few_that_are_built() {
    let folder = "crates/backends/src/";
    let all = sources();
    let backends = all
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(folder)?, text)));
    for (name, text) in backends.filter(|(name, _)| !name.ends_with("tests.rs")) {
        let built = BUILT.iter().any(|(file, _)| *file == name);
        match inline(text) {
            Some(sql) if !built => {
                panic!("{name} holds `{sql}`: put the statement into a file (ARCHITECTURE.md, \"SQL\")")
            }
            None if built => panic!("{name} builds no statement any more: remove it from BUILT"),
            _ => {}
        }
    }
}

#[test]
fn a_statement_in_code_is_found_wherever_it_begins() {
    for code in [
        "sqlx::query(\"SELECT 1\")",
        "const X: &str = \"\\\n    UPDATE jobs SET x = 1\";",
        "let sql = format!(\"DELETE FROM {table}\");",
        "sqlx::query(AssertSqlSafe(text))",
        "let q = \"\n  WITH a AS (SELECT 1) SELECT * FROM a\";",
    ] {
        assert!(inline(code).is_some(), "{code}");
    }
    for code in [
        "sqlx::query(include_str!(\"sql/x.sql\"))",
        "Error::invalid(\"SELECTED nothing\")",
        "sqlx::raw_sql(\"BEGIN IMMEDIATE\")",
        "#[cfg(test)] mod tests { fn f() { sqlx::query(\"SELECT 1\"); } }",
    ] {
        assert_eq!(inline(code), None, "{code}");
    }
}

/// The numbers of the parameters in a text: `$3`, `?3`; `$2 to $4` are three.
fn numbers(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut last = None;
    for (at, _) in text.match_indices(['$', '?']) {
        let digits: String = text[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse::<u32>() else {
            continue;
        };
        if let (Some(from), true) = (last, text[..at].ends_with(" to ")) {
            found.extend(from..number);
        }
        found.insert(number);
        last = Some(number);
    }
    found
}

/// What the head of a statement does not say.
fn unsaid(sql: &str) -> Option<String> {
    if !sql.starts_with("-- ") {
        return Some("its first line does not say what it does".to_owned());
    }
    let (comments, text): (Vec<&str>, Vec<&str>) =
        sql.lines().partition(|line| line.trim_start().starts_with("--"));
    // As one line, since a range may go on in the next.
    let comments = comments.join(" ").replace(" -- ", " ");
    if comments.contains("A column each") {
        return None;
    }
    let said = numbers(&comments);
    let missing: Vec<u32> = numbers(&text.join("\n")).difference(&said).copied().collect();
    (!missing.is_empty()).then(|| format!("its comment names no {missing:?}"))
}

#[test]
fn each_statement_says_what_it_does_and_what_its_parameters_are() {
    let mut paths = Vec::new();
    files(&root().join("crates/backends/src"), ".sql", &mut paths);
    for path in paths {
        let sql = std::fs::read_to_string(&path).unwrap();
        if let Some(what) = unsaid(&sql) {
            panic!("{}: {what}", path.display());
        }
    }
}

#[test]
fn a_parameter_that_no_comment_names_is_found() {
    assert_eq!(unsaid("-- A row. $1 key.\nSELECT $1"), None);
    assert_eq!(unsaid("-- A row. $1 to $3 key.\nSELECT $1, $2, $3"), None);
    assert_eq!(unsaid("-- A page. ?1 key.\n-- ?2 limit.\nSELECT ?1, ?2"), None);
    assert_eq!(unsaid("-- Columns. A column each.\nSELECT $1"), None);
    assert!(unsaid("-- A row. $1 key.\nSELECT $1, $2").is_some());
    assert!(unsaid("-- A row. $1 and $3.\nSELECT $1, $2, $3").is_some());
    assert!(unsaid("SELECT 1").is_some());
}

#[test]
fn every_sql_file_is_used() {
    let mut paths = Vec::new();
    files(&root().join("crates/backends/src"), ".sql", &mut paths);
    let code = sources()
        .into_iter()
        .filter(|(name, _)| name.starts_with("crates/backends/src"));
    let code: String = code.map(|(_, text)| text).collect();
    for path in paths {
        let path = path.to_string_lossy().into_owned();
        let (_, name) = path.rsplit_once("/sql/").unwrap();
        let used = ["\"", "/"]
            .iter()
            .any(|before| code.contains(&format!("{before}{name}\"")));
        assert!(used, "{path} is used by nobody");
    }
}
