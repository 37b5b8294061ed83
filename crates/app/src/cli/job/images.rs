//! `trapline job images`: what became of each capture.

use clap::{Args, builder::PossibleValuesParser};
use trapline_core::words::count;
use trapline_wire as wire;

use super::{
    super::{
        answer::Answer,
        client::Query,
        exit::{CliResult, Exit},
        output::{self, Table, clean},
    },
    Context, JobId, param,
};

/// List the captures of a job, and what became of each
#[derive(Args)]
pub(super) struct ImagesArgs {
    #[command(flatten)]
    job: JobId,
    /// In this state only
    #[arg(long, value_parser = PossibleValuesParser::new(["pending", "in_flight", "processed", "failed"]))]
    state: Option<String>,
    /// Failed for this reason only
    #[arg(long, value_parser = PossibleValuesParser::new(["worker_error", "lost", "invalid_result", "no_url"]))]
    reason: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, conflicts_with = "all")]
    limit: u64,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl ImagesArgs {
    pub(super) async fn run(self, context: &Context) -> CliResult {
        let mut query = Query::new();
        query.extend(self.state.map(|state| param("state", state)));
        query.extend(self.reason.map(|reason| param("reason", reason)));
        let limit = (!self.all).then_some(self.limit);
        let path = format!("{}images/", self.job.path());
        let mut pages = context.client.pages::<Answer<wire::Image>>(path, query, limit);
        let mut table = Table::new(&["IMAGE", "STATE", "TRIES", "DETECTIONS", "WORKER", "URL"])
            .numbers(&["TRIES", "DETECTIONS"]);
        let mut any = false;
        while let Some(images) = pages.next().await? {
            any |= !images.is_empty();
            if context.json {
                images.iter().try_for_each(output::json)?;
            } else if any {
                table.page_with_notes(images.iter().map(|image| (row(image), why(image))).collect())?;
            }
        }
        if !any && !context.json {
            output::note("there is no such image");
        }
        if pages.has_more() {
            output::note("there are more: --limit N, or --all");
        }
        Ok(Exit::Done)
    }
}

fn row(image: &wire::Image) -> Vec<String> {
    let number = |n: i64| {
        u64::try_from(n)
            .ok()
            .filter(|n| *n > 0)
            .map_or_else(String::new, count)
    };
    vec![
        // An id has no separators: it is asked for as it is.
        clean(&image.image_id),
        clean(&image.state).replace("in_flight", "in flight"),
        number(image.attempts),
        number(image.detections),
        clean(image.worker.as_deref().unwrap_or_default()),
        clean(&image.url),
    ]
}

/// Why it failed: a text of any length, so it has a line of its own.
fn why(image: &wire::Image) -> Option<String> {
    let reason = clean(image.reason.as_ref()?);
    Some(match &image.detail {
        Some(detail) => format!("      {reason}: {}", clean(detail)),
        None => format!("      {reason}"),
    })
}
