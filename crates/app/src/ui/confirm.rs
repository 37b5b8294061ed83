//! A page that asks before something is done.

use askama::Template;

use super::page::Frame;

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) frame: Frame,
    /// With what it is done: a path and a name.
    pub(super) of: Option<(String, String)>,
    pub(super) question: &'static str,
    pub(super) what: String,
    /// Where the answer is posted.
    pub(super) path: String,
    pub(super) button: &'static str,
    pub(super) back: String,
}
