//! `/jobs/new`: a job from a list of images, in two steps: which images, and what is done with them.
//!
//! The first step stores the images as a draft: a set without a name, which goes after a day if no job is made of it. So the second
//! step has an address, can be read again, and says what became of each line before anything is started.

mod form;
