//! Whoever installs as a page or a script says gets the versions of Cargo.lock, with which the tests ran. Without `--locked`
//! `cargo install` takes the newest of each, which may not even compile.

use super::{citations::text_of, files, root};

/// Where commands stand.
const COMMANDS: [&str; 3] = [".md", ".yaml", "Dockerfile"];

/// The commands of a text that install without the lock file.
fn unlocked(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let commands = text.split("cargo install ").skip(1);
    let to_its_end = commands.filter_map(|rest| rest.split(['`', '\n', ';', '&', '|', '#']).next());
    let unlocked = to_its_end.filter(|command| !command.split_whitespace().any(|word| word == "--locked"));
    unlocked.map(str::to_owned).collect()
}

#[test]
fn what_a_page_installs_is_locked() {
    let mut wrong = Vec::new();
    for ending in COMMANDS {
        let mut paths = Vec::new();
        files(&root(), ending, &mut paths);
        assert!(!paths.is_empty(), "no file ends in {ending}");
        for path in paths {
            let found = unlocked(&std::fs::read_to_string(&path).unwrap());
            wrong.extend(
                found
                    .into_iter()
                    .map(|command| format!("{}: {command}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(
        text_of("README.md").contains("cargo install "),
        "a stranger is told how"
    );
}

#[test]
fn an_install_that_is_not_locked_is_found() {
    for (text, expected) in [
        ("`cargo install --locked --path crates/app` puts it there", 0),
        ("cargo install --path crates/app --locked\n", 0),
        ("RUN cargo install \\\n    --locked trapline\n", 0),
        ("`cargo install --path crates/app` puts it there, not --locked", 1),
        ("cargo install trapline\ncargo build --locked", 1),
        (
            "cargo install trapline && cargo build --locked; cargo install --unlocked x",
            2,
        ),
        ("cargo install trapline # --locked", 1),
    ] {
        assert_eq!(unlocked(text).len(), expected, "{text}");
    }
}
