//! A world in which everything goes wrong on a seeded schedule: virtual time, nodes that pause and crash, and
//! decorators over the three ports that refuse, lose, delay, repeat and reorder. The decorators forward every method;
//! a lint holds that.

#![deny(clippy::missing_trait_methods)]

mod catalog;
mod clock;
mod dice;
mod gate;
mod health;
mod outage;
mod progress;
mod queue;
mod store;
mod storm;
mod trace;

pub use clock::{SimClock, SkewedClock};
pub use dice::Dice;
pub use gate::Gate;
pub use outage::{Breakable, Outage};
pub use progress::FaultyProgress;
pub use queue::FaultyQueue;
pub use store::FaultyStore;
pub use storm::{Odds, Storm};
pub use trace::Trace;
