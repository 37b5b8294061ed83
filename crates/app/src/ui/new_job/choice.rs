//! What is chosen in the second step: read from an address or a form, and handed on as a program would ask for the job.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trapline_core::{
    catalog::{Collection, ProjectSettings},
    ports::CreateKey,
    words::hex,
};

use crate::{
    http::{ApiError, Fields, NAME_MAX, Params, auth::new_secret},
    ui::{page::with_query, wrong::Wrong},
};

/// What is chosen, as it was typed.
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) slug: String,
    /// In percent.
    pub(super) threshold: String,
    pub(super) priority: String,
    pub(super) reprocess: bool,
    /// Of this form: a form that is sent twice makes one job.
    pub(super) key: String,
}

impl Choice {
    /// What a form says; a form has a key.
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.maybe_text(name, NAME_MAX).unwrap_or_default();
        Self {
            name: text("name"),
            slug: text("pipeline"),
            threshold: text("threshold"),
            priority: text("priority"),
            reprocess: !text("reprocess").is_empty(),
            key: text("key"),
        }
    }

    /// What a form was sent with.
    pub(super) fn of_form(mut fields: Fields) -> Result<Self, ApiError> {
        let choice = Self::read(&mut fields);
        fields.check().map(|()| choice)
    }

    /// What an address says, else what is usual in the project.
    pub(super) fn of_address(
        params: &Params,
        name: String,
        settings: &ProjectSettings,
    ) -> Result<Self, ApiError> {
        let given: serde_json::Map<String, Value> = params
            .iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        let mut choice = Self::of_form(Fields::of(Value::Object(given))?)?;
        if choice.name.is_empty() {
            choice.name = name;
        }
        if choice.key.is_empty() {
            choice.key = new_secret();
            choice.reprocess |= settings.reprocess_all_images;
        }
        if choice.threshold.is_empty() {
            choice.threshold = ((settings.failure_threshold * 1_000.0).round() / 10.0).to_string();
        }
        if choice.priority.is_empty() {
            choice.priority = "0".to_owned();
        }
        Ok(choice)
    }

    /// The address at which all of this is chosen.
    pub(super) fn path(&self, set: i64) -> String {
        let mut query = vec![
            ("name", self.name.as_str()),
            ("pipeline", &self.slug),
            ("threshold", &self.threshold),
            ("priority", &self.priority),
            ("key", &self.key),
        ];
        query.extend(self.reprocess.then_some(("reprocess", "1")));
        with_query(&format!("/jobs/new/{set}"), query)
    }

    /// The body of a request for the job.
    ///
    /// # Errors
    /// What is wrong with what was typed.
    pub(super) fn body(&self, set: &Collection) -> Result<Value, Wrong> {
        let threshold: Option<f64> = self.threshold.parse().ok();
        let threshold = threshold.filter(|percent| (0.0..=100.0).contains(percent));
        let threshold = threshold.ok_or_else(|| {
            Wrong::at(
                &["threshold"],
                "Give the share of images that may fail as a percentage from 0 to 100.",
            )
        })?;
        if self.name.is_empty() {
            return Err(Wrong::at(&["name"], "Give the job a name."));
        }
        Ok(json!({
            "name": self.name,
            "delay": 0,
            "project_id": set.project.0,
            "pipeline_slug": (!self.slug.is_empty()).then_some(&self.slug),
            "source_image_collection_id": set.id.0,
            "failure_threshold": threshold / 100.0,
            "priority": self.priority,
            "reprocess": self.reprocess,
        }))
    }

    /// Under which one form makes one job of what it asks for, however often it is sent.
    pub(super) fn create_key(&self, body: &Value, start: bool) -> CreateKey {
        let asked = Sha256::new()
            .chain_update(&self.key)
            .chain_update(body.to_string())
            .chain_update([u8::from(start)])
            .finalize();
        let asked = hex(&asked);
        CreateKey {
            key: format!("form-{asked}"),
            asked,
        }
    }
}
