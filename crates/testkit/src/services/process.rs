//! One process of a server: started, killed, stopped, and gone when dropped.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
};

/// How often a process is looked at until it has stopped or ended; each look takes microseconds.
const LOOKS: usize = 1_000_000;

/// A running process.
pub(super) struct Process {
    child: Child,
}

type Order = (Command, mpsc::SyncSender<std::io::Result<Child>>);

/// Starts every process. The kernel ends a child when the *thread* that started it ends, so this one never does.
static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    std::thread::Builder::new()
        .name("services".into())
        .spawn(move || {
            for (mut command, reply) in inbox {
                reply.send(command.spawn()).ok();
            }
        })
        .expect("a thread");
    orders
});

impl Process {
    /// Starts a program, as that user and group, whose output goes to `log`.
    pub(super) fn start(program: &Path, args: &[String], run_as: Option<(u32, u32)>, log: &Path) -> Self {
        let output = std::fs::File::create(log).expect("a log file");
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL");
        if let Some((user, group)) = run_as {
            command
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={group}"))
                .arg("--clear-groups");
        }
        command
            .arg("--")
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file"))
            .stderr(output);
        let (reply, answer) = mpsc::sync_channel(1);
        STARTER.send((command, reply)).expect("the starter lives");
        let child = answer.recv().expect("the starter answers").unwrap_or_else(|e| {
            panic!(
                "`setpriv` (Debian: util-linux) did not start {}: {e}",
                program.display()
            )
        });
        Self { child }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.child
            .try_wait()
            .expect("a child of ours")
            .map(|status| status.to_string())
    }

    /// SIGKILL, and waits until it is gone.
    pub(super) fn kill(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().expect("a child of ours");
    }

    /// The same, and of what it has started: nothing writes to its folder any more.
    pub(super) fn kill_all(&mut self) {
        // It starts no more of them. It may have ended already.
        signal("STOP", &[self.id()]);
        let started = children(self.id());
        self.kill();
        signal("KILL", &started);
        let gone = (0..LOOKS).any(|_| {
            std::thread::yield_now();
            started.iter().all(|&id| is_gone(id))
        });
        assert!(gone, "what it has started does not end");
    }

    /// SIGSTOP or SIGCONT.
    pub(super) fn signal(&self, name: &str) {
        let done = signal(name, &[self.id()]);
        assert!(done, "kill -{name} failed");
        self.settled(name);
    }

    /// The same to it and what it has started.
    pub(super) fn signal_all(&self, name: &str) {
        let mut all = vec![self.id()];
        all.extend(children(self.id()));
        // A child may have ended meanwhile.
        signal(name, &all);
        self.settled(name);
    }

    /// A thread that runs on another processor stops a moment after the signal, and could still answer.
    fn settled(&self, name: &str) {
        let stopped = name != "STOP"
            || (0..LOOKS).any(|_| {
                std::thread::yield_now();
                is_stopped(self.id())
            });
        assert!(stopped, "it does not stop");
    }

    /// Asks it to end by that signal, and waits until it has.
    pub(super) fn quit(&mut self, name: &str) {
        self.signal(name);
        self.child.wait().expect("a child of ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(name: &str, processes: &[u32]) -> bool {
    let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
    // The shell's own: not every machine has a program `kill`.
    Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {}", ids.join(" ")))
        .stderr(Stdio::null())
        .status()
        .expect("a shell")
        .success()
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let ids = processes.filter_map(|p| p.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = after_name(&stat).unwrap_or_default();
        fields.split(' ').nth(1) == Some(parent.to_string().as_str())
    })
    .collect()
}

/// Whether a process has ended. Whoever has inherited it may not have asked for its end yet.
fn is_gone(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    after_name(&stat).is_none_or(|rest| rest.starts_with('Z'))
}

/// Whether every thread of a process is stopped. Where there is no `/proc`, it is taken to be.
fn is_stopped(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        after_name(&state).is_none_or(|rest| rest.starts_with('T'))
    })
}

/// The fields of a `stat` behind the name, which is in parentheses and may hold anything: the state, the parent, ….
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest)
}

/// The end of a log, for messages.
pub(super) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
