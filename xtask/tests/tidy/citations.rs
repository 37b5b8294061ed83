//! Every citation in a comment or a page leads to something in this repository: rules by their number, decisions (ADR) by
//! theirs, pages, files, and links with their anchors.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::{files, root};

/// The pages and comments of these files are read.
const READ: &[&str] = &[".rs", ".sql", ".md", ".toml", ".yml", ".service", ".conf", ".sh"];
/// Where a page that is named without its folder may be.
const PAGES: &[&str] = &["", "docs/", "docs/adr/"];
/// Files that are cited by their name or the end of their path.
const NAMED: &[&str] = &[".rs", ".sql"];

/// What there is to be cited.
pub(super) struct House {
    /// Every file, by its path from the root.
    files: BTreeSet<String>,
    /// The anchors of each page.
    anchors: BTreeMap<String, BTreeSet<String>>,
    /// The numbers of the rules.
    rules: BTreeSet<String>,
}

impl House {
    pub(super) fn read() -> Self {
        let mut paths = Vec::new();
        files(&root(), "", &mut paths);
        let files: BTreeSet<String> = paths.iter().map(|p| from_root(p)).collect();
        let pages = files.iter().filter(|f| f.ends_with(".md"));
        let anchors: BTreeMap<_, _> = pages.map(|f| (f.clone(), anchors(&text_of(f)))).collect();
        let rules = super::rules::sections(&text_of("docs/rules.md"));
        let rules = rules.into_iter().map(|r| r.number).collect();
        Self {
            files,
            anchors,
            rules,
        }
    }

    /// Whether a file's path is this or ends with it.
    pub(super) fn has_file(&self, end: &str) -> bool {
        let inner = format!("/{end}");
        self.files.iter().any(|f| f == end || f.ends_with(&inner))
    }

    fn has_decision(&self, number: &str) -> bool {
        let start = format!("docs/adr/{number:0>4}-");
        self.files.iter().any(|f| f.starts_with(&start))
    }

    fn has_anchor(&self, page: &str, anchor: &str) -> bool {
        self.anchors.get(page).is_some_and(|all| all.contains(anchor))
    }
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

pub(super) fn text_of(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (_, line) in prose("x.md", page) {
        let Some(heading) = line.strip_prefix('#') else {
            continue;
        };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let mut names = std::iter::once(anchor.clone()).chain(again);
        let free = names.find(|name| !all.contains(name)).unwrap();
        all.insert(free);
    }
    all
}

/// The lines of a file that people read, with their numbers: comments of code, and all of a page but its blocks of code.
fn prose<'t>(file: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    let mark = match file.rsplit('.').next().unwrap() {
        "md" => None,
        "rs" => Some("//"),
        "sql" => Some("--"),
        _ => Some("#"),
    };
    let mut fenced = false;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let of = |(at, line): (usize, &'t str)| match mark {
        None => {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            (!fenced && !fence).then_some((at, line))
        }
        Some(mark) if line.trim_start().starts_with(mark) => Some((at, line)),
        Some(mark) => {
            let from = line.find(&format!(" {mark} "))?;
            let quoted = line[..from].matches('"').count() % 2 == 1;
            (!quoted).then(|| (at, &line[from..]))
        }
    };
    lines.filter_map(of).collect()
}

/// The words of a line, each with what stands before and after it. A word holds letters, digits and what paths are made of.
fn words(line: &str) -> Vec<(Option<char>, &str, Option<char>)> {
    let part = |c: char| c.is_alphanumeric() || "_./-%#".contains(c);
    let mut found = Vec::new();
    let mut rest = line;
    let mut before = None;
    while let Some(from) = rest.find(part) {
        let lead = rest[..from].chars().next_back().or(before);
        let word = &rest[from..];
        let length = word.find(|c| !part(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(length);
        found.push((lead, word.trim_end_matches(['.', '-']), after.chars().next()));
        before = word.chars().next_back();
        rest = after;
    }
    found
}

/// Whether a word is the number of a rule, such as `A3`.
fn is_rule(word: &str) -> bool {
    let digits = word.strip_prefix(['A', 'B', 'C']).unwrap_or_default();
    matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A path without `.` and `..`; `None` if it leaves the repository.
fn normal(path: &Path) -> Option<String> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            Component::ParentDir if parts.pop() => {}
            _ => return None,
        }
    }
    Some(parts.to_string_lossy().into_owned())
}

/// What is wrong with a link's target.
fn wrong_target(house: &House, file: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(file).parent().unwrap();
    let found = if path.is_empty() {
        Some(file.to_owned())
    } else {
        normal(&folder.join(path))
    };
    let Some(found) = found else {
        return Some(format!("links to `{target}`, outside of the repository"));
    };
    let inside = format!("{}/", found.trim_end_matches('/'));
    let there = house.files.contains(&found) || house.files.iter().any(|f| f.starts_with(&inside));
    if !there {
        return Some(format!("links to `{target}`, which is not there"));
    }
    let lost = !anchor.is_empty() && !house.has_anchor(&found, anchor);
    lost.then(|| format!("links to `{target}`, and `{found}` has no such heading"))
}

/// The targets of the links in a line of a page.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let defined = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .map(|(_, target)| target.trim());
    inline.chain(defined).collect()
}

/// A line of a page without the targets of its links.
fn without_targets(line: &str) -> String {
    let mut rest = line.to_owned();
    for target in targets(line) {
        rest = rest.replace(&format!("]({target})"), "]");
    }
    rest
}

/// What is wrong with a word, if it is a citation.
fn wrong_word(house: &House, file: &str, word: &str) -> Option<String> {
    if word.starts_with("//") {
        // Of a URL.
        return None;
    }
    let (path, anchor) = word.split_once('#').unwrap_or((word, ""));
    if path.ends_with(".md") && path.len() > 3 {
        let folder = Path::new(file).parent().unwrap().to_string_lossy().into_owned();
        let beside = normal(&Path::new(&folder).join(path));
        let named = PAGES.iter().map(|at| format!("{at}{path}"));
        let found = named.chain(beside).find(|p| house.files.contains(p));
        return match found {
            None => Some(format!("cites `{path}`, which is not there")),
            Some(page) if !anchor.is_empty() && !house.has_anchor(&page, anchor) => {
                Some(format!("cites `{word}`, and `{page}` has no such heading"))
            }
            Some(_) => None,
        };
    }
    if let Some(number) = path.strip_prefix("docs/adr/") {
        let known = house.has_decision(number.split('-').next().unwrap());
        return (!known).then(|| format!("cites `{word}`, which is not there"));
    }
    let named = NAMED
        .iter()
        .any(|ending| path.ends_with(ending) && path.len() > ending.len());
    (named && !house.has_file(path)).then(|| format!("cites `{path}`, which is not there"))
}

/// What a file cites and is not there, each with its line.
pub(super) fn dangling(house: &House, file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, line) in prose(file, text) {
        let mut note = |what: String| wrong.push(format!("{file}:{at} {what}"));
        if line.contains('§') {
            note("cites a section by `§`: name the page and its heading".to_owned());
        }
        let mut after_adr = false;
        let page = file.ends_with(".md");
        let told = if page {
            without_targets(line)
        } else {
            line.to_owned()
        };
        for (before, word, after) in words(&told) {
            if after_adr && word.bytes().all(|b| b.is_ascii_digit()) && !house.has_decision(word) {
                note(format!("cites ADR {word}, which is not there"));
            }
            after_adr = word == "ADR";
            let quoted = before == Some('`') || after == Some('`');
            if is_rule(word) && !quoted && !house.rules.contains(word) {
                note(format!(
                    "cites the rule {word}, which docs/rules.md does not have"
                ));
            }
            if let Some(what) = wrong_word(house, file, word) {
                note(what);
            }
        }
        if page {
            for what in targets(line)
                .into_iter()
                .filter_map(|t| wrong_target(house, file, t))
            {
                note(what);
            }
        }
    }
    wrong
}

#[test]
fn whatever_a_comment_or_a_page_cites_is_there() {
    let house = House::read();
    let read = house
        .files
        .iter()
        .filter(|f| READ.iter().any(|end| f.ends_with(end)));
    let wrong: Vec<String> = read.flat_map(|f| dangling(&house, f, &text_of(f))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_citation_that_leads_nowhere_is_found_in_code_sql_and_pages() {
    let house = House::read();
    let planted = [
        ("crates/core/src/x.rs", "//! What holds (RULES.md A3)."),
        ("crates/core/src/x.rs", "let a = 1; // As in A99."),
        (
            "crates/core/src/x.rs",
            "/// See docs/rules.md#a3-nothing-of-the-kind",
        ),
        ("crates/core/src/x.rs", "/// See DESIGN.md, \"Answer last\"."),
        (
            "crates/backends/src/sqlite/sql/x.sql",
            "-- Locked in the order of A77.",
        ),
        (
            "crates/backends/src/sqlite/sql/x.sql",
            "-- By no_such_statement.sql.",
        ),
        (
            "crates/backends/src/sqlite/sql/x.sql",
            "SELECT 1 -- docs/adr/0099",
        ),
        ("docs/x.md", "As ADR 99 says."),
        ("docs/x.md", "See §3.2 of it."),
        ("docs/x.md", "See [it](nowhere.md)."),
        ("docs/x.md", "See [it](rules.md#nowhere)."),
        ("docs/x.md", "See [it](#nowhere)."),
        ("docs/x.md", "See [it](../../elsewhere/x.txt)."),
        ("docs/x.md", "It is in `crates/core/src/no_such_file.rs`."),
    ];
    for (file, text) in planted {
        assert_eq!(dangling(&house, file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn a_citation_that_leads_somewhere_is_left_alone() {
    let house = House::read();
    let sound = [
        (
            "crates/core/src/x.rs",
            "//! When (docs/rules.md A3 to A5), and `A77` in code; 100% of RFC 9110.",
        ),
        ("crates/core/src/x.rs", "let a = \"%C3%A4\"; let b = A99;"),
        (
            "crates/backends/src/sqlite/sql/x.sql",
            "-- In the order of A10 (docs/adr/0008), as grant_set.sql.",
        ),
        (
            "docs/x.md",
            "# A heading\n[up](../README.md), [here](#a-heading), [A9](rules.md#a9-counting-and-landing-are-one-function)",
        ),
        ("docs/x.md", "```\n[not a link](nowhere.md) §\n```"),
        (
            "docs/x.md",
            "[ADR 8](adr/0008-hot-statements.md), [out](https://example.org/x.md)",
        ),
    ];
    for (file, text) in sound {
        let wrong = dangling(&house, file, text);
        let wrong: Vec<_> = wrong.iter().filter(|w| !w.contains("#a-heading")).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_heading_is_anchored_as_github_does() {
    let page = "# Is it `set up` safely?\n\n## A. The store\n## A. The store\n```\n# no heading\n```\n";
    let found = anchors(page);
    let wanted = ["is-it-set-up-safely", "a-the-store", "a-the-store-1"];
    assert_eq!(found, wanted.map(str::to_owned).into());
}
