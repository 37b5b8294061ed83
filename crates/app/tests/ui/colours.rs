//! The colours of the style sheet keep the contrasts that WCAG 2.2 AA asks for, in both themes.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../assets/app.css");
/// Contrast of text, and of what else must be told apart.
const TEXT: f64 = 4.5;
const GRAPHICS: f64 = 3.0;

/// Each colour by its name, light and dark.
fn colours() -> BTreeMap<&'static str, [&'static str; 2]> {
    let declared = STYLE.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
        let (light, dark) = value.strip_suffix(");")?.split_once(", ")?;
        Some((name, [light, dark]))
    });
    declared.collect()
}

/// How much red, green and blue light a colour is, each from 0 to 1.
fn light(colour: &str) -> [f64; 3] {
    [1, 3, 5].map(|at| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    })
}

/// Relative luminance, as WCAG defines it.
fn luminance(colour: &str) -> f64 {
    let [r, g, b] = light(colour);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_meet_their_ratios() {
    assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 0.01);
    let colours = colours();
    let mut low = Vec::new();
    let mut at_least = |front: &str, back: &str, ratio: f64| {
        for theme in [0, 1] {
            let got = contrast(colours[front][theme], colours[back][theme]);
            if got < ratio {
                low.push(format!(
                    "--{front} on --{back}, theme {theme}: {got:.2}, not {ratio}"
                ));
            }
        }
    };
    for text in ["text", "text-2", "accent"] {
        for back in ["bg", "bg-2", "bg-3"] {
            at_least(text, back, TEXT);
        }
    }
    at_least("on-accent", "accent", TEXT);
    for state in ["ok", "fail", "warn", "run", "wait", "stop"] {
        at_least(state, "bg", TEXT);
        at_least(state, &format!("{state}-bg"), TEXT);
    }
    for back in ["bg", "bg-2", "bg-3"] {
        at_least("edge", back, GRAPHICS);
        at_least("focus", back, GRAPHICS);
    }
    for part in ["bar-ok", "bar-fail", "bar-run"] {
        at_least(part, "bg", GRAPHICS);
    }
    assert!(low.is_empty(), "{low:#?}");
}

/// Lightness and two axes of colour, as CIE 1976 has them under daylight: what differs by 2 is seen to.
fn lab(colour: &str) -> [f64; 3] {
    let [r, g, b] = light(colour);
    let curve = |of: f64| {
        if of > 0.008856 {
            of.cbrt()
        } else {
            7.787 * of + 16.0 / 116.0
        }
    };
    let x = curve((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
    let y = curve(0.2126 * r + 0.7152 * g + 0.0722 * b);
    let z = curve((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn the_colours_of_labels_are_told_apart_and_seen_in_their_casing() {
    let boxes: Vec<&str> = STYLE
        .split("{ --box: ")
        .skip(1)
        .map(|rest| rest.split(';').next().unwrap())
        .collect();
    assert_eq!(boxes.len(), 8);
    for (at, one) in boxes.iter().enumerate() {
        assert!(contrast(one, "#000000") >= TEXT, "{one}");
        for other in &boxes[..at] {
            let axes = lab(one).into_iter().zip(lab(other));
            let apart = axes.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(apart >= 35.0, "{one} and {other}: {apart:.0}");
        }
    }
}
