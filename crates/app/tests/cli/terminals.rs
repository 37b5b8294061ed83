//! The bar as it is drawn on a terminal of its own, and what stands there when it is gone.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use console::{measure_text_width, strip_ansi_codes};
use serde_json::{Value, json};

use super::support::{Ran, Server, answer, command, run};

const WAITS: &str = "waiting for workers: the last one for pipeline `light-sheet` was seen 12 min ago";

/// `trapline ARGS…` on a terminal with so many columns; what was drawn is its output.
async fn drawn(server: &Server, columns: usize, args: &[&str]) -> Ran {
    let typed = "stty cols \"$COLUMNS_OF_IT\" rows 24 && exec \"$TRAPLINE\" $ARGS";
    let mut terminal = Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", typed, "/dev/null"])
        .env("COLUMNS_OF_IT", columns.to_string())
        .env("TRAPLINE", env!("CARGO_BIN_EXE_trapline"))
        .env("ARGS", args.join(" "))
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh");
    let plain = command(&server.url, args);
    terminal.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run(terminal, Vec::new()).await
}

/// Answers each look with the next of these, and then that the job has landed.
async fn goes_through(looks: Vec<Value>) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |_| {
        let landed = json!({"id": 3, "status": "SUCCESS", "counts": {"total": 34_500, "processed": 34_500}});
        let look = looks.get(asked.fetch_add(1, Ordering::Relaxed));
        answer(200, look.unwrap_or(&landed))
    })
    .await
}

/// What stood on the lines of the terminal, one after the other.
fn lines(ran: &Ran) -> Vec<String> {
    let plain = strip_ansi_codes(&ran.out).into_owned();
    let lines = plain.split(['\r', '\n']).map(str::trim_end);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_a_bar_is_wider_than_its_terminal_and_none_is_of_nothing() {
    let counts = |total: u64, processed: u64| json!({"total": total, "processed": processed, "failed": 3, "detections": 12_345});
    let looks = vec![
        json!({"id": 3, "status": "PENDING", "counts": {}}),
        json!({"id": 3, "status": "STARTED", "counts": {"total": 0}}),
        json!({"id": 3, "status": "STARTED", "counts": counts(34_500, 1_197), "waiting_for": WAITS}),
        json!({"id": 3, "status": "STARTED", "counts": counts(34_500, 28_997)}),
    ];
    for (columns, bar, expected) in [
        (
            200,
            true,
            "1,200 of 34,500 images, 3 failed, 12,345 detections, waiting|3 STARTED",
        ),
        (
            60,
            true,
            "1,200 of 34,500 images, waiting f|29,000 of 34,500 images|3 PENDING",
        ),
        (
            40,
            true,
            "1,200 of 34,500 images|29,000 of 34,500 images|3 STARTED",
        ),
        (20, false, "1,200 of 34,500|29,000 of 34,500|job 3 PENDING"),
    ] {
        let server = goes_through(looks.clone()).await;
        let ran = drawn(&server, columns, &["job", "watch", "3"]).await.exits(0);
        let lines = lines(&ran);
        let wrong =
            |l: &&String| measure_text_width(l) > columns || l.contains("0/0") || l.contains("0 of 0");
        assert_eq!(lines.iter().find(wrong), None, "{columns}: {lines:#?}");
        for part in expected.split('|') {
            assert!(
                lines.iter().any(|l| l.contains(part)),
                "{columns}: {part}: {lines:#?}"
            );
        }
        // A bar beside nothing that is counted would be a full one.
        let bars = lines.iter().filter(|line| line.contains(['█', '░']));
        let (of_count, all) = (
            bars.clone().filter(|line| line.contains("34,5")).count(),
            bars.count(),
        );
        assert_eq!((all > 0, all), (bar, of_count), "{columns}: {lines:#?}");
    }
}
