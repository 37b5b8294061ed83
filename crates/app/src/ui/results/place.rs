//! A page of results as its URL names it, and the name of an image.

use trapline_core::CaptureId;

use super::{
    super::{page::with_query, words::visible},
    filter::Filter,
    order::Key,
};
use crate::{
    file_url,
    http::{ApiError, Params},
};

/// The name of an image for people: the end of its path, and its host if it is of the web.
pub(super) fn image_name(url: &str) -> String {
    let whole = file_url::shown(url);
    let plain = whole.split(['?', '#']).next().unwrap_or_default();
    let plain = if url.starts_with("file:") {
        whole.as_str()
    } else {
        plain
    };
    let end = plain.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match end {
        "" => visible(&cut(&whole)),
        end => visible(&cut(end)),
    }
}

/// At most 60 characters, the middle left out.
fn cut(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 60 {
        return text.to_owned();
    }
    let (start, end) = (&chars[..28], &chars[chars.len() - 30..]);
    format!(
        "{}…{}",
        start.iter().collect::<String>(),
        end.iter().collect::<String>()
    )
}

/// A page of results, as its URL names it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) job: i64,
    pub(super) filter: Filter,
    pub(super) photos: Option<bool>,
    pub(super) after: Option<Key>,
}

impl Place {
    pub(super) fn read(job: i64, params: &Params) -> Result<Self, ApiError> {
        Ok(Self {
            job,
            filter: Filter::read(params)?,
            photos: match params.text("photos").unwrap_or_default() {
                "" => None,
                word => Some(word != "0"),
            },
            after: Key::read(params, "after")?,
        })
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.filter.query();
        query.extend(self.photos.map(|on| ("photos", u8::from(on).to_string())));
        query.extend(self.after.map(|after| ("after", after.to_string())));
        query
    }

    pub(super) fn path(&self) -> String {
        with_query(&format!("/jobs/{}/results", self.job), self.query())
    }

    /// A file of what the filter takes.
    pub(super) fn download(&self, end: &str) -> String {
        with_query(&format!("/jobs/{}/{end}", self.job), self.filter.query())
    }

    pub(super) fn path_of(&self, image: CaptureId) -> String {
        with_query(&format!("/jobs/{}/results/{image}", self.job), self.query())
    }

    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = Self {
            after: None,
            ..self.clone()
        };
        change(&mut changed);
        changed
    }
}
