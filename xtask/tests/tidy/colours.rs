//! That the web interface's colours can be told apart, in light and in dark (WCAG 2.2: 4.5 for text, 3 for what is drawn).

use std::collections::BTreeMap;

use crate::root;

/// What stands on what, and the contrast that it needs.
const PAIRS: [(&str, &str, f64); 25] = [
    ("text", "bg", 4.5),
    ("text", "bg-2", 4.5),
    ("text", "bg-3", 4.5),
    ("text-2", "bg", 4.5),
    ("text-2", "bg-2", 4.5),
    ("text-2", "bg-3", 4.5),
    ("accent", "bg", 4.5),
    ("accent", "bg-2", 4.5),
    ("on-accent", "accent", 4.5),
    ("ok", "ok-bg", 4.5),
    ("fail", "fail-bg", 4.5),
    ("warn", "warn-bg", 4.5),
    ("run", "run-bg", 4.5),
    ("wait", "wait-bg", 4.5),
    ("stop", "stop-bg", 4.5),
    ("edge", "bg", 3.0),
    ("edge", "bg-2", 3.0),
    ("edge", "bg-3", 3.0),
    ("focus", "bg", 3.0),
    ("focus", "bg-2", 3.0),
    ("bar-ok", "bg", 3.0),
    ("bar-fail", "bg", 3.0),
    ("bar-run", "bg", 3.0),
    ("bar-ok", "bg-2", 3.0),
    ("bar-run", "bg-2", 3.0),
];

/// The luminance of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let share = f64::from(byte) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (a, b) = (luminance(one) + 0.05, luminance(other) + 0.05);
    a.max(b) / a.min(b)
}

#[test]
fn colours_meet_their_ratios() {
    let css = std::fs::read_to_string(root().join("crates/app/assets/app.css")).unwrap();
    let tokens: BTreeMap<&str, Vec<&str>> = css
        .lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (value, _) = value.split_once(')')?;
            Some((name, value.split(", ").collect()))
        })
        .collect();
    for (on_top, below, needs) in PAIRS {
        for (at, theme) in ["light", "dark"].iter().enumerate() {
            let is = contrast(tokens[on_top][at], tokens[below][at]);
            assert!(
                is >= needs,
                "{theme}: {on_top} on {below} has {is:.2}, and needs {needs}"
            );
        }
    }
}
