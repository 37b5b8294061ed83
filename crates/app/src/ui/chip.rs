//! Filters that are links.

/// A filter that is a link.
pub(super) struct Chip {
    pub(super) word: String,
    /// How many there are; empty if they are not counted.
    pub(super) count: String,
    pub(super) path: String,
    pub(super) is_on: bool,
}

impl Chip {
    /// One that is not counted.
    pub(super) fn new(word: impl Into<String>, path: String, is_on: bool) -> Self {
        Self {
            word: word.into(),
            count: String::new(),
            path,
            is_on,
        }
    }
}
