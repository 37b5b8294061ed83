//! The catalog's endpoints and the base of the server, in process on a real store.

mod access;
mod errors;
mod registration;
mod sets;
mod support;
