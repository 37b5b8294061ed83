//! Settle: results of many requests are committed together, in one group per node at a time, while the next group
//! gathers. A client is answered after the commit. While the store is away a result waits for it, up to
//! `settle_wait`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use trapline_core::{
    Clock, Error, FailReason, JobId, Result,
    error::chain,
    fault,
    ports::{Posted, SettleReport, Settled, Settlement},
};

use crate::{Engine, Policy};

/// The maximum number of results in one transaction.
const GROUP_MAX: usize = 500;
/// The pause between two attempts while the store is away.
pub(crate) const RETRY: Duration = Duration::from_millis(200);
/// The minimum time for one attempt, however long its results have waited before.
const TRY_MIN: Duration = Duration::from_secs(1);
/// The unit in which waiting bytes are counted.
const KIB: usize = 1024;

/// Where results wait to be settled: the sending end.
pub(crate) struct Settler {
    inbox: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
    permits_max: usize,
}

/// The receiving end of a [`Settler`].
pub(crate) struct Inbox(mpsc::Receiver<Waiting>);

struct Waiting {
    settlement: Settlement,
    reply: oneshot::Sender<Result<Settled>>,
    /// Until when the result waits for the store, in monotonic time.
    until: Duration,
    /// The result's share of the bytes that may wait.
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

/// The outcome of a result that is handed over.
pub struct Pending {
    outcome: oneshot::Receiver<Result<Settled>>,
    until: Duration,
    clock: Arc<dyn Clock>,
}

impl Pending {
    /// Waits for the commit. Each result times out after its own `settle_wait`; others of its group may wait longer.
    ///
    /// # Errors
    /// `Unavailable` if the store did not come back in time. If the result is posted again it counts once, even if it
    /// is saved after all.
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
    /// Hands a result over to be settled. Returns when there is room for it. Its `bytes` count against
    /// `settle_bytes_max`, so that a slow store slows down the readers of bodies instead of filling the memory.
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
                    // The HTTP server has drained by now; results that it took before are still in the inbox.
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
                // If it is given up, it is either rolled back, or saved, and then a second post counts nothing.
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
                    // The client may have gone; the result is saved all the same.
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

    /// Notes signs of life, tells the projections and sends hints; and settles as failed the tasks whose results the
    /// database refused.
    async fn after_commit(&self, settlements: &[Settlement], report: SettleReport) -> Vec<Settled> {
        let now = self.now();
        for s in settlements {
            self.inner
                .liveness
                .answered(s.receipt.worker, s.receipt.granted_at, now);
            self.inner.tried.answered(&s.receipt, now);
        }
        self.note_answers(settlements, &report.items);
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

/// Logs results that changed nothing, because they are answered as if they had (docs/rules.md A8). There is one line
/// per job and reason, because a post that is repeated after a crash may hold hundreds.
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
