//! How many images jobs settled in each minute.

use trapline_core::{
    JobId,
    pace::{HOUR, JobMinute},
};

use super::Db;

impl Db {
    pub(super) fn add_minutes(&mut self, minutes: &[JobMinute]) {
        for m in minutes {
            if self.jobs.get(&m.job).is_some_and(|job| !job.deleted) {
                let sum = self.minutes.entry((m.job, m.minute, m.step)).or_default();
                sum.0 += m.processed;
                sum.1 += m.failed;
            }
        }
    }

    pub(super) fn read_minutes(&self, jobs: &[JobId], since: i64) -> Vec<JobMinute> {
        let all = self.minutes.iter();
        let asked = all.filter(|((job, minute, _), _)| jobs.contains(job) && *minute >= since);
        asked
            .map(|(&(job, minute, step), &(processed, failed))| JobMinute {
                job,
                step,
                minute,
                processed,
                failed,
            })
            .collect()
    }

    pub(super) fn fold_minutes(&mut self, before: i64) -> bool {
        let old = self
            .minutes
            .keys()
            .filter(|(_, minute, step)| *step == 1 && *minute < before);
        let Some(&(job, minute, _)) = old.min_by_key(|(_, minute, _)| *minute) else {
            return false;
        };
        let hour = minute - minute.rem_euclid(HOUR);
        let mut sum = (0, 0);
        self.minutes.retain(|&(of, at, step), (processed, failed)| {
            let is_of_hour = (of, step) == (job, 1) && (hour..hour + HOUR).contains(&at);
            if is_of_hour {
                sum.0 += *processed;
                sum.1 += *failed;
            }
            !is_of_hour
        });
        let (processed, failed) = sum;
        self.add_minutes(&[JobMinute {
            job,
            step: HOUR,
            minute: hour,
            processed,
            failed,
        }]);
        true
    }
}
