//! The server and its tools, as a library, so that tests drive the same router that the binary serves.

pub mod capture_lines;
pub mod chaos;
pub mod cli;
pub mod config;
pub mod export;
mod file_url;
pub mod http;
pub mod image_search;
mod local_file;
pub mod serve;
mod ui;
pub mod wiring;
