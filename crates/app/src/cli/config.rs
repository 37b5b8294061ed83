//! `trapline config`, and how every command that serves reads its settings.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use trapline_core::Result;

use super::Exit;
use crate::config::{Effective, say};

/// Where settings come from, beside the environment.
#[derive(clap::Args, Debug, Default)]
pub(super) struct Sources {
    /// The configuration file; by default `trapline.toml` in this folder, if it is there.
    #[arg(long = "config", value_name = "FILE", env = "TRAPLINE_CONFIG")]
    file: Option<PathBuf>,
    /// Any setting by its key; see `trapline config` for all of them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(k, v)| (k.trim().to_owned(), v.to_owned()))
        .ok_or_else(|| "give KEY=VALUE".to_owned())
}

impl Sources {
    /// The configuration, with `flags` on top.
    pub(super) fn load(&self, flags: &[(&str, Option<&str>)]) -> Result<Effective> {
        let mut all = self.set.clone();
        all.extend(
            flags
                .iter()
                .filter_map(|(k, v)| Some(((*k).to_owned(), (*v)?.to_owned()))),
        );
        Effective::load(self.file.as_deref(), |name| std::env::var(name).ok(), &all)
    }
}

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

#[allow(clippy::print_stdout, reason = "a command's own output")]
pub(super) fn run(args: &Args) -> Exit {
    let all = match args.sources.load(&[]) {
        Ok(all) => all,
        Err(error) => return Exit::Usage.say(&say(&error)),
    };
    if args.json {
        let object: Map<String, Value> = all
            .rows()
            .map(|(setting, value, origin)| {
                let row = json!({ "value": value, "origin": origin.to_string(), "about": setting.about, "env": setting.env });
                (setting.key.to_owned(), row)
            })
            .collect();
        println!("{}", Value::Object(object));
    } else {
        for (setting, value, origin) in all.rows() {
            println!(
                "# {} ({origin}; {})\n{} = {value:?}",
                setting.about,
                setting.env.join(", "),
                setting.key
            );
        }
    }
    Exit::Done
}
