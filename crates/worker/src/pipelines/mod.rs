//! The pipelines that run inside the worker itself.

pub mod image;
pub mod light_sheet;
