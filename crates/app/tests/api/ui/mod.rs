//! The web interface, as a browser without JavaScript sees it.

mod asked;
mod browser;
mod deletion;
mod errors;
mod events;
mod failures;
mod growth;
mod health;
mod jobs;
mod labels;
mod large;
mod links;
mod live;
mod look;
mod new_job;
mod parts;
mod results;
mod roles;
mod session;
mod sets;
mod settings;
mod sorted;
mod summary;
mod thumbnails;
mod workers;
mod zones;
