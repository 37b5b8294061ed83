//! What a process takes, by `/proc`.

use std::ops::Range;

use anyhow::{Context as _, Result};

/// A line of `/proc/PID/status`, in MiB.
pub(super) fn memory(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// From now on `VmHWM` is the most memory since now.
pub(super) fn forget_peak(pid: u32) -> Result<()> {
    let file = format!("/proc/{pid}/clear_refs");
    std::fs::write(&file, "5").with_context(|| file)
}

/// Seconds of CPU since its start, of user and system together. Linux counts them in hundredths (`USER_HZ`).
pub(super) fn cpu(pid: u32) -> f64 {
    seconds(&stat(pid), 11..13)
}

/// The same of a process, the children that it has and those that have ended.
pub(super) fn cpu_of_family(pid: u32) -> f64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids
        .map(stat)
        .filter(|fields| fields.get(1) == Some(&pid.to_string()));
    seconds(&stat(pid), 11..15) + children.map(|fields| seconds(&fields, 11..13)).sum::<f64>()
}

/// Seconds of CPU of the whole machine: in use, and in all.
pub(super) fn machine() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user, nice, system, idle, waiting for disks, interrupts, soft ones, stolen
    let fields: Vec<String> = line.split_whitespace().skip(1).map(str::to_owned).collect();
    let all = seconds(&fields, 0..8);
    (all - seconds(&fields, 3..5), all)
}

/// The fields of `/proc/PID/stat` behind the name, which may hold blanks: state, parent, and from the eleventh the times.
fn stat(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').map(str::to_owned).collect()
}

fn seconds(fields: &[String], which: Range<usize>) -> f64 {
    let times = fields.get(which).unwrap_or_default().iter();
    times.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}
