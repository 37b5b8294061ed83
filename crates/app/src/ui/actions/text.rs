//! What the page of an action says.

use trapline_core::{
    ports::Job,
    words::{count, counted, span},
};
use trapline_engine::Preflight;

use super::Action;
use crate::ui::words::visible;

/// The question, what follows, and the words on the button.
pub(super) fn text(action: Action, job: &Job, ahead: Option<&Preflight>) -> (String, String, String) {
    let c = &job.counts;
    let undone = c.pending + c.in_flight;
    match action {
        Action::Run => run(job, ahead),
        Action::Stop => {
            let held = match c.in_flight {
                0 => String::new(),
                n => format!(
                    "; what workers hold ({}) is still saved when they post it",
                    count(n)
                ),
            };
            let undone = match job.collected {
                true => format!("About {} of {} are", count(undone), counted(c.total, "image")),
                false => "How many images it has is not known yet. Some are".to_owned(),
            };
            let text = format!(
                "{undone} not done and stay undone. The results of {} are kept{held}.",
                count(c.processed)
            );
            ("Stop this job?".to_owned(), text, "Stop the job".to_owned())
        }
        Action::RetryFailed => retry_failed(job),
        Action::RunAgain => {
            let all = counted(c.total, "image");
            let replaced = match c.detections {
                0 => "Their results are replaced, image by image.".to_owned(),
                n => format!("Their {} are replaced, image by image.", counted(n, "detection")),
            };
            (
                format!("Run all {all} again?"),
                replaced,
                format!("Run {all} again"),
            )
        }
    }
}

fn retry_failed(job: &Job) -> (String, String, String) {
    let c = &job.counts;
    let undone = c.pending + c.in_flight;
    let rest = match c.processed {
        0 => "No other image was done.".to_owned(),
        1 => "The other image is left as it is.".to_owned(),
        n => format!("The other {} are left as they are.", counted(n, "image")),
    };
    let all = counted(c.failed + undone, "image");
    match (c.failed, undone) {
        (failed, 0) => {
            let failed = counted(failed, "failed image");
            (format!("Run {failed} again?"), rest, format!("Run {all} again"))
        }
        (0, undone) => {
            let were = if undone == 1 { "was" } else { "were" };
            (
                format!("Run {all} that {were} never done?"),
                rest,
                format!("Run {all}"),
            )
        }
        (failed, undone) => {
            let failed = counted(failed, "failed image");
            (
                format!("Run {failed} again, and {} that were never done?", count(undone)),
                rest,
                format!("Run {all}"),
            )
        }
    }
}

/// Of a job that was not started: what it would do, who is there for it, and how long that may take.
fn run(job: &Job, ahead: Option<&Preflight>) -> (String, String, String) {
    let Some(ahead) = ahead else {
        return ("Start its images?".to_owned(), String::new(), "Start".to_owned());
    };
    let slug = job
        .pipeline
        .as_ref()
        .map_or_else(String::new, |(_, slug)| visible(slug));
    if ahead.to_do == 0 {
        let why = match ahead.candidates {
            0 => "It has no image, so it would end at once.".to_owned(),
            1 => format!("Its image was processed by {slug} before, so it would end at once."),
            n => format!(
                "All {} were processed by {slug} before, so it would end at once.",
                counted(n, "image")
            ),
        };
        return (
            "Start a job that has nothing to do?".to_owned(),
            why,
            "Start it all the same".to_owned(),
        );
    }
    let least = if ahead.at_least { "at least " } else { "" };
    let images = format!("{least}{}", counted(ahead.to_do, "image"));
    let mut told = Vec::new();
    if ahead.already_processed > 0 && !job.reprocess {
        let (were, skipped) = match ahead.already_processed {
            1 => ("was", "is"),
            _ => ("were", "are"),
        };
        told.push(format!(
            "{}{} {were} processed by {slug} before and {skipped} skipped.",
            if ahead.at_least { "At least " } else { "" },
            counted(ahead.already_processed, "image")
        ));
    }
    told.push(who(ahead));
    (
        format!("Start {images}?"),
        told.join(" "),
        format!("Start {images}"),
    )
}

fn who(ahead: &Preflight) -> String {
    let workers = match ahead.live_workers {
        0 => {
            return "No worker is online for it: it waits until one is, and nothing fails by waiting."
                .to_owned();
        }
        1 => "1 worker is online".to_owned(),
        n => format!("{} are online", counted(n, "worker")),
    };
    let about = if ahead.at_least { "at least" } else { "about" };
    let time = ahead.eta.map(|eta| format!("; {about} {}", span(eta)));
    let after = match ahead.ahead {
        0 => String::new(),
        n => format!(", after {} before it", counted(n, "job")),
    };
    format!("{workers}{}{after}.", time.unwrap_or_default())
}
