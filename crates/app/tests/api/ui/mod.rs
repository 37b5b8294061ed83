//! The web interface, as a browser without JavaScript sees it.

mod browser;
mod errors;
mod failures;
mod growth;
mod health;
mod jobs;
mod links;
mod live;
mod look;
mod new_job;
mod results;
mod session;
mod sets;
mod settings;
mod summary;
mod thumbnails;
mod workers;
mod zones;
