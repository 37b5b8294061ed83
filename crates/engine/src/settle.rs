//! Settle: results from many requests meet in one group commit per node, one in flight while the next gathers. Whoever
//! posted is answered after the commit; while the store is away a result waits for it, up to `settle_wait`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use trapline_core::{
    Clock, Error, FailReason, JobId, Result,
    error::chain,
    fault,
    ports::{Posted, SettleReport, Settled, Settlement},
};

use crate::{Engine, Policy};

/// Results in one transaction at the most.
const GROUP_MAX: usize = 500;
/// Between two tries while the store is away.
pub(crate) const RETRY: Duration = Duration::from_millis(200);
/// One try is given this long, however long its results have waited before.
const TRY_MIN: Duration = Duration::from_secs(1);
/// The unit in which waiting bytes are counted.
const KIB: usize = 1024;

/// Where results wait to be settled.
pub(crate) struct Settler {
    inbox: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
    permits_max: usize,
}

/// The other end.
pub(crate) struct Inbox(mpsc::Receiver<Waiting>);

struct Waiting {
    settlement: Settlement,
    reply: oneshot::Sender<Result<Settled>>,
    /// Until when it waits for the store, in monotonic time.
    until: Duration,
    /// Its share of the bytes that may wait.
    permit: OwnedSemaphorePermit,
}

impl Settler {
    pub(crate) fn new(policy: &Policy) -> (Self, Inbox) {
        let (inbox, rx) = mpsc::channel(policy.settle_items_max);
        let permits_max = (policy.settle_bytes_max / KIB).max(1);
        (
            Self {
                inbox,
                bytes: Arc::new(Semaphore::new(permits_max)),
                permits_max,
            },
            Inbox(rx),
        )
    }
}

/// An outcome to come.
pub struct Pending {
    outcome: oneshot::Receiver<Result<Settled>>,
    until: Duration,
    clock: Arc<dyn Clock>,
}

impl Pending {
    /// Waits for the commit, as long as this result may: others of its group may wait longer.
    ///
    /// # Errors
    /// `Unavailable` if the store did not come back in time. Posted again, the result counts once, even if it is saved
    /// after all.
    pub async fn outcome(self) -> Result<Settled> {
        let left = self.until.saturating_sub(self.clock.monotonic()).max(TRY_MIN);
        tokio::select! {
            biased;
            outcome = self.outcome => outcome.unwrap_or_else(|_| {
                Err(Error::unavailable(
                    "the server is stopping; post the result again",
                ))
            }),
            () = self.clock.sleep(left) => {
                Err(Error::unavailable("the result could not be saved in time; post it again"))
            }
        }
    }
}

impl Engine {
    /// Hands a result over to be settled. Returns when there is room for it: `bytes` of it count against
    /// `settle_bytes_max`, so that a slow store slows the readers of bodies down instead of filling the memory.
    ///
    /// # Errors
    /// `Unavailable` if the server is stopping or there was no room in time.
    pub async fn submit(&self, settlement: Settlement, bytes: usize) -> Result<Pending> {
        let settler = &self.inner.settler;
        let clock = &self.inner.ports.clock;
        let permits = bytes.div_ceil(KIB).clamp(1, settler.permits_max) as u32;
        let until = clock.monotonic() + self.inner.policy.settle_wait;
        let admit = async {
            let permit = Arc::clone(&settler.bytes)
                .acquire_many_owned(permits)
                .await
                .ok()?;
            let (reply, outcome) = oneshot::channel();
            settler
                .inbox
                .send(Waiting {
                    settlement,
                    reply,
                    until,
                    permit,
                })
                .await
                .ok()?;
            Some(Pending {
                outcome,
                until,
                clock: Arc::clone(clock),
            })
        };
        let admitted = tokio::select! {
            biased;
            admitted = admit => admitted,
            () = clock.sleep(self.inner.policy.settle_wait) => None,
        };
        admitted
            .ok_or_else(|| Error::unavailable("too many results wait for the store; post the result again"))
    }

    /// Settles groups until the supervisor stops and nothing waits.
    pub(crate) async fn settle_loop(&self, Inbox(mut inbox): Inbox) {
        let stop = self.inner.supervisor.stopping();
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            tokio::select! {
                biased;
                received = inbox.recv_many(&mut group, GROUP_MAX) => {
                    if received == 0 {
                        return;
                    }
                }
                () = stop.cancelled() => {
                    // The HTTP server has drained by now; what came before it closed is still here.
                    inbox.close();
                    while inbox.recv_many(&mut group, GROUP_MAX).await > 0 {
                        self.settle_group(std::mem::take(&mut group)).await;
                    }
                    return;
                }
            }
            self.settle_group(std::mem::take(&mut group)).await;
        }
    }

    async fn settle_group(&self, group: Vec<Waiting>) {
        let clock = &self.inner.ports.clock;
        let (mut settlements, mut rest) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for waiting in group {
            settlements.push(waiting.settlement);
            rest.push((waiting.reply, waiting.until, waiting.permit));
        }
        let patience = rest.iter().map(|(_, until, _)| *until).max().unwrap_or_default();
        let mut told = false;
        fault::reach(fault::SETTLE_ARRIVED);
        let report = loop {
            let left = patience.saturating_sub(clock.monotonic()).max(TRY_MIN);
            let tried = tokio::select! {
                biased;
                tried = self.inner.ports.store.settle(&settlements, self.now()) => tried,
                // Given up, it is rolled back; or it is saved, and what is posted again counts nothing.
                () = clock.sleep(left) => Err(Error::unavailable("the store did not settle in time")),
            };
            match tried {
                Ok(report) => break Ok(report),
                Err(error) if error.kind.retry() && clock.monotonic() + RETRY < patience => {
                    if !told {
                        tracing::warn!(
                            error = chain(&error),
                            results = settlements.len(),
                            "results wait for the store"
                        );
                        told = true;
                    }
                    clock.sleep(RETRY).await;
                }
                Err(error) => break Err(error),
            }
        };
        match report {
            Ok(report) => {
                fault::reach(fault::SETTLE_COMMITTED);
                let items = self.after_commit(&settlements, report).await;
                for ((reply, ..), item) in rest.into_iter().zip(items) {
                    // Whoever posted it may have gone; it is saved all the same.
                    reply.send(Ok(item)).ok();
                }
            }
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    results = settlements.len(),
                    "results were not saved"
                );
                for (reply, ..) in rest {
                    reply
                        .send(Err(Error::new(
                            error.kind,
                            "the results could not be saved; post them again",
                        )))
                        .ok();
                }
            }
        }
    }

    /// Signs of life, projections, hints; and what the database refused becomes its task's failure.
    async fn after_commit(&self, settlements: &[Settlement], report: SettleReport) -> Vec<Settled> {
        let now = self.now();
        for s in settlements {
            self.inner
                .life
                .answered(s.receipt.worker, s.receipt.granted_at, now);
            self.inner.tried.answered(&s.receipt, now);
        }
        self.tell(&report.touched).await;
        self.offer(report.freed).await;
        log_ignored(settlements, &report.items);
        let refused: Vec<Settlement> = settlements
            .iter()
            .zip(&report.items)
            .filter_map(|(s, item)| match item {
                Settled::Refused(why) => Some(Settlement {
                    receipt: s.receipt,
                    posted: Posted::Fail {
                        reason: FailReason::InvalidResult,
                        detail: why.clone(),
                    },
                }),
                _ => None,
            })
            .collect();
        if !refused.is_empty() {
            match self.inner.ports.store.settle(&refused, now).await {
                Ok(report) => self.tell(&report.touched).await,
                Err(error) => tracing::warn!(
                    error = chain(&error),
                    "refused results stay unsettled until their lease ends"
                ),
            }
        }
        report.items
    }
}

/// Results that change nothing are answered as if they had, so that they are seen in the log alone (docs/rules.md A8): a
/// line per job and reason, as a post that is repeated after a crash may hold hundreds.
fn log_ignored(settlements: &[Settlement], items: &[Settled]) {
    let mut ignored: BTreeMap<(JobId, &str), usize> = BTreeMap::new();
    for (settlement, item) in settlements.iter().zip(items) {
        if let Settled::Ignored(why) = item {
            *ignored.entry((settlement.receipt.job, why)).or_default() += 1;
        }
    }
    for ((job, why), results) in ignored {
        tracing::info!(%job, why, results, "results changed nothing");
    }
}
