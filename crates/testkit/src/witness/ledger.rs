//! What the witness is told: grants, settlements, leases and sweeps, each held against the ledger of hand-outs.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, FailReason, TaskState, Timestamp,
    ports::{
        GrantKey, GrantRequest, Granted, LeaseAnswer, LeaseChange, LeasePolicy, Posted, SettleReport,
        Settled, Settlement, SignOfLife, Swept, Want,
    },
    receipt::Receipt,
};

use super::{HandOut, Inner, Key, Sign, Witness};

impl Inner {
    pub(super) fn newest(&self, key: Key) -> Option<&HandOut> {
        self.handed.get(&key).and_then(|all| all.last())
    }

    pub(super) fn end(&mut self, key: Key) {
        if let Some(handed) = self.handed.get_mut(&key).and_then(|all| all.last_mut()) {
            handed.ended = true;
        }
    }

    /// Until when a lease lives at least: by its own deadline, or by its worker's signs of life.
    fn lives_until(&self, handed: &HandOut, ttr: std::time::Duration) -> Timestamp {
        if handed.exclusive {
            return handed.until;
        }
        let signs = self.signs.get(&handed.worker).into_iter().flatten();
        let extending =
            signs.filter(|s| handed.granted_at >= s.reserved_at && handed.granted_at >= s.at.minus(ttr));
        let until = extending.fold(handed.until, |until, s| until.max(s.at.plus(ttr)));
        // Whatever came while it lived, and is older than what it answers, kept it alive.
        let signs = self.signs.get(&handed.worker).into_iter().flatten();
        let older = signs.filter(|s| s.reserved_at <= handed.granted_at);
        let kept = older.fold(handed.granted_at.plus(ttr), |kept, s| match s.at <= kept {
            true => kept.max(s.at.plus(ttr)),
            false => kept,
        });
        until.max(kept)
    }
}

impl Witness {
    /// Tasks were handed out.
    pub fn granted(&self, request: &GrantRequest, granted: &Granted) {
        if granted.tasks.is_empty() {
            return;
        }
        let mut inner = self.lock();
        self.trace.line(|| {
            let tasks: Vec<_> = granted.tasks.iter().map(|t| (t.capture.0, t.delivery)).collect();
            format!(
                "granted to worker {} of job {} run {}: {tasks:?}",
                request.worker, request.job, granted.run
            )
        });
        self.check_suspects(&mut inner, request, granted);
        self.check_border(&mut inner, request, granted);
        let alone = self.are_alone(&mut inner, request, granted);
        let mut once = BTreeSet::new();
        for task in &granted.tasks {
            let key = (request.job, task.capture);
            if !once.insert(task.capture) {
                self.blame(&mut inner, format!("{key:?} is twice in one answer"));
            }
            if let Some(before) = inner.newest(key).copied() {
                let until = inner.lives_until(&before, self.promises.ttr);
                if before.run == granted.run && !before.ended && request.now < until {
                    let what = format!("{key:?} is under two live leases: the first lives until {until}");
                    self.blame(&mut inner, what);
                }
                if task.delivery <= before.delivery {
                    self.blame(
                        &mut inner,
                        format!("{key:?} has delivery {} twice", task.delivery),
                    );
                }
            }
            if inner
                .tasks
                .get(&key)
                .is_some_and(|seen| seen.state != TaskState::Pending)
            {
                self.blame(&mut inner, format!("{key:?} is handed out though it is settled"));
            }
            inner.handed.entry(key).or_default().push(HandOut {
                run: granted.run,
                delivery: task.delivery,
                worker: request.worker,
                granted_at: request.now,
                until: request.lease_until(),
                suspect: request.want != Want::Batch,
                exclusive: request.want.is_exclusive(),
                ended: false,
                alone,
            });
        }
    }

    /// Results were settled.
    pub fn settled(&self, items: &[Settlement], report: &SettleReport, now: Timestamp) {
        let mut inner = self.lock();
        inner
            .last_result
            .extend(report.touched.iter().map(|t| (t.job, now)));
        for (item, settled) in items.iter().zip(&report.items) {
            let receipt = &item.receipt;
            let key = (receipt.job, receipt.capture);
            inner.answered.insert(receipt.grant());
            self.trace.line(|| {
                let what = match &item.posted {
                    Posted::Success(detections) => format!("success with {} detections", detections.len()),
                    Posted::Fail { reason, .. } => reason.to_string(),
                    Posted::BatchError { .. } => "the error of a batch".to_owned(),
                    Posted::Mismatch { .. } => "by unknown algorithms".to_owned(),
                };
                format!(
                    "settled {key:?} delivery {}: {what}: {settled:?}",
                    receipt.delivery
                )
            });
            match (&item.posted, settled) {
                (Posted::Success(_), Settled::Saved | Settled::Ignored(_)) => {
                    let processed = self
                        .store
                        .rows()
                        .task(key.0, key.1)
                        .is_some_and(|t| t.state == TaskState::Processed);
                    if processed {
                        inner.saved.insert((key.0, key.1, receipt.delivery));
                    } else {
                        self.blame(
                            &mut inner,
                            format!("{key:?} is answered {settled:?} and is not processed"),
                        );
                    }
                    inner.end(key);
                }
                (
                    Posted::Fail { .. } | Posted::BatchError { .. } | Posted::Mismatch { .. },
                    Settled::Saved,
                ) => {
                    let newest = inner.newest(key).map(|h| (h.run, h.delivery));
                    if newest != Some((receipt.run, receipt.delivery)) {
                        let what =
                            format!("{key:?} is failed by an old hand-out: {receipt:?}, newest {newest:?}");
                        self.blame(&mut inner, what);
                    }
                    inner.end(key);
                }
                _ => {}
            }
        }
    }

    /// Leases were extended or given back.
    pub fn leases_changed(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        answers: &[LeaseAnswer],
        policy: &LeasePolicy,
        now: Timestamp,
    ) {
        let mut inner = self.lock();
        for (receipt, answer) in receipts.iter().zip(answers) {
            let key = (receipt.job, receipt.capture);
            self.trace
                .line(|| format!("{change:?} {key:?} delivery {}: {answer:?}", receipt.delivery));
            if answer.is_err() {
                continue;
            }
            let newest = inner.handed.get_mut(&key).and_then(|all| all.last_mut());
            match newest {
                Some(handed) if handed.delivery == receipt.delivery && !handed.ended => match change {
                    LeaseChange::Extend => handed.until = handed.until.max(now.plus(policy.ttr)),
                    LeaseChange::Release | LeaseChange::Undelivered => handed.ended = true,
                },
                _ => self.blame(
                    &mut inner,
                    format!("{change:?} of a lease that is over: {receipt:?}"),
                ),
            }
        }
    }

    /// Workers gave signs of life.
    pub fn lived(&self, signs: &[SignOfLife], now: Timestamp) {
        let mut inner = self.lock();
        for sign in signs {
            if let Some(reserved_at) = sign.reserved_at {
                let sign_seen = Sign { reserved_at, at: now };
                let signs = inner.signs.entry(sign.worker).or_default();
                signs.retain(|s| now < s.at.plus(self.promises.ttr * 3));
                // The store's clock may have gone back.
                signs.iter_mut().for_each(|s| s.at = s.at.min(now));
                signs.push(sign_seen);
            }
        }
    }

    /// Leases were ended.
    pub fn swept(&self, swept: &Swept, now: Timestamp) {
        let mut inner = self.lock();
        let lost = swept
            .touched
            .iter()
            .flat_map(|t| t.settled.iter().map(|(capture, _)| (t.job, *capture)));
        let freed = swept
            .freed
            .iter()
            .map(|(job, candidate)| (*job, candidate.capture));
        for key in freed.chain(lost) {
            self.trace.line(|| format!("the lease of {key:?} has ended"));
            if let Some(handed) = inner.newest(key).copied() {
                let until = inner.lives_until(&handed, self.promises.ttr);
                if !handed.ended && now < until {
                    self.blame(
                        &mut inner,
                        format!("the lease of {key:?} has ended, but lives until {until}"),
                    );
                }
            }
            inner.end(key);
        }
    }

    /// Whether the ledger bears out that a task is lost.
    pub(super) fn check_lost(&self, inner: &mut Inner, key: Key, run: i64) {
        if inner.strictly_lost.contains(&(key, run)) {
            return;
        }
        let handed = inner.handed.get(&key);
        let n = handed.map_or(0, |all| all.iter().filter(|h| h.run == run).count());
        if (n as i64) < self.promises.max_deliver {
            self.blame(inner, format!("{key:?} is lost after {n} hand-out(s)"));
        }
        let last = inner.newest(key);
        if self.promises.last_try_is_alone && last.is_some_and(|h| h.run == run && !h.alone) {
            self.blame(
                inner,
                format!("{key:?} is lost, and its last try was beside others"),
            );
        }
        let innocent = |killers: &BTreeSet<CaptureId>| !killers.contains(&key.1);
        if self.promises.only_lost.as_ref().is_some_and(innocent) {
            self.blame(
                inner,
                format!("{key:?} is lost, though only the system had faults"),
            );
        }
    }

    /// Whether a strike or a suspicion, for which no answer is the reason, is for the one death that its worker can have died.
    pub(super) fn check_death(&self, inner: &mut Inner, key: Key) {
        let Some(handed) = inner.newest(key).filter(|_| self.promises.one_process_each) else {
            return;
        };
        let grant = GrantKey {
            job: key.0,
            worker: handed.worker,
            granted_at: handed.granted_at,
        };
        if inner.answered.contains(&grant) {
            return;
        }
        let charged = *inner.deaths.entry(grant.worker).or_insert(grant);
        if charged != grant && self.promises.only_lost.is_some() {
            self.blame(
                inner,
                format!("{key:?} is charged for {grant:?}, its worker's death for {charged:?}"),
            );
        }
    }

    /// Whether the ledger bears out that a task has an outcome.
    pub(super) fn check_settled(&self, inner: &mut Inner, key: Key, reason: Option<FailReason>) {
        let strict = inner.strictly_lost.iter().any(|(lost, _)| *lost == key);
        if reason != Some(FailReason::NoUrl) && inner.newest(key).is_none() && !strict {
            self.blame(
                inner,
                format!("{key:?} is settled ({reason:?}) and was never handed out"),
            );
        }
    }
}
