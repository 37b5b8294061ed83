//! `trapline run` over a folder of photographs of 12 megapixels, in one process, from the first look at the folder to the exit code. Beside it the
//! floor: the same files read and decoded by the same decoder, in one process with as many threads. What
//! the pipeline computes of the pixels is in the first and not in the second. Embedded only: a run has no cluster.

mod photographs;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use trapline_worker::decode::{DecodeLimits, decode};

use super::{
    process,
    rounds::{Figures, Report, median, row, words},
    stand::absolute,
};
use crate::release;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Photographs of the folder, some 3 MB each.
    #[arg(long, default_value_t = 60)]
    images: usize,
    /// Images in work at once, and threads that decode; the cores, if it is not said.
    #[arg(long)]
    workers: Option<usize>,
    /// Measured rounds, after the files were read once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The binary to measure, instead of a release build of this checkout.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
    /// A file for what was measured, as `bench table` reads it.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) fn run(args: &Args) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => absolute(binary)?,
        None => release::binary("trapline"),
    };
    let workers = match args.workers {
        Some(workers) => workers.max(1),
        None => std::thread::available_parallelism()?.get(),
    };
    let folder = tempfile::tempdir()?;
    let photographs = folder.path().join("night");
    let files = photographs::write(&photographs, args.images)?;
    let bytes: u64 = files
        .iter()
        .map(|f| Ok(f.metadata()?.len()))
        .sum::<Result<u64>>()?;
    println!(
        "{} photographs, {:.1} MB each, {workers} at once",
        args.images,
        bytes as f64 / args.images as f64 / 1e6
    );
    let (mut rounds, mut floors) = (Vec::new(), Vec::new());
    decode_all(&files, workers)?;
    for turn in 1..=args.rounds {
        let bare = decode_all(&files, workers)?;
        let figures = round(&binary, folder.path(), &photographs, args.images, workers)?;
        println!(
            "round {turn}: {}; only decoded: {}",
            words(&figures),
            words(&bare)
        );
        rounds.push(figures);
        floors.push(bare);
    }
    let floor: Vec<(&str, f64)> = [0, 1]
        .map(|at| (floors[0][at].0, median(floors.iter().map(|bare| bare[at].1))))
        .into();
    let setting = json!({ "images": args.images, "workers": workers, "rounds": args.rounds });
    let mut report = Report::new();
    report.add(row("folder", "embedded", setting, &rounds, &floor));
    report.save(args.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
fn round(binary: &Path, folder: &Path, photographs: &Path, images: usize, workers: usize) -> Result<Figures> {
    let me = std::process::id();
    let (before, own, began) = (process::cpu_of_family(me), process::cpu(me), Instant::now());
    let done = Command::new(binary)
        .args(["run", "--json", "--workers", &workers.to_string()])
        .arg(photographs)
        // Away from the checkout, so that no `trapline.toml` is found.
        .current_dir(folder)
        .stderr(Stdio::null())
        .output()
        .with_context(|| binary.display().to_string())?;
    let took = began.elapsed().as_secs_f64();
    let cpu = process::cpu_of_family(me) - before - (process::cpu(me) - own);
    let said: Value = serde_json::from_slice(&done.stdout).context("no summary")?;
    ensure!(
        done.status.success() && said["counts"]["processed"] == images,
        "the run ended with {}: {said}",
        done.status
    );
    Ok(figures(images, took, cpu))
}

/// The floor.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
fn decode_all(files: &[PathBuf], threads: usize) -> Result<Figures> {
    let (next, limits) = (AtomicUsize::new(0), DecodeLimits::default());
    let decoding = || -> Result<usize> {
        let mut done = 0;
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (image, _) = decode(&std::fs::read(file)?, &limits).map_err(anyhow::Error::msg)?;
            ensure!(
                image.width() == photographs::WIDTH,
                "not the photograph that was written"
            );
            done += 1;
        }
        Ok(done)
    };
    let (before, began) = (process::cpu(std::process::id()), Instant::now());
    let done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(decoding)).collect();
        let each = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        each.sum::<Result<usize>>()
    })?;
    ensure!(done == files.len(), "only {done} files were decoded");
    let took = began.elapsed().as_secs_f64();
    Ok(figures(done, took, process::cpu(std::process::id()) - before))
}

fn figures(images: usize, seconds: f64, cpu: f64) -> Figures {
    vec![
        ("images_per_second", images as f64 / seconds),
        ("cpu_ms", 1_000.0 * cpu / images as f64),
    ]
}
