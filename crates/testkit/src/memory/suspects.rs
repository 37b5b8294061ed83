//! What a group of settlements says beyond its own tasks (docs/rules.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks the error of a whole batch makes suspect.

use std::collections::HashMap;

use trapline_core::{
    GrantId, JobId, TaskState, Timestamp, WorkerId,
    plan::settle::{SideEffects, cleared_line},
};

use super::Db;

impl Db {
    pub(super) fn write_side_effects(&mut self, effects: &SideEffects<'_>, now: Timestamp) {
        let names: HashMap<WorkerId, String> = effects
            .workers()
            .into_iter()
            .map(|w| (w, self.name_of(w).to_owned()))
            .collect();
        for (key, freed) in &effects.freed {
            let Some(task) = self.tasks.get_mut(key) else {
                continue;
            };
            let row = &freed.row;
            if task.strikes != row.strikes {
                let sep = if task.history.is_empty() { "" } else { ", " };
                task.history = format!("{}{sep}{}", task.history, freed.whom(&names));
            }
            (task.grant, task.suspect, task.strikes) = (None, row.suspect, row.strikes);
        }
        let mut lines = effects.freed_lines(&names);
        for ((job, grant), worker) in &effects.cleared {
            let cleared = self.clear(*job, *grant);
            if cleared > 0 {
                lines.push(cleared_line(*job, *worker, &names, cleared));
            }
        }
        self.log_lines(&lines, now);
        let (answered, late) = (effects.answered_grants(), effects.late_grants());
        for (id, row) in &mut self.grants {
            row.answered |= answered.contains(&GrantId(*id)) || late.contains(&row.key());
        }
    }

    /// The other tasks of a grant that was taken for dead and is answered after all.
    fn clear(&mut self, job: JobId, grant: GrantId) -> u64 {
        let of_grant = |t: &super::TaskRow| {
            t.state == TaskState::Pending && t.suspect && t.died.is_some_and(|(died, _)| died == grant)
        };
        let mut cleared = 0;
        for (_, task) in self
            .tasks
            .iter_mut()
            .filter(|((j, _), t)| *j == job && of_grant(t))
        {
            task.suspect = false;
            cleared += 1;
        }
        cleared
    }

    /// What people call a worker.
    pub(super) fn name_of(&self, worker: WorkerId) -> &str {
        self.workers
            .get(&worker)
            .map_or("unknown worker", |w| w.name.as_str())
    }
}
