//! The files in `deploy` hold together: what they set are settings, what they name is there, and the servers that are here
//! take their configuration.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use trapline::config::{Config, SETTINGS};
use trapline_testkit::services::NatsBinary;

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The variables that Trapline reads.
fn known() -> BTreeSet<&'static str> {
    SETTINGS.iter().flat_map(|s| s.env).copied().collect()
}

/// The part of YAML that the compose file is written in: mappings by indent, `- ` items, one line a value. Values by the path
/// of keys that leads to them; an item's key is `-`. Anything else is refused.
fn values(yaml: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut at: Vec<(usize, String)> = Vec::new();
    for (number, line) in yaml.lines().enumerate() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let indent = line.len() - text.len();
        assert!(
            !line.contains('\t') && indent % 2 == 0,
            "line {}: {line}",
            number + 1
        );
        at.retain(|(outer, _)| *outer < indent);
        let (key, value) = match text.strip_prefix("- ") {
            Some(item) => ("-", item),
            None => text
                .split_once(':')
                .unwrap_or_else(|| panic!("line {} has no key: {line}", number + 1)),
        };
        assert!(
            value.is_empty() || key == "-" || value.starts_with(' '),
            "line {}: {line}",
            number + 1
        );
        at.push((indent, key.trim_matches('"').to_owned()));
        let path: Vec<String> = at.iter().map(|(_, key)| key.clone()).collect();
        found.push((path, value.trim().trim_matches('"').to_owned()));
    }
    found
}

/// The mapping below a path.
fn below(all: &[(Vec<String>, String)], path: &[&str]) -> BTreeMap<String, String> {
    all.iter()
        .filter(|(at, _)| at.len() == path.len() + 1 && at.iter().zip(path).all(|(a, b)| a == b))
        .map(|(at, value)| (at.last().unwrap().clone(), value.clone()))
        .collect()
}

fn compose() -> Vec<(Vec<String>, String)> {
    values(&read("compose.yaml"))
}

/// `45s` as a number.
fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().unwrap()
}

#[test]
fn compose_has_three_nodes_whose_environment_is_made_of_settings() {
    let all = compose();
    let services = below(&all, &["services"]);
    for name in NODES
        .iter()
        .chain(&["proxy", "postgres", "nats-1", "nats-2", "nats-3", "valkey"])
    {
        assert!(services.contains_key(*name), "{name} of {services:?}");
    }
    for node in NODES {
        assert_eq!(below(&all, &["services", node])["<<"], "*node");
    }
    let environment = below(&all, &["x-node", "environment"]);
    assert!(environment.len() > 5, "{environment:?}");
    for key in environment.keys() {
        assert!(known().contains(key.as_str()), "`{key}` is no setting");
    }
    let drain = environment["TRAPLINE_DRAIN_SECONDS"].parse::<u64>().unwrap();
    assert!(seconds(&below(&all, &["x-node"])["stop_grace_period"]) > drain);
    for asked in ["POSTGRES_PASSWORD", "NATS_PASSWORD", "TRAPLINE_ADMIN_TOKEN"] {
        assert!(read("env.example").contains(&format!("\n{asked}=")), "{asked}");
    }
}

#[test]
fn the_settings_of_compose_are_taken_by_the_server() {
    let environment = below(&compose(), &["x-node", "environment"]);
    let filled: BTreeMap<String, String> = environment
        .into_iter()
        .map(|(key, value)| {
            let mut text = value;
            for name in ["POSTGRES_PASSWORD", "NATS_PASSWORD", "TRAPLINE_ADMIN_TOKEN"] {
                text = text.replace(
                    &format!("${{{name}:?set it in .env}}"),
                    "a-secret-of-more-than-twenty",
                );
            }
            assert!(!text.contains('$'), "{text}");
            (key, text)
        })
        .collect();
    let effective = trapline::config::Effective::load(None, |name| filled.get(name).cloned(), &[]).unwrap();
    let config: Config = effective.config;
    assert_eq!(config.queue_replicas, 3);
    assert_eq!(config.queue.split(',').count(), 3);
}

#[test]
fn what_compose_names_is_there_and_the_proxy_knows_every_node() {
    let all = compose();
    let nginx = read("nginx.conf");
    // The proxy is believed: it is in a network of the compose file, and tells the client's address by itself.
    let trusted = &below(&all, &["x-node", "environment"])["TRAPLINE_TRUSTED_PROXIES"];
    let subnet = all
        .iter()
        .find(|(at, _)| at.iter().any(|key| key == "ipam") && at.last().is_some_and(|key| key == "-"));
    assert_eq!(format!("subnet: {trusted}"), subnet.unwrap().1);
    for header in [
        "X-Forwarded-For $remote_addr",
        "X-Forwarded-Proto $scheme",
        "X-Forwarded-Host $http_host",
    ] {
        assert!(nginx.contains(&format!("proxy_set_header {header};")), "{header}");
    }
    let idle = Config::default().connections.idle_timeout.as_secs();
    let kept = nginx
        .split("keepalive_timeout ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert!(seconds(kept) < idle, "{kept} of {idle} s");
    for node in NODES {
        let address = &below(&all, &["services", node, "networks", "inside"])["ipv4_address"];
        assert!(
            nginx.contains(&format!("server {address}:8000 ")),
            "{node} at {address}"
        );
    }
    let mounted: Vec<&str> = all
        .iter()
        .filter(|(at, _)| at.contains(&"volumes".to_owned()))
        .filter_map(|(_, value)| value.strip_prefix("./")?.split(':').next())
        .collect();
    assert_eq!(mounted, ["nginx.conf", "nats.conf", "nats.conf", "nats.conf"]);
    assert!(mounted.iter().all(|file| folder().join(file).is_file()));
    assert_eq!(
        below(&all, &["x-node", "build"])["dockerfile"],
        "deploy/Dockerfile"
    );
    for part in [nginx.as_str(), &read("nats.conf")] {
        assert_eq!(part.matches('{').count(), part.matches('}').count());
    }
}

#[test]
fn the_unit_sets_settings_and_waits_for_the_drain() {
    let unit = read("trapline.service");
    let of = |key: &str| -> Vec<String> {
        let lines = unit
            .lines()
            .filter_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        lines.map(str::to_owned).collect()
    };
    let environment = of("Environment");
    let pairs: BTreeMap<&str, &str> = environment.iter().map(|e| e.split_once('=').unwrap()).collect();
    assert!(pairs.len() > 2);
    for key in pairs.keys() {
        assert!(known().contains(key), "`{key}` is no setting");
    }
    let drain: u64 = pairs["TRAPLINE_DRAIN_SECONDS"].parse().unwrap();
    assert!(of("TimeoutStopSec")[0].parse::<u64>().unwrap() > drain);
    assert_eq!(of("KillSignal"), ["SIGTERM"]);
    assert_eq!(of("DynamicUser"), ["yes"]);
    let state = format!("sqlite:/var/lib/{}/", of("StateDirectory")[0]);
    assert!(pairs["DATABASE_URL"].starts_with(&state));
}

#[test]
fn nats_takes_its_configuration() {
    // 2.9 can't sync each message, and says so; the compose file has a newer one.
    for binary in NatsBinary::all().unwrap() {
        let done = Command::new(&binary.path)
            .args(["-t", "-c"])
            .arg(folder().join("nats.conf"))
            .envs([("NATS_NAME", "nats-1"), ("NATS_PASSWORD", "secret")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let old = binary.version.starts_with("2.9.");
        assert_eq!(done.status.success(), !old, "{}: {said}", binary.version);
        assert_eq!(said.contains("unknown field \"sync_interval\""), old, "{said}");
    }
}
