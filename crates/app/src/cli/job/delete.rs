//! `trapline job delete`: a job and all that was found by it.

use clap::Args;
use serde_json::json;
use trapline_core::words::counted;

use super::{Context, JobId};
use crate::cli::{
    exit::{CliResult, Exit},
    output::{self, clean},
};

/// Delete a job with its results, for good; photographs and capture sets stay
#[derive(Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    job: JobId,
    /// Do it; without this it is only said what would go
    #[arg(long)]
    yes: bool,
}

impl DeleteArgs {
    pub(super) async fn run(&self, context: &Context) -> CliResult {
        let job = context.look(&self.job).await?;
        let what = format!(
            "job {} `{}`, {} and {}",
            self.job.id,
            clean(&job.name),
            counted(job.counts.total, "image record"),
            counted(job.counts.detections, "detection")
        );
        if !self.yes {
            output::note(format_args!(
                "{what} would be deleted for good; add --yes to do it"
            ));
            return Ok(Exit::Refused);
        }
        context.client.delete(&self.job.path()).await?;
        if context.json {
            output::json(&json!({ "id": self.job.id, "deleted": true }))?;
        } else {
            output::note(format_args!("deleted: {what}"));
        }
        Ok(Exit::Done)
    }
}
