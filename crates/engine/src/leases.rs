//! What a worker may do with its leases besides posting a result: extend them, give them back, or fail their tasks.

use trapline_core::{
    FailReason, JobId, Result, WorkerId,
    ports::{LeaseAnswer, LeaseChange, Posted, Settled, Settlement},
    receipt::Receipt,
    task::{DETAIL_MAX_CHARS, cut},
};

use crate::Engine;

/// A request about leases, with their receipts as on the wire.
#[derive(Clone, Debug, Default)]
pub struct LeaseRequest {
    /// Leases to extend.
    pub extend: Vec<String>,
    /// Leases to give back.
    pub release: Vec<String>,
    /// Leases whose tasks failed, with the error.
    pub fail: Vec<(String, String)>,
}

impl Engine {
    /// Reads a receipt; `None` unless this server made it for this job.
    #[must_use]
    pub fn verify(&self, job: JobId, text: &str) -> Option<Receipt> {
        self.inner.key.verify(text).filter(|r| r.job == job)
    }

    /// Returns an answer per receipt, in the order extend, release, fail.
    ///
    /// # Errors
    /// As the store's.
    pub async fn leases(
        &self,
        job: JobId,
        request: LeaseRequest,
        worker: WorkerId,
    ) -> Result<Vec<(String, LeaseAnswer)>> {
        self.inner.liveness.seen(worker, self.now(), &[]);
        let mut answers = self
            .change_texts(job, LeaseChange::Extend, request.extend)
            .await?;
        answers.extend(
            self.change_texts(job, LeaseChange::Release, request.release)
                .await?,
        );
        for (text, error) in request.fail {
            let answer = match self.verify(job, &text) {
                None => Err(FOREIGN),
                Some(receipt) => {
                    let posted = Posted::Fail {
                        reason: FailReason::WorkerError,
                        detail: cut(&error, DETAIL_MAX_CHARS),
                    };
                    let pending = self.submit(Settlement { receipt, posted }, error.len()).await?;
                    match pending.outcome().await? {
                        Settled::Saved => Ok(()),
                        Settled::Ignored(why) => Err(why),
                        Settled::Gone => Err("there is no such task"),
                        Settled::Refused(_) => Err("the store refuses this error text"),
                    }
                }
            };
            answers.push((text, answer));
        }
        Ok(answers)
    }

    async fn change_texts(
        &self,
        job: JobId,
        change: LeaseChange,
        texts: Vec<String>,
    ) -> Result<Vec<(String, LeaseAnswer)>> {
        let verified: Vec<Option<Receipt>> = texts.iter().map(|text| self.verify(job, text)).collect();
        let good: Vec<Receipt> = verified.iter().flatten().copied().collect();
        let mut changed = if good.is_empty() {
            Vec::new()
        } else {
            self.change_receipts(change, &good).await?
        }
        .into_iter();
        Ok(texts
            .into_iter()
            .zip(verified)
            .map(|(text, receipt)| match receipt {
                None => (text, Err(FOREIGN)),
                Some(_) => (text, changed.next().unwrap_or(Err("the store gave no answer"))),
            })
            .collect())
    }

    /// Changes leases, and offers the tasks that became free to the queue.
    pub(crate) async fn change_receipts(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
    ) -> Result<Vec<LeaseAnswer>> {
        let now = self.inner.time.now()?;
        let store = &self.inner.ports.store;
        let (answers, freed) = store
            .change_leases(change, receipts, &self.inner.policy.leases(), now)
            .await?;
        self.offer(freed).await;
        Ok(answers)
    }
}

/// The refusal of a receipt that this server did not make for this job.
const FOREIGN: &str = "the receipt is not one of this job's";
