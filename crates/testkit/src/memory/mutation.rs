//! Bugs that the store may be given, each one that a real one could have: a simulation that does not report them
//! proves nothing.

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A result is answered before its commit, and the commit fails now and then.
    AnswerBeforeCommit,
    /// Results are counted by what was posted, not by what the conditional update changed.
    CountReplays,
    /// An error is believed from any hand-out.
    BelieveOldErrors,
    /// The sweep settles tasks as lost that were never handed out.
    LoseNeverHandedOut,
    /// Landing writes the status without its guard.
    LandUnguarded,
    /// Landing is decided on what was read before the transaction's own change.
    LandOnStaleRead,
    /// A lease is extended whatever its deadline was.
    ReviveLeases,
    /// The end of a lease that lived through an outage is a strike.
    StrikeForOutage,
    /// A slice is collected whoever has the newest claim.
    NoFence,
    /// A reserve that the queue leaves short is not filled from the store.
    NoFill,
    /// A suspect is handed out with others.
    SuspectInBatch,
    /// What a dead worker held ahead is charged too.
    ChargeHeldAhead,
    /// What was handed out in an answer that the store lost is not taken back.
    KeepLostReplies,
    /// What the results of a job may name is remembered from the first of its runs that is asked for.
    RememberedHead,
    /// What a project registers is what its running jobs expect from then on.
    RegistrationChangesRuns,
    /// An answer keeps alive only what was reserved since its own task was, and ends what an earlier one kept alive.
    OverwriteExtendFrom,
    /// The last try of a suspect is handed out to a worker that holds other tasks.
    LastTryInCompany,
}

impl Mutation {
    /// Every bug.
    pub const ALL: &'static [Self] = &[
        Self::AnswerBeforeCommit,
        Self::CountReplays,
        Self::BelieveOldErrors,
        Self::LoseNeverHandedOut,
        Self::LandUnguarded,
        Self::LandOnStaleRead,
        Self::ReviveLeases,
        Self::StrikeForOutage,
        Self::NoFence,
        Self::NoFill,
        Self::SuspectInBatch,
        Self::ChargeHeldAhead,
        Self::KeepLostReplies,
        Self::RememberedHead,
        Self::RegistrationChangesRuns,
        Self::OverwriteExtendFrom,
        Self::LastTryInCompany,
    ];
}
