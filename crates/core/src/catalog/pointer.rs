//! The pointer from a slug to a definition in a project, and when a registration moves it.

use std::time::Duration;

use crate::{PipelineId, Timestamp};

/// How long after its last registration a definition counts as in use. Workers that send heartbeats register each
/// minute.
pub const DEFINITION_IS_RUN: Duration = Duration::from_secs(600);

/// The pointer from a slug to a definition in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The definition.
    pub pipeline: PipelineId,
    /// The time of its last registration in this project.
    pub heard_at: Option<Timestamp>,
}

/// Whether the registration of `pipeline` at `now` moves its project's pointer. `last` is what this process registered
/// before.
///
/// A change moves it: a new worker rolls out its definition, and an older one that is started again takes it back. A
/// heartbeat does not, so that old and new workers do not undo each other's definitions in turn. The exception:
/// nobody runs any more the definition that the slug points to.
#[must_use]
pub fn moves_pointer(
    pointer: Option<Pointer>,
    last: Option<PipelineId>,
    pipeline: PipelineId,
    now: Timestamp,
) -> bool {
    let Some(pointer) = pointer else { return true };
    let is_run = pointer
        .heard_at
        .is_some_and(|at| now.since(at) < DEFINITION_IS_RUN);
    pointer.pipeline != pipeline && (last != Some(pipeline) || !is_run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_of_an_old_worker_does_not_undo_a_roll_out_and_its_restart_does() {
        let (old, new) = (PipelineId(1), PipelineId(2));
        let now = Timestamp(3_600_000_000);
        let heard = |pipeline, ago| {
            Some(Pointer {
                pipeline,
                heard_at: Some(now.minus(Duration::from_secs(ago))),
            })
        };
        assert!(moves_pointer(None, None, new, now));
        assert!(moves_pointer(heard(old, 10), None, new, now), "another service");
        assert!(
            moves_pointer(heard(old, 10), Some(old), new, now),
            "a new version"
        );
        assert!(!moves_pointer(heard(new, 10), Some(new), new, now));
        assert!(!moves_pointer(heard(new, 10), Some(old), old, now), "a heartbeat");
        assert!(moves_pointer(heard(new, 10), None, old, now), "started again");
        assert!(
            moves_pointer(heard(new, 601), Some(old), old, now),
            "nobody runs the new one"
        );
    }
}
