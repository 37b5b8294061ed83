//! What is logged on this thread, counted. The listener is the process's, because tracing forgets lines of listeners that only
//! one of several threads has.

use std::{
    sync::{Mutex, OnceLock},
    thread::{self, ThreadId},
};

use tracing::{Event, Level, Metadata, Subscriber, field::Visit, span};

static LINES: OnceLock<Mutex<Vec<(ThreadId, Level, String)>>> = OnceLock::new();

/// Listens from now on.
pub(crate) fn listen() {
    LINES.get_or_init(|| {
        tracing::subscriber::set_global_default(Listener).unwrap();
        Mutex::default()
    });
}

/// Lines of this level that contain the text.
pub(crate) fn count(level: Level, text: &str) -> usize {
    let lines = LINES.get().unwrap().lock().unwrap();
    let me = thread::current().id();
    lines
        .iter()
        .filter(|(by, at, line)| *by == me && *at == level && line.contains(text))
        .count()
}

struct Listener;

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        if let Some(lines) = LINES.get() {
            let line = (thread::current().id(), *event.metadata().level(), message.0);
            lines.lock().unwrap().push(line);
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
