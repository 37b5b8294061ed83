//! Seeded sample pictures.
