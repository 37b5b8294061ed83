//! The life of a hand-out, from grant to answer or loss, in the order in which it happens.
//!
//! 1. **Grant.** A worker reserves tasks; each becomes a *hand-out* (`delivery` counts them). What one answer
//!    hands out is a *grant*: a row with one job, one worker and one time. A task that is *suspect* is alone in its answer.
//! 2. **Lease.** The hand-out is the worker's until `lease_until` ([`lease`]). An answer of the worker extends what it
//!    reserved since ([`lease::SignsOfLife`]); it may extend a lease by name, or give the task back, which costs nothing.
//! 3. **Answer.** A result settles the task, whichever hand-out it answers. An error settles it only if it answers the
//!    newest one. What an answer does is decided in [`crate::plan::settle`].
//! 4. **Expiry.** A lease that passes its deadline and the margin has expired. If it lived through a *gap*
//!    ([`lease::Gap`]: no node was up, or the store was away), it lasts until the gap's grace ends, and its end costs
//!    nothing. The sweep finds expired leases and decides with [`crate::plan::sweep`].
//! 5. **Death.** A grant of which nothing was answered and no lease lives is charged as its worker's death
//!    ([`death::charge`]). What the same process had reserved later was *held ahead* and goes back uncharged, once.
//! 6. **Strike and suspicion.** If the worker answered other tasks of the grant, or still holds some, each expired lease is
//!    a *strike* for its task. A death makes the tasks of its grant *suspect*: one of them may have killed the worker, and
//!    nothing says which, so a task's first death costs no strike, and each later one does ([`death::task_end`]). A late
//!    answer to the hand-out that was taken for dead clears its other tasks ([`death::cleared`]).
//! 7. **Last try.** A strike that would use up the budget (`max_deliver`) is never given in company: the task's last try is
//!    *exclusive*, and its worker holds nothing else meanwhile ([`last_try`]).
//! 8. **Loss.** If the last try ends without an answer, the task is settled as failed with the reason `lost`, and names the
//!    workers that did not answer. `retry-failed` hands it out again in a new run.

pub mod death;
pub mod known;
pub mod last_try;
pub mod lease;
