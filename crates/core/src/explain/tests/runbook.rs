//! The tables of `docs/life-cycle.md` quote what is really said, and leave out nothing that may be said.

use serde::Serialize;

use super::*;
use crate::{
    CaptureId,
    health::{Action, CheckReport, id_lists, lost_line, reap_line, snapshot_line},
    verify::Invariant,
};

const PAGE: &str = include_str!("../../../../../docs/life-cycle.md");

/// The rows of the table with this heading, cell by cell.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(heading));
    let rows: Vec<_> = lines
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table `{heading}`");
    rows
}

/// What a cell quotes.
fn quotes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether a quotation, in which `…` stands for anything, is this sentence as a whole.
fn quoted(quotation: &str, sentence: &str) -> bool {
    let (first, rest) = quotation.split_once('…').unwrap_or((quotation, ""));
    let Some(mut left) = sentence.strip_prefix(first) else {
        return false;
    };
    if !quotation.contains('…') {
        return left.is_empty();
    }
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// Every row of a table quotes one of these, and each of these is in a row.
fn agree(heading: &str, said: &[String]) {
    let rows: Vec<&str> = table(heading).iter().flat_map(|row| quotes(row[0])).collect();
    for quotation in &rows {
        assert!(
            said.iter().any(|s| quoted(quotation, s)),
            "nothing says `{quotation}`"
        );
    }
    for sentence in said {
        assert!(
            rows.iter().any(|row| quoted(row, sentence)),
            "no row has: {sentence}"
        );
    }
}

/// A sentence of each kind about a job that has not started, or has ended.
fn at_rest() -> Vec<String> {
    let of = |status| job(status, 3, 0, 17, 0);
    let landed = |status, processed, failed| job(status, 0, 0, processed, failed);
    let jobs = [
        of(JobStatus::Created),
        Job {
            not_before: Some(NOW.plus(TTR)),
            ..of(JobStatus::Pending)
        },
        of(JobStatus::Pending),
        of(JobStatus::Retry),
        of(JobStatus::Canceling),
        of(JobStatus::Unknown),
        of(JobStatus::Revoked),
        Job {
            errors: vec![reap_line(TTR, JobStatus::Unknown, &Counts::default())],
            ..of(JobStatus::Revoked)
        },
        landed(JobStatus::Success, 20, 0),
        landed(JobStatus::Success, 10, 10),
        landed(JobStatus::Failure, 3, 17),
    ];
    jobs.iter().map(|job| say(job, &Outlook::default())).collect()
}

/// A sentence of each kind about a job that is being worked on.
fn under_way() -> Vec<String> {
    let none = Outlook::default();
    let gone = Outlook {
        last_seen: Some(ago(900)),
        ..Outlook::default()
    };
    let out = Outlook {
        oldest_lease: Some(lease()),
        ..Outlook::default()
    };
    let dead = Outlook {
        strikes: 2,
        ..out.clone()
    };
    let alive = |busy_with| Outlook {
        workers: vec![worker("gpu-1", busy_with)],
        ..Outlook::default()
    };
    let mut drained = alive(None);
    drained.workers[0].draining = true;
    let silent = Outlook {
        strikes: 2,
        struck_by: Some("gpu-1".into()),
        ..alive(None)
    };
    let leased = job(JobStatus::Started, 0, 3, 17, 0);
    let collecting = Job {
        collected: false,
        ..free()
    };
    let away = Reach::Unreachable("timed out".into());
    let settled = job(JobStatus::Started, 0, 0, 20, 0);
    vec![
        say(&collecting, &none),
        say(&settled, &none),
        say(&free(), &none),
        say(&free(), &gone),
        say(&free(), &alive(Some(4))),
        say(&free(), &alive(None)),
        say(&free(), &drained),
        say(&free(), &silent),
        say(&leased, &out),
        say(&leased, &dead),
        say_with(&leased, &out, &Reach::Gone, &Reach::Ok),
        say_with(&free(), &none, &away, &Reach::Ok),
        say_with(&leased, &out, &Reach::Ok, &Reach::Gone),
        say_with(&free(), &none, &Reach::Ok, &away),
    ]
}

#[test]
fn the_runbook_quotes_every_sentence_and_no_other() {
    let mut said = at_rest();
    said.extend(under_way());
    said.push(store_away("disk full"));
    agree("| what it says", &said);
}

#[test]
fn the_runbook_quotes_every_line_that_a_tick_writes() {
    let lost: Vec<CaptureId> = (1..=16).map(CaptureId).collect();
    let counts = Counts::default();
    let mut said = vec![
        lost_line(None, &lost[..].into()),
        snapshot_line(JobStatus::Started, &counts, None),
        reap_line(TTR, JobStatus::Unknown, &counts),
    ];
    said.extend(id_lists(&lost));
    agree("| line |", &said);
}

#[test]
fn the_runbook_says_of_every_finding_of_a_tick_how_it_is_counted() {
    let all = [
        Action::MarkedLost,
        Action::Freed,
        Action::Raced,
        Action::Projected,
        Action::QueueIncomplete,
        Action::ProgressStale,
        Action::Landed,
        Action::Reaped,
        Action::Removed,
        Action::Failed,
    ];
    let counted: Vec<[String; 2]> = all
        .iter()
        .map(|did| {
            let mut report = CheckReport::default();
            report.found(JobId(1), *did, "");
            let as_what = match (report.fixed, report.unfixable) {
                (1, 0) => "fixed",
                (0, 1) => "unfixable",
                _ => "neither",
            };
            [name(did), as_what.to_owned()]
        })
        .collect();
    let told: Vec<[String; 2]> = table("| did ")
        .iter()
        .map(|row| [row[0].trim_matches('`').to_owned(), row[1].to_owned()])
        .collect();
    assert_eq!(told, counted);
}

#[test]
fn the_runbook_names_every_invariant_of_verify_and_no_other() {
    let all = [
        Invariant::JobHasAnOwner,
        Invariant::LandedIsComplete,
        Invariant::JobCounts,
        Invariant::FailureGroups,
        Invariant::TaskCounts,
        Invariant::OneOutcome,
        Invariant::SettledWasHandedOut,
        Invariant::GrantHasJob,
        Invariant::NoLeaseOnSettled,
        Invariant::LeaseHasGrant,
        Invariant::CleanedUp,
        Invariant::DetectionHasTask,
        Invariant::ClassificationHasDetection,
        Invariant::DetectionsUnique,
    ];
    let mut known: Vec<String> = all.iter().map(name).collect();
    let mut told: Vec<String> = table("| invariant ")
        .iter()
        .flat_map(|row| quotes(row[1]))
        .map(str::to_owned)
        .collect();
    known.sort();
    told.sort();
    assert_eq!(told, known);
}

#[test]
fn a_quotation_is_the_whole_sentence_but_for_what_differs() {
    assert!(quoted("a … c", "a b c") && quoted("…c", "a b c") && quoted("a", "a"));
    assert!(!quoted("a", "a b") && !quoted("a … c", "a b") && !quoted("b…", "a b"));
}

/// As it is on the wire.
fn name(of: &impl Serialize) -> String {
    let name = serde_json::to_string(of).unwrap();
    name.trim_matches('"').to_owned()
}
