//! What is wrong with a form that was refused: in words, and at which of its fields.

use axum::http::StatusCode;

use super::page::PageError;
use crate::http::ApiError;

/// Why a form is shown again; empty if it is not.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    texts: Vec<String>,
    /// Fields by their names, and the place of the text that is about each.
    fields: Vec<(String, usize)>,
}

impl Wrong {
    /// A text that is about no field.
    pub(super) fn whole(text: impl Into<String>) -> Self {
        Self::at(&[], text)
    }

    /// A text that is about some fields.
    pub(super) fn at(fields: &[&str], text: impl Into<String>) -> Self {
        Self {
            texts: vec![text.into()],
            fields: fields.iter().map(|field| ((*field).to_owned(), 0)).collect(),
        }
    }

    /// What an error says of a form's fields; `called` has those that are called otherwise in the form.
    ///
    /// # Errors
    /// The error itself if it is not about what was typed: it is no words for a form.
    pub(super) fn of(error: ApiError, called: &[(&str, &str)]) -> Result<Self, PageError> {
        if !matches!(error.status(), StatusCode::BAD_REQUEST | StatusCode::CONFLICT) {
            return Err(error.into());
        }
        let told = error.field_texts();
        if told.is_empty() {
            return Ok(Self::whole(error.text().unwrap_or_default()));
        }
        let mut wrong = Self::default();
        for (field, text) in told {
            let known = called.iter().find(|(wire, _)| *wire == field);
            let field = known.map_or(field.as_str(), |(_, form)| form);
            wrong.fields.push((field.to_owned(), wrong.texts.len()));
            wrong.texts.push(format!("`{field}`: {text}"));
        }
        Ok(wrong)
    }

    pub(super) fn is_any(&self) -> bool {
        !self.texts.is_empty()
    }

    /// The texts, each with its id in the page.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let texts = self.texts.iter().enumerate();
        texts.map(|(place, text)| (id(place), text.as_str()))
    }

    /// The id of the text about a field.
    pub(super) fn why(&self, field: &str) -> Option<String> {
        let found = self.fields.iter().find(|(known, _)| known == field);
        found.map(|(_, place)| id(*place))
    }
}

fn id(place: usize) -> String {
    format!("wrong-{place}")
}
