//! The floor: bare programs that do only what can't be avoided for the same images, in the same run.

mod json;
