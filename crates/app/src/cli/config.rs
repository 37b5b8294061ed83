//! `trapline config`, and how every command that serves reads its settings.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use trapline_core::Result;

use super::{
    exit::{CliResult, Exit},
    output,
};
use crate::config::Effective;

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

/// Print the effective configuration as a file that loads, and where each value comes from; secrets are not shown
#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    sources: Sources,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl ConfigArgs {
    /// Runs it.
    pub(super) fn run(&self) -> CliResult {
        let all = self.sources.load(&[])?;
        if self.json {
            let object: Map<String, Value> = all
                .rows()
                .map(|(setting, value, origin)| {
                    let row = json!({ "value": value, "origin": origin.to_string(), "about": setting.about, "env": setting.env });
                    (setting.key.to_owned(), row)
                })
                .collect();
            output::json(&object)?;
            return Ok(Exit::Done);
        }
        output::line(all.to_file().trim_end())?;
        Ok(Exit::Done)
    }
}
