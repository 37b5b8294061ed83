//! Hand-outs that wait for the writer are made together: whoever gets the turn makes those of all, in one transaction.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;
use trapline_core::{
    Error, Result,
    ports::{GrantRequest, Granted},
};

use super::{SqliteStore, direct::Done, grant, store_error};

/// Tasks of one transaction at the most, so that a settlement does not wait long for its turn.
const TASKS_MAX: usize = 512;

/// The hand-outs that wait, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<Asked>>);

struct Asked {
    request: GrantRequest,
    answer: oneshot::Sender<Result<Granted>>,
}

impl Waiting {
    fn add(&self, request: &GrantRequest) -> oneshot::Receiver<Result<Granted>> {
        let (answer, granted) = oneshot::channel();
        let request = request.clone();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(Asked { request, answer });
        granted
    }

    /// The next one that is still waited for.
    fn next(&self) -> Option<Asked> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| waiting.pop_front()).find(|asked| !asked.answer.is_closed())
    }
}

impl SqliteStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        let mut granted = self.hand_outs.add(request);
        loop {
            tokio::select! {
                biased;
                granted = &mut granted => {
                    return granted.unwrap_or_else(|_| Err(Error::internal("a hand-out was not answered")));
                }
                made = self.make_hand_outs() => made?,
            }
        }
    }

    /// Makes the next hand-outs, and tells who asked for them. An error is everyone's: nothing in a hand-out is of its worker's
    /// making.
    async fn make_hand_outs(&self) -> Result<()> {
        let mut made = Vec::new();
        let committed = self.writer.direct(async |conn| {
            let (mut tasks, mut writes) = (0, false);
            while tasks < TASKS_MAX
                && let Some(Asked { request, answer }) = self.hand_outs.next()
            {
                tasks += request.limit;
                made.push((answer, Granted::default()));
                let granted = grant::grant_in(conn, &request).await?;
                writes |= !granted.tasks.is_empty() || granted.turned;
                made.last_mut().expect("it was pushed").1 = granted;
            }
            Ok(if writes {
                Done::Commit(())
            } else {
                Done::Nothing(())
            })
        });
        let committed = committed.await.map_err(store_error);
        for (answer, granted) in made {
            let granted = match &committed {
                Ok(()) => Ok(granted),
                Err(error) => Err(Error::new(error.kind, error.message.clone())),
            };
            // Who asked is gone: its leases end as those of a reply that was lost.
            answer.send(granted).ok();
        }
        committed
    }
}
