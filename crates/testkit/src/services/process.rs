//! One process of a server: started, killed, stopped, and gone when dropped.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
};

/// How often a process is looked at until it has stopped; each look takes microseconds.
const STOPPING_LOOKS: usize = 1_000_000;

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

    /// SIGSTOP or SIGCONT.
    pub(super) fn signal(&self, name: &str) {
        let done = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.id()))
            .status()
            .expect("a shell");
        assert!(done.success(), "kill -{name} failed");
        if name == "STOP" {
            // A thread that runs on another processor stops a moment later, and could still answer.
            let stopped = (0..STOPPING_LOOKS).any(|_| {
                std::thread::yield_now();
                is_stopped(self.id())
            });
            assert!(stopped, "it does not stop");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether every thread of a process is stopped. Where there is no `/proc`, it is taken to be.
fn is_stopped(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // After the name, which is in parentheses and may hold anything.
        state
            .rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with('T'))
    })
}

/// The end of a log, for messages.
pub(super) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
