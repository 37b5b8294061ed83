//! Clients that know only the wire, against the real binary: one in another language that asks as ADC asks, and
//! workers that die, or outlive the server.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod adc;
mod killer;
mod landing;
mod loaders;
mod scenarios;
mod support;
