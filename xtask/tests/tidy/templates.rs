//! That the pages' templates hold what the policy of their answers allows, and escape what is not theirs.

use crate::{files, root};

/// What no template has: text that is not escaped; code and style that the policy refuses.
const BANNED: [&str; 7] = [
    "|safe",
    "style=",
    "<style",
    "javascript:",
    "hx-on",
    "js:",
    "hx-vals",
];

/// What each tag needs. A table whose rows are cards on a phone keeps its roles only if they are written.
const NEEDED: [(&str, &str); 9] = [
    ("script", " src="),
    ("img", " alt="),
    ("button", " type="),
    ("table", " role="),
    ("thead", " role="),
    ("tbody", " role="),
    ("tr", " role="),
    ("th", " role="),
    ("td", " role="),
];

/// The opening tags of a template, from the bracket to the next one.
fn tags<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let opens = move |rest: &&str| {
        let after = rest.strip_prefix(name);
        after.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    text.split('<')
        .filter(opens)
        .map(|rest| rest.split('>').next().unwrap_or(rest))
}

/// Whether a tag has an attribute that runs code, as `onclick=`.
fn has_handler(text: &str) -> bool {
    text.split_ascii_whitespace().any(|word| {
        let name = word.split('=').next().unwrap_or_default();
        word.contains('=')
            && name.len() > 2
            && name.starts_with("on")
            && name.bytes().all(|b| b.is_ascii_lowercase())
    })
}

#[test]
fn templates_hold_no_code_no_style_and_no_text_that_is_not_escaped() {
    let root = root().join("crates/app/templates");
    let mut paths = Vec::new();
    files(&root, ".html", &mut paths);
    assert!(paths.len() > 5, "only {} templates were found", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display();
        for word in BANNED {
            assert!(!text.contains(word), "{name} has `{word}`");
        }
        assert!(!has_handler(&text), "{name} has an attribute that runs code");
        for (tag, needs) in NEEDED {
            for found in tags(&text, tag) {
                assert!(
                    found.contains(needs),
                    "{name}: <{found}> needs `{}`",
                    needs.trim()
                );
            }
        }
    }
}

#[test]
fn a_handler_is_told_from_a_word_that_begins_like_one() {
    assert!(has_handler("<a onclick=\"x\">"));
    assert!(!has_handler("<li>one = on</li> only content=\"x\" {% if on %}"));
}
