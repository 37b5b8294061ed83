//! Every scenario of `trapline chaos` on the real binary, each as a test of its own; most of the time they wait, so more
//! of them run at a time than there are cores.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use trapline_testkit::{SERVER_TOKEN, Server};

const SIDE_BY_SIDE: usize = 6;
const FAULT_POINTS: bool = cfg!(feature = "fault-points");

/// Scenarios and what they prove; those that take longest first.
const PROOFS: &[(&str, &str)] = &[
    ("G", "when_all_workers_die_others_process_what_they_held"),
    ("E", "a_dependency_that_stays_down_past_every_retry_fails_no_job"),
    ("L", "a_slow_worker_that_is_alive_keeps_its_tasks"),
    ("F", "exhausted_deliveries_lose_their_images_and_no_others"),
    ("M", "a_full_disk_loses_nothing_that_was_answered"),
    ("B", "a_transient_error_of_a_dependency_is_not_noticed"),
    ("C", "the_loss_of_both_projections_mid_flight_costs_nothing"),
    (
        "I",
        "a_cancel_while_dispatching_revokes_at_once_and_a_retry_runs_it_whole",
    ),
    ("D", "a_crash_between_save_and_answer_counts_each_result_once"),
    ("A", "the_happy_path_hands_out_each_image_once"),
    ("J", "run_pressed_twice_runs_once"),
    (
        "H",
        "doubled_reordered_garbled_and_late_posts_are_counted_exactly",
    ),
];

fn trapline(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trapline"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn scenario(letter: &str) -> Result<(), Failed> {
    let output = trapline(&["chaos", "scenario", letter, "--json"]);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let played: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {said}"))?;
    if output.status.success() && played["outcome"] == "ok" && played["scenario"] == letter {
        return Ok(());
    }
    let seen = played["seen"].as_str().unwrap_or(&said).to_owned();
    Err(format!("{}: {seen}", output.status).into())
}

fn without_fault_points_scenario_k_says_how_to_get_them() -> Result<(), Failed> {
    let output = trapline(&["chaos", "scenario", "K"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("K killed-at-fault-points not built in"),
        "{said}"
    );
    assert!(said.contains("--features fault-points"), "{said}");
    Ok(())
}

fn an_unknown_scenario_is_refused_naming_the_known() -> Result<(), Failed> {
    let output = trapline(&["chaos", "scenario", "Z"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("A (happy-path)") && said.contains("M (disk-full)"),
        "{said}"
    );
    Ok(())
}

fn a_server_that_does_not_allow_chaos_is_left_alone() -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
    let server = runtime.block_on(Server::start(binary, folder.path(), &[]));
    let url = server.url();
    for what in [
        &["flush", "queue"][..],
        &["exhaust-max-deliver", "--job-id", "1", "--image-ids", "1"],
    ] {
        let at = ["--url", url.as_str(), "--token", SERVER_TOKEN];
        let output = trapline(&[&["chaos"], what, &at].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("trapline serve --allow-chaos"), "{said}");
    }
    Ok(())
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let mut all = vec![if FAULT_POINTS {
        Trial::test("a_kill_at_every_fault_point_costs_nothing", || scenario("K"))
    } else {
        Trial::test(
            "without_fault_points_scenario_k_says_how_to_get_them",
            without_fault_points_scenario_k_says_how_to_get_them,
        )
    }];
    all.extend(
        PROOFS
            .iter()
            .map(|(letter, proof)| Trial::test(*proof, || scenario(letter))),
    );
    all.push(Trial::test(
        "an_unknown_scenario_is_refused_naming_the_known",
        an_unknown_scenario_is_refused_naming_the_known,
    ));
    all.push(Trial::test(
        "a_server_that_does_not_allow_chaos_is_left_alone",
        a_server_that_does_not_allow_chaos_is_left_alone,
    ));
    libtest_mimic::run(&arguments, all).exit();
}
