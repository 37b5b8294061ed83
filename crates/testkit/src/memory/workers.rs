//! Workers, as people see them.

use trapline_core::{
    TokenId, WorkerId,
    ports::{Holding, WorkerMinute, WorkerRow},
};

use super::Db;

impl Db {
    pub(super) fn worker_page(&self, only: Option<WorkerId>, limit: u64) -> Vec<WorkerRow> {
        let asked = self.workers.iter().rev();
        let asked = asked.filter(|(id, _)| only.is_none_or(|only| **id == only));
        asked
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|(id, row)| WorkerRow {
                id: *id,
                name: row.name.clone(),
                client_info: row.client_info.clone(),
                pipelines: row.pipelines.clone(),
                last_seen: row.last_seen,
                draining: row.draining,
                token_id: TokenId(row.token),
                token: self.catalog.token_name(row.token),
                project: self.catalog.bound_to(row.token),
            })
            .collect()
    }

    pub(super) fn holdings(&self, limit: u64) -> Vec<Holding> {
        let held = self.grants.iter().map(|(id, grant)| Holding {
            worker: grant.worker,
            job: grant.job,
            granted_at: grant.granted_at,
            images: self.held(*id, grant).count() as u64,
        });
        held.filter(|holding| holding.images > 0)
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect()
    }

    pub(super) fn add_worker_minutes(&mut self, minutes: &[WorkerMinute]) {
        for m in minutes {
            let sum = self
                .worker_minutes
                .entry((m.worker, m.step, m.minute))
                .or_default();
            for (sum, n) in sum.iter_mut().zip([m.processed, m.failed, m.lost]) {
                *sum += n;
            }
        }
    }

    pub(super) fn read_worker_minutes(
        &self,
        workers: &[WorkerId],
        step: i64,
        since: i64,
    ) -> Vec<WorkerMinute> {
        let asked = self.worker_minutes.iter();
        asked
            .filter(|((worker, of, minute), _)| workers.contains(worker) && *of == step && *minute >= since)
            .map(
                |(&(worker, step, minute), &[processed, failed, lost])| WorkerMinute {
                    worker,
                    step,
                    minute,
                    processed,
                    failed,
                    lost,
                },
            )
            .collect()
    }

    pub(super) fn forget_worker_minutes(&mut self, step: i64, before: i64, limit: u64) -> u64 {
        let old = self.worker_minutes.keys();
        let mut old: Vec<_> = old
            .copied()
            .filter(|(_, of, minute)| *of == step && *minute < before)
            .collect();
        old.sort_by_key(|(_, _, minute)| *minute);
        old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for key in &old {
            self.worker_minutes.remove(key);
        }
        old.len() as u64
    }
}
