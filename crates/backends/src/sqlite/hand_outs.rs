//! Hand-outs that wait for the writer are made together: whoever gets the turn makes those of all, in one transaction.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use trapline_core::{
    Error, Result,
    ports::{GrantRequest, Granted},
};

use super::{SqliteStore, direct::Done, grant, store_error};

/// After so many tasks a transaction takes up no further hand-out, so that a settlement does not wait long for its turn.
const TASKS_MAX: usize = 512;

#[derive(Default)]
pub(super) struct Waiting {
    /// In the order in which they were asked for.
    asked: Mutex<Line>,
    /// One of those who wait stands in the writer's line for all.
    maker: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Line {
    asked: VecDeque<Asked>,
    newest: u64,
}

struct Asked {
    number: u64,
    request: GrantRequest,
    answer: oneshot::Sender<Result<Granted>>,
}

impl Waiting {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, request: &GrantRequest) -> (u64, oneshot::Receiver<Result<Granted>>) {
        let (answer, granted) = oneshot::channel();
        let mut line = self.line();
        line.newest += 1;
        let asked = Asked {
            number: line.newest,
            request: request.clone(),
            answer,
        };
        line.asked.push_back(asked);
        (line.newest, granted)
    }

    /// The next one that is still waited for.
    fn next(&self) -> Option<Asked> {
        let mut line = self.line();
        std::iter::from_fn(|| line.asked.pop_front()).find(|asked| !asked.answer.is_closed())
    }

    /// Takes one out, unless it is being made or was.
    fn withdraw(&self, number: u64) -> bool {
        let mut line = self.line();
        let before = line.asked.len();
        line.asked.retain(|asked| asked.number != number);
        line.asked.len() < before
    }
}

impl SqliteStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        let (number, mut granted) = self.hand_outs.add(request);
        loop {
            tokio::select! {
                biased;
                granted = &mut granted => {
                    return granted.unwrap_or_else(|_| Err(Error::internal("a hand-out was not answered")));
                }
                made = self.make_hand_outs() => match made {
                    // It was not about this one, which is not to be made with nobody to hear of it.
                    Err(error) if self.hand_outs.withdraw(number) => return Err(error),
                    _ => {}
                },
            }
        }
    }

    /// Makes the next hand-outs, and tells who asked for them. An error is everyone's: nothing in a hand-out is of its worker's
    /// making.
    async fn make_hand_outs(&self) -> Result<()> {
        let _maker = self.hand_outs.maker.lock().await;
        if self.hand_outs.line().asked.is_empty() {
            return Ok(());
        }
        let mut made = Vec::new();
        let committed = self.writer.direct(async |conn| {
            let (mut tasks, mut writes) = (0_usize, false);
            while tasks < TASKS_MAX
                && let Some(Asked { request, answer, .. }) = self.hand_outs.next()
            {
                made.push((answer, Granted::default()));
                let granted = grant::grant_in(conn, &request).await?;
                tasks += granted.tasks.len().max(1);
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
            // A reserve goes on without the client that asked for it, so somebody hears of this.
            answer.send(granted).ok();
        }
        committed
    }
}
