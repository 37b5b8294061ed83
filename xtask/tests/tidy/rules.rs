//! docs/rules.md says of each rule where it lives and which tests hold it, and these exist; docs/wire.md has every route.

use std::collections::BTreeSet;

use super::{
    citations::{House, text_of},
    sources,
};

/// A rule, as its page has it.
pub(super) struct Section {
    pub(super) number: String,
    code: Vec<String>,
    tests: Vec<String>,
}

/// The texts in backticks of a paragraph that begins with `label`.
fn listed(section: &str, label: &str) -> Vec<String> {
    let paragraph = section.split("\n\n").find_map(|p| p.trim().strip_prefix(label));
    let parts = paragraph.unwrap_or_default().split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

pub(super) fn sections(page: &str) -> Vec<Section> {
    let all = page.split("\n### ").skip(1);
    let read = |section: &str| Section {
        number: section.split('.').next().unwrap().to_owned(),
        code: listed(section, "Code: "),
        tests: listed(section, "Tests: "),
    };
    all.map(read).collect()
}

/// How a table of tests begins and ends, each name in it on a line of its own.
const TABLES: [(&str, &str); 2] = [("table![\n", "];"), ("on_each_deployment!(\n", ");")];

/// Names of all tests: functions with a test's attribute, those in the table of a test binary, and the conformance cases.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (file, text) in sources() {
        for (from, to) in TABLES {
            let tables = text.split(from).skip(1).filter_map(|t| t.split(to).next());
            let entries = tables
                .flat_map(str::lines)
                .map(|line| line.trim().trim_end_matches(','));
            names.extend(entries.map(|entry| entry.rsplit("::").next().unwrap_or_default().to_owned()));
        }
        let conformance = file.contains("/conformance/");
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            marked |= line.starts_with("#[") && line.contains("test");
            let name = line
                .split_once("fn ")
                .and_then(|(_, rest)| rest.split(['(', '<']).next());
            let case = conformance && line.starts_with("async fn ");
            if let Some(name) = name.filter(|_| marked || case) {
                names.insert(name.to_owned());
            }
            marked &= line.starts_with("#[");
        }
    }
    names
}

/// What is wrong with the page of the rules.
fn wrong_rules(page: &str, house: &House, tests: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut numbers = BTreeSet::new();
    for rule in sections(page) {
        let number = &rule.number;
        if !numbers.insert(number.clone()) {
            wrong.push(format!("{number} is there twice"));
        }
        if rule.code.is_empty() || rule.tests.is_empty() {
            wrong.push(format!("{number} names no code or no test"));
        }
        let files = rule.code.iter().filter(|f| !house.has_file(f));
        wrong.extend(files.map(|f| format!("{number} names the file `{f}`, which is not there")));
        let lost = rule.tests.iter().filter(|t| !tests.contains(*t));
        wrong.extend(lost.map(|t| format!("{number} names the test `{t}`, which is not there")));
    }
    wrong
}

#[test]
fn each_rule_names_code_and_tests_that_exist() {
    let page = text_of("docs/rules.md");
    assert!(sections(&page).len() > 25, "the page could not be read");
    let wrong = wrong_rules(&page, &House::read(), &tests());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_rule_that_names_what_is_not_there_is_found() {
    let (house, tests) = (House::read(), tests());
    let rule = |code: &str, test: &str| {
        format!("# x\n\n### A1. It holds\n\nYes.\n\nCode: {code}\n\nTests: {test}\n")
    };
    let (code, test) = (
        "`crates/core/src/job.rs`",
        "`each_rule_names_code_and_tests_that_exist`",
    );
    let wrong = |page: String| wrong_rules(&page, &house, &tests).len();
    assert_eq!(wrong(rule(code, test)), 0);
    assert_eq!(wrong(rule("`crates/core/src/no_such_job.rs`", test)), 1);
    assert_eq!(wrong(rule(code, &format!("{test},\n`no_such_test_anywhere`"))), 1);
    assert_eq!(wrong(rule(code, "none")), 1);
    assert_eq!(wrong(rule(code, test).repeat(2)), 1);
}

/// The paths of the routes that handlers have.
fn routes() -> BTreeSet<String> {
    let handlers = sources()
        .into_iter()
        .filter(|(f, _)| f.starts_with("crates/app/src/http/"));
    let mut paths = BTreeSet::new();
    for (_, text) in handlers {
        for rest in text.split("route(").skip(1) {
            let path = rest
                .trim_start()
                .strip_prefix('"')
                .and_then(|r| r.split('"').next());
            paths.extend(path.filter(|p| p.starts_with('/')).map(str::to_owned));
        }
    }
    paths
}

/// The paths in the table of routes of docs/wire.md.
fn written_routes(page: &str) -> BTreeSet<String> {
    let table = page
        .split("## Routes")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let cells = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut paths = BTreeSet::new();
    for cell in cells {
        let words = cell.split([' ', '`', ',']).filter(|word| word.starts_with('/'));
        paths.extend(words.map(str::to_owned));
    }
    paths
}

#[test]
fn the_wire_contract_has_every_route_and_no_other() {
    assert_eq!(written_routes(&text_of("docs/wire.md")), routes());
}
