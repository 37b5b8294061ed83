//! The web interface, as a browser without JavaScript sees it.

mod browser;
mod errors;
mod failures;
mod jobs;
mod links;
mod live;
mod look;
mod results;
mod session;
mod summary;
