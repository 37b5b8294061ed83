//! Every scenario of `trapline chaos` on the real binary: on the embedded default as `scenario all` plays them, once, and a
//! test for the line of each; on two nodes that share real servers each by itself. Most of the time they wait, so more of
//! them run at a time than there are cores.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use trapline_testkit::{
    SERVER_TOKEN, Server,
    services::{Nats, NatsBinary, Postgres, Redis},
    until,
};

const SIDE_BY_SIDE: usize = 6;
const PATIENCE: Duration = Duration::from_secs(60);
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

/// What the nodes of a cluster share, the same for all tests.
struct Services {
    runtime: tokio::runtime::Runtime,
    servers: OnceLock<(Postgres, Nats, Redis)>,
}

impl Services {
    /// Not started yet.
    fn new() -> Self {
        Self {
            runtime: tokio::runtime::Runtime::new().unwrap(),
            servers: OnceLock::new(),
        }
    }

    /// The flags of a scenario on two nodes.
    fn flags(&self) -> Vec<String> {
        let (postgres, nats, redis) = self.servers.get_or_init(|| {
            self.runtime.block_on(async {
                let nats = NatsBinary::all().unwrap_or_else(|missing| panic!("{missing}"));
                futures::join!(Postgres::start(), Nats::start(nats[0].clone()), Redis::start())
            })
        });
        let flags = [
            ("--nodes", "2".to_owned()),
            ("--database", postgres.url("postgres")),
            ("--queue", nats.url()),
            ("--progress", redis.url()),
        ];
        flags.map(|(flag, value)| format!("{flag}={value}")).into()
    }
}

fn trapline(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trapline"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Plays a scenario, and takes its line.
fn play(letter: &str, flags: &[String]) -> Result<(Output, Value), Failed> {
    let flags = flags.iter().map(String::as_str);
    let args: Vec<&str> = ["chaos", "scenario", letter, "--json"]
        .into_iter()
        .chain(flags)
        .collect();
    let output = trapline(&args);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let played: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {said}"))?;
    assert_eq!(played["scenario"], letter, "{said}");
    Ok((output, played))
}

fn scenario(letter: &str, flags: &[String]) -> Result<(), Failed> {
    let (output, played) = play(letter, flags)?;
    if output.status.success() && played["outcome"] == "ok" {
        return Ok(());
    }
    Err(format!("{}: {played}", output.status).into())
}

/// What K is, built like this.
const K: &str = if FAULT_POINTS { "ok" } else { "not_built_in" };

/// The lines of `scenario all` on the embedded default, played once by whoever asks first.
#[derive(Default)]
struct All(OnceLock<(Output, Vec<Value>)>);

impl All {
    fn lines(&self) -> &(Output, Vec<Value>) {
        self.0.get_or_init(|| {
            let output = trapline(&["chaos", "scenario", "all", "--json"]);
            let lines = String::from_utf8_lossy(&output.stdout);
            let lines = lines
                .lines()
                .map(|line| {
                    serde_json::from_str(line)
                        .unwrap_or_else(|e| json!({ "no JSON": line, "why": e.to_string() }))
                })
                .collect();
            (output, lines)
        })
    }

    fn scenario(&self, letter: &str) -> Result<(), Failed> {
        let (output, lines) = self.lines();
        match lines.iter().find(|played| played["scenario"] == letter) {
            Some(played) if played["outcome"] == "ok" => Ok(()),
            Some(played) => Err(played.to_string().into()),
            None => Err(format!("it has no line: {output:?}").into()),
        }
    }
}

fn scenario_all_prints_a_line_for_each_of_thirteen_and_each_is_as_promised(all: &All) -> Result<(), Failed> {
    let (output, lines) = all.lines();
    let outcomes: Vec<_> = lines
        .iter()
        .map(|played| {
            (
                played["scenario"].as_str().unwrap_or_default(),
                &played["outcome"],
            )
        })
        .collect();
    let (k, ok) = (json!(K), json!("ok"));
    let promised: Vec<_> = "A B C D E F G H I J K L M"
        .split(' ')
        .map(|letter| (letter, if letter == "K" { &k } else { &ok }))
        .collect();
    assert_eq!(outcomes, promised, "{lines:?}");
    for played in lines {
        assert!(
            played["seconds"].is_f64() && played["name"].is_string(),
            "{played}"
        );
        assert!(
            played["seen"].as_str().is_some_and(|seen| !seen.is_empty()),
            "{played}"
        );
    }
    assert!(output.status.success(), "{output:?}");
    Ok(())
}

fn on_two_nodes_a_full_disk_is_said_not_to_be_played(services: &Services) -> Result<(), Failed> {
    let (output, played) = play("M", &services.flags())?;
    assert_eq!(output.status.code(), Some(1), "{played}");
    assert_eq!(played["outcome"], "not_applicable", "{played}");
    Ok(())
}

/// A started job of somebody's on the same servers, while scenarios wipe, kill and drop what is theirs.
fn scenarios_touch_nothing_of_others_on_their_servers(services: &Services) -> Result<(), Failed> {
    const SLUG: &str = "theirs";
    let flags = services.flags();
    let env: Vec<(&str, &str)> = ["DATABASE_URL", "NATS_URL", "REDIS_URL"]
        .into_iter()
        .zip(flags[1..].iter().filter_map(|flag| Some(flag.split_once('=')?.1)))
        .collect();
    let folder = tempfile::tempdir()?;
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
    let server = services
        .runtime
        .block_on(Server::start(binary, folder.path(), &env));
    let theirs = server.client();
    let evidence = async |job: &Value| {
        let mut found = theirs.get(&format!("/api/v2/jobs/{job}/explain/")).await;
        ["queue_counters", "queue", "progress", "counts"].map(|part| found[part].take())
    };
    let (job, before) = services.runtime.block_on(async {
        theirs.register_pipeline(SLUG).await;
        let captures = [json!({ "url": "https://captures.test/1.jpg" })];
        let job =
            json!({ "name": SLUG, "delay": 0, "project_id": 1, "pipeline_slug": SLUG, "captures": captures });
        let job = theirs.post("/api/v2/jobs/?start_now", &job).await["id"].take();
        let before = until("their task is offered", PATIENCE, async || {
            let found = evidence(&job).await;
            let offered =
                found[0]["num_pending"] == 1 && found[2]["state"] == "ok" && found[3]["pending"] == 1;
            if offered {
                Ok(found)
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
        (job, before)
    });
    for letter in ["C", "D"] {
        scenario(letter, &flags)?;
    }
    assert_eq!(services.runtime.block_on(evidence(&job)), before);
    Ok(())
}

fn nodes_that_share_nothing_are_refused() -> Result<(), Failed> {
    for flags in [
        &["--nodes=2", "--database=sqlite:a.db"][..],
        &["--database=postgres://127.0.0.1/a"],
    ] {
        let output = trapline(&[&["chaos", "scenario", "A"], flags].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("--nodes") || said.contains("--queue nats://"),
            "{said}"
        );
    }
    Ok(())
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

/// The trials of the scenarios, the longest first: `all`, then those on two nodes, and last the lines that `all` printed,
/// so that no thread waits for it.
fn scenarios(services: &Arc<Services>) -> Vec<Trial> {
    let all = Arc::new(All::default());
    let on_two_nodes = |name: &str, letter: &'static str| {
        let services = Arc::clone(services);
        Trial::test(format!("on_two_nodes_{name}"), move || {
            scenario(letter, &services.flags())
        })
    };
    let line_of = |name: &str, letter: &'static str| {
        let all = Arc::clone(&all);
        Trial::test(name, move || all.scenario(letter))
    };
    let played = Arc::clone(&all);
    let mut trials = vec![Trial::test(
        "scenario_all_prints_a_line_for_each_of_thirteen_and_each_is_as_promised",
        move || scenario_all_prints_a_line_for_each_of_thirteen_and_each_is_as_promised(&played),
    )];
    let killed = ("K", "a_kill_at_every_fault_point_costs_nothing");
    let proofs = || FAULT_POINTS.then_some(&killed).into_iter().chain(PROOFS);
    trials.extend(
        proofs()
            .filter(|(letter, _)| *letter != "M")
            .map(|(letter, name)| on_two_nodes(name, letter)),
    );
    trials.extend(proofs().map(|(letter, name)| line_of(name, letter)));
    trials
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let services = Arc::new(Services::new());
    let mut all = scenarios(&services);
    if !FAULT_POINTS {
        all.push(Trial::test(
            "without_fault_points_scenario_k_says_how_to_get_them",
            without_fault_points_scenario_k_says_how_to_get_them,
        ));
    }
    let (shared, also) = (Arc::clone(&services), Arc::clone(&services));
    all.extend([
        Trial::test("scenarios_touch_nothing_of_others_on_their_servers", move || {
            scenarios_touch_nothing_of_others_on_their_servers(&also)
        }),
        Trial::test("on_two_nodes_a_full_disk_is_said_not_to_be_played", move || {
            on_two_nodes_a_full_disk_is_said_not_to_be_played(&shared)
        }),
        Trial::test(
            "nodes_that_share_nothing_are_refused",
            nodes_that_share_nothing_are_refused,
        ),
        Trial::test(
            "an_unknown_scenario_is_refused_naming_the_known",
            an_unknown_scenario_is_refused_naming_the_known,
        ),
        Trial::test(
            "a_server_that_does_not_allow_chaos_is_left_alone",
            a_server_that_does_not_allow_chaos_is_left_alone,
        ),
    ]);
    let conclusion = libtest_mimic::run(&arguments, all);
    // An exit drops nothing, and the servers have folders.
    drop(services);
    conclusion.exit();
}
