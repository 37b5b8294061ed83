//! The section of the page: its examples, and the fields that its tables name.

use std::collections::BTreeSet;

use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/worker-protocol.md");
const SECTION: &str = "## Each call in full\n";

/// A request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) title: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

/// A field of the requests under a title.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) title: String,
    /// `results[].reply_subject`, or `?limit` in the query.
    pub(crate) name: String,
    pub(crate) required: bool,
}

/// The lines of an `http` block: head, and JSON if there is any.
fn block(lines: &[&str]) -> (Vec<String>, Option<Value>) {
    let blank = lines.iter().position(|l| l.is_empty()).unwrap_or(lines.len());
    let body = lines[blank..].join("\n");
    let body = (!body.trim().is_empty())
        .then(|| serde_json::from_str(&body).unwrap_or_else(|e| panic!("no JSON: {e}: {body}")));
    (lines[..blank].iter().map(|l| (*l).to_owned()).collect(), body)
}

/// A row of a table on the object at `prefix`, which other lines change.
fn field(title: &str, prefix: &mut String, line: &str) -> Option<Field> {
    if line.starts_with("| field |") {
        prefix.clear();
    } else if let Some(of) = line.strip_prefix("| of `") {
        *prefix = format!("{}.", of.split('`').next().unwrap());
    }
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let name = format!("{prefix}{}", cells.next()?.trim_end_matches('`'));
    let required = match cells.next()? {
        "**required**" => true,
        "" => false,
        other => panic!("`{name}` is neither required nor not: {other}"),
    };
    let title = title.to_owned();
    Some(Field {
        title,
        name,
        required,
    })
}

/// What is under a heading of the page: the JSON, and the fields of its tables.
pub(crate) fn under(heading: &str) -> (Vec<Value>, Vec<Field>) {
    let (_, text) = PAGE.split_once(&format!("\n{heading}\n")).expect("the heading");
    let text = text.split("\n##").next().unwrap();
    let blocks = text.split("```json\n").skip(1);
    let json = blocks.map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap());
    let mut prefix = String::new();
    let fields = text
        .lines()
        .filter_map(|line| field(heading, &mut prefix, line))
        .collect();
    (json.collect(), fields)
}

/// What the section says.
pub(crate) fn read() -> (Vec<Example>, Vec<Field>) {
    let (_, section) = PAGE.split_once(SECTION).expect("the section");
    let section = section.split("\n## ").next().unwrap();
    let (mut examples, mut fields) = (Vec::<Example>::new(), Vec::new());
    let (mut title, mut prefix, mut asked) = (String::new(), String::new(), None);
    let lines: Vec<&str> = section.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some(text) = line.strip_prefix("### ") {
            title = text.to_owned();
        }
        fields.extend(field(&title, &mut prefix, line));
        if *line != "```http" {
            continue;
        }
        let end = at + lines[at..].iter().position(|l| *l == "```").expect("an end");
        let (head, body) = block(&lines[at..end]);
        at = end + 1;
        let words: Vec<&str> = head[0].split(' ').collect();
        if words[0] == "HTTP/1.1" {
            let mut example: Example = asked.take().expect("a request before its answer");
            example.status = words[1].parse().unwrap();
            example.answer = body.unwrap_or_default();
            examples.push(example);
        } else {
            let token = head[1].strip_prefix("Authorization: Token ").expect("a token");
            asked = Some(Example {
                title: title.clone(),
                method: words[0].to_owned(),
                path: words[1].to_owned(),
                token: token.to_owned(),
                body,
                status: 0,
                answer: Value::Null,
            });
        }
    }
    assert!(asked.is_none(), "a request without an answer: {asked:?}");
    (examples, fields)
}

/// The names of all fields of a body.
pub(crate) fn names(value: &Value, prefix: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if prefix.is_empty() { "" } else { "." };
                let name = format!("{prefix}{dot}{key}");
                names(value, &name, out);
                out.insert(name);
            }
        }
        Value::Array(list) => list.iter().for_each(|v| names(v, &format!("{prefix}[]"), out)),
        _ => {}
    }
}

/// Takes a field away wherever it is, or puts another value in its place; whether it was anywhere.
pub(crate) fn change(value: &mut Value, name: &str, to: Option<&Value>) -> bool {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let Some(map) = value.as_object_mut() else {
        return false;
    };
    if rest.is_empty() {
        let had = map.remove(first).is_some();
        map.extend(to.filter(|_| had).map(|to| (first.to_owned(), to.clone())));
        return had;
    }
    let Some(inner) = map.get_mut(first.trim_end_matches("[]")) else {
        return false;
    };
    match inner.as_array_mut() {
        Some(list) => {
            let mut any = false;
            for value in list {
                any |= change(value, rest, to);
            }
            any
        }
        None => change(inner, rest, to),
    }
}

impl Example {
    /// The same without a field, or with another value of it, if it has it.
    pub(crate) fn with(&self, name: &str, value: Option<&Value>) -> Option<Self> {
        let mut other = self.clone();
        let had = if let Some(parameter) = name.strip_prefix('?') {
            let (path, query) = self.path.split_once('?')?;
            let keep = |p: &&str| p.split('=').next() != Some(parameter);
            let kept: Vec<&str> = query.split('&').filter(keep).collect();
            other.path = format!("{path}?{}", kept.join("&"));
            kept.len() < query.split('&').count()
        } else {
            change(other.body.as_mut()?, name, value)
        };
        had.then_some(other)
    }
}
