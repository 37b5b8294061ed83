//! What the witness is told of the health check: it settles only what is idle.

use trapline_core::ports::{Ended, MarkLost, MarkedLost, Swept, Vitals};

use super::Witness;

impl Witness {
    /// Tasks of an idle job were settled as lost, or offered again.
    pub fn marked(&self, request: &MarkLost, marked: &MarkedLost) {
        if marked.raced || request.dry_run {
            return;
        }
        let last = self.lock().last_result.get(&request.job).copied();
        if let Some(last) = last.filter(|last| *last > request.cutoff.plus(self.promises.clock_back)) {
            let what = format!(
                "job {} had a result at {last} and was taken for idle since {}",
                request.job, request.cutoff
            );
            self.report(what);
        }
        if request.strict {
            let mut inner = self.lock();
            for capture in &marked.lost {
                let key = (request.job, *capture);
                self.trace
                    .line(|| format!("{key:?} is lost by the strict policy"));
                inner.strictly_lost.insert((key, request.run));
                inner.end(key);
            }
            return;
        }
        let swept = Swept {
            freed: marked.freed.clone(),
            touched: marked.touched.iter().chain(&marked.others).cloned().collect(),
            more: marked.more,
            ..Swept::default()
        };
        self.swept(&swept, request.now);
    }

    /// A job was ended that no rule explains, which is a bug wherever it happens.
    pub fn ended(&self, job: &Vitals, ended: Ended, dry_run: bool) {
        if !dry_run && ended != Ended::Raced {
            self.report(format!("job {} is stale: {ended:?}", job.job));
        }
    }
}
