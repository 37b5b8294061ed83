//! Placeholder.

pub mod light_sheet;
pub mod samples;
