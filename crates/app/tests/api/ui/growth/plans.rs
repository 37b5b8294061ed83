//! What PostgreSQL tells of the statements that it ran (`auto_explain`).

use serde_json::Value;

/// What a statement did.
pub(super) struct Ran {
    pub(super) sql: String,
    pub(super) blocks: u64,
    /// How often an index was entered.
    pub(super) look_ups: u64,
    /// Tables that were read from end to end.
    pub(super) scanned: Vec<String>,
}

impl Ran {
    fn of(explained: &Value) -> Self {
        let plan = &explained["Plan"];
        let mut ran = Self {
            sql: explained["Query Text"].as_str().unwrap().to_owned(),
            blocks: number(plan, "Shared Hit Blocks") + number(plan, "Shared Read Blocks"),
            look_ups: 0,
            scanned: Vec::new(),
        };
        ran.add(plan);
        ran
    }

    fn add(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap();
        if kind.contains("Index") {
            self.look_ups += number(node, "Actual Loops");
        }
        if kind.ends_with("Seq Scan") {
            self.scanned
                .push(node["Relation Name"].as_str().unwrap().to_owned());
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

fn number(node: &Value, name: &str) -> u64 {
    node[name].as_u64().unwrap_or(0)
}

/// The statements in a part of the server's log.
pub(super) fn ran(log: &str) -> Vec<Ran> {
    let mut ran = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with(" plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(line.trim_start());
        }
        ran.push(Ran::of(&serde_json::from_str(&json).unwrap()));
    }
    ran
}
