//! That the map argues for each method of a port, in the order of the traits, and for none that is gone.

use crate::root;

const TRAITS: [&str; 5] = ["store", "catalog", "health", "queue", "progress"];

#[test]
fn each_method_of_a_port_is_argued_for_on_the_map() {
    let methods: Vec<String> = TRAITS
        .iter()
        .flat_map(|port| {
            let file = root().join("crates/core/src/ports").join(format!("{port}.rs"));
            let text = std::fs::read_to_string(file).unwrap();
            text.lines()
                .filter_map(|line| line.trim_start().strip_prefix("async fn "))
                .map(|rest| rest.split('(').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = map.split("## The ports, a line each").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let argued: Vec<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- `"))
        .map(|rest| rest.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(methods, argued);
    assert!(
        section.contains(&format!("{} methods", methods.len())),
        "{}",
        methods.len()
    );
}
