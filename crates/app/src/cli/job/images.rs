//! `trapline job images`: what became of each capture.

use clap::{Args, builder::PossibleValuesParser};

use super::{
    super::{
        client::Query,
        exit::{CliResult, Exit},
        output::{self, Table, cell},
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
        let mut pages = context
            .client
            .pages(format!("{}images/", self.job.path()), query, limit);
        let mut table = Table::new(&[
            "IMAGE",
            "STATE",
            "REASON",
            "ATTEMPTS",
            "DETECTIONS",
            "WORKER",
            "URL",
            "DETAIL",
        ]);
        let columns = [
            "image_id",
            "state",
            "reason",
            "attempts",
            "detections",
            "worker",
            "url",
            "detail",
        ];
        while let Some(images) = pages.next().await? {
            if context.json {
                images.iter().try_for_each(output::json)?;
            } else {
                table.page(
                    images
                        .iter()
                        .map(|image| columns.map(|c| cell(&image[c])).to_vec())
                        .collect(),
                )?;
            }
        }
        if pages.has_more() {
            output::note("there are more: --limit N, or --all");
        }
        Ok(Exit::Done)
    }
}
