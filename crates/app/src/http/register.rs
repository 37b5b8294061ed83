//! Registration: a worker says what it runs (docs/wire.md#registration).
//!
//! A body that is not the shape is refused whole, with the place of everything that is wrong. A pipeline whose
//! classification has no category map, or that has two versions of one algorithm, is refused alone: what else the
//! request holds is registered all the same, so that one bad pipeline does not keep a fleet from work.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Map, Value};
use trapline_core::{
    Timestamp,
    catalog::{AlgorithmSpec, CategoryMap, PipelineSpec, Registered, Registration},
};
use trapline_wire as wire;

use super::{
    Access, AppState, Fields, Id, NAME_MAX, Principal, TEXT_MAX,
    error::{ApiError, ApiResult},
    identity::{ClientInfo, Peer},
    lenient::{int_of, text_of},
    pipelines, projects,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route(
        "/projects/{id}/pipelines",
        get(pipelines::list_of_project).post(register),
    )
}

/// Everything that is wrong with the list of pipelines, each with its place, as upstream's validator says it.
#[derive(Default)]
struct Wrong(Vec<wire::Fault>);

/// The place of a value: `["__root__", "0", "algorithms", "1", "key"]`.
#[derive(Clone)]
struct Place(Vec<String>);

impl Place {
    fn at(&self, step: impl ToString) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_string());
        Self(steps)
    }
}

impl Wrong {
    fn note(&mut self, place: &Place, message: impl Into<String>, kind: &'static str) {
        self.0.push(wire::Fault {
            loc: place.0.clone(),
            msg: message.into(),
            kind: kind.into(),
        });
    }

    fn missing(&mut self, place: &Place) {
        self.note(place, "field required", "value_error.missing");
    }
}

/// A view of one object of the list.
struct Object<'a> {
    map: &'a Map<String, Value>,
    place: Place,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, place: Place, wrong: &mut Wrong) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self { map, place }),
            _ => {
                wrong.note(&place, "value is not a valid dict", "type_error.dict");
                None
            }
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    fn maybe_text(&self, name: &str, max: usize, wrong: &mut Wrong) -> Option<String> {
        let place = || self.place.at(name);
        let Some(text) = text_of(self.get(name)?) else {
            wrong.note(&place(), "str type expected", "type_error.str");
            return None;
        };
        let text = text.into_owned();
        check_length(&text, max, &place, wrong);
        Some(text)
    }

    fn text(&self, name: &str, wrong: &mut Wrong) -> String {
        let text = self.maybe_text(name, NAME_MAX, wrong);
        if self.get(name).is_none() {
            wrong.missing(&self.place.at(name));
        }
        match text {
            Some(text) if text.is_empty() => {
                wrong.note(
                    &self.place.at(name),
                    "this field may not be blank",
                    "value_error.any_str.min_length",
                );
                text
            }
            other => other.unwrap_or_default(),
        }
    }

    fn version(&self, wrong: &mut Wrong) -> i64 {
        let Some(value) = self.get("version") else {
            return 1;
        };
        int_of(value).unwrap_or_else(|| {
            wrong.note(
                &self.place.at("version"),
                "value is not a valid integer",
                "type_error.integer",
            );
            1
        })
    }

    fn list(&self, name: &str, wrong: &mut Wrong) -> Option<&'a [Value]> {
        match self.get(name)? {
            Value::Array(list) => Some(list),
            _ => {
                wrong.note(
                    &self.place.at(name),
                    "value is not a valid list",
                    "type_error.list",
                );
                None
            }
        }
    }
}

fn check_length(text: &str, max: usize, place: &dyn Fn() -> Place, wrong: &mut Wrong) {
    if let Err(error) = trapline_core::result::check_text("this value", text, max) {
        wrong.note(&place(), error.message, "value_error");
    }
}

/// The labels of a map that has them only in its data, in the order of their indices.
fn labels_of(data: &[Value]) -> Vec<&Value> {
    let mut labels: Vec<_> = data
        .iter()
        .filter_map(|d| Some((int_of(d.get("index")?)?, d.get("label")?)))
        .collect();
    let complete = labels.len() == data.len();
    labels.sort_by_key(|(index, _)| *index);
    labels
        .into_iter()
        .map(|(_, label)| label)
        .filter(|_| complete)
        .collect()
}

fn category_map(value: &Value, place: Place, wrong: &mut Wrong) -> Option<CategoryMap> {
    let map = Object::of(value, place, wrong)?;
    let labels_place = map.place.at("labels");
    let data = map.list("data", wrong).unwrap_or_default();
    let list = match map.list("labels", wrong) {
        Some(list) if !list.is_empty() => list.iter().collect(),
        _ => labels_of(data),
    };
    if list.is_empty() {
        wrong.missing(&labels_place);
    }
    let mut labels = Vec::with_capacity(list.len());
    for (at, label) in list.into_iter().enumerate() {
        let place = || labels_place.at(at);
        match text_of(label) {
            Some(label) => {
                check_length(&label, NAME_MAX, &place, wrong);
                labels.push(label.into_owned());
            }
            None => wrong.note(&place(), "str type expected", "type_error.str"),
        }
    }
    Some(CategoryMap {
        labels,
        data: data.to_vec(),
        version: map.maybe_text("version", NAME_MAX, wrong),
        description: map.maybe_text("description", TEXT_MAX, wrong),
        uri: map.maybe_text("uri", TEXT_MAX, wrong),
    })
}

fn algorithm(value: &Value, place: Place, wrong: &mut Wrong) -> Option<AlgorithmSpec> {
    let object = Object::of(value, place, wrong)?;
    Some(AlgorithmSpec {
        key: object.text("key", wrong),
        version: object.version(wrong),
        name: object.text("name", wrong),
        task_type: object.maybe_text("task_type", NAME_MAX, wrong),
        description: object.maybe_text("description", TEXT_MAX, wrong),
        version_name: object.maybe_text("version_name", NAME_MAX, wrong),
        uri: object.maybe_text("uri", TEXT_MAX, wrong),
        category_map: object
            .get("category_map")
            .and_then(|map| category_map(map, object.place.at("category_map"), wrong)),
    })
}

fn pipeline(value: &Value, place: Place, wrong: &mut Wrong) -> Option<PipelineSpec> {
    let object = Object::of(value, place, wrong)?;
    let algorithms = object.list("algorithms", wrong).unwrap_or_default();
    let within = object.place.at("algorithms");
    let stages = object.list("stages", wrong).unwrap_or_default();
    Some(PipelineSpec {
        slug: object.text("slug", wrong),
        name: object.text("name", wrong),
        version: object.version(wrong),
        description: object
            .maybe_text("description", TEXT_MAX, wrong)
            .unwrap_or_default(),
        version_name: object
            .maybe_text("version_name", NAME_MAX, wrong)
            .unwrap_or_default(),
        algorithms: algorithms
            .iter()
            .enumerate()
            .filter_map(|(at, value)| algorithm(value, within.at(at), wrong))
            .collect(),
        stages: Value::Array(stages.to_vec()),
    })
}

/// The specs of a list, in its order.
fn pipelines(list: &[Value]) -> Result<Vec<PipelineSpec>, ApiError> {
    let mut wrong = Wrong::default();
    let root = Place(vec!["__root__".to_owned()]);
    let specs: Vec<_> = list
        .iter()
        .enumerate()
        .filter_map(|(at, value)| pipeline(value, root.at(at), &mut wrong))
        .collect();
    if wrong.0.is_empty() {
        return Ok(specs);
    }
    Err(ApiError::body(
        StatusCode::BAD_REQUEST,
        wire::RegistrationFaults { pipelines: wrong.0 },
    ))
}

/// Why a pipeline can't be registered, if it can't. An algorithm that is there twice, and the same, is there once.
fn fault(spec: &mut PipelineSpec) -> Option<String> {
    let mut once: Vec<AlgorithmSpec> = Vec::with_capacity(spec.algorithms.len());
    for algorithm in std::mem::take(&mut spec.algorithms) {
        match once.iter().find(|a| a.key == algorithm.key) {
            None => once.push(algorithm),
            Some(earlier) if *earlier == algorithm => {}
            Some(earlier) => {
                let (key, a, b) = (&algorithm.key, earlier.version, algorithm.version);
                let what = if a == b {
                    format!("version {a} of the algorithm `{key}` is there twice with different content")
                } else {
                    format!("the algorithm `{key}` is there in the versions {a} and {b}")
                };
                return Some(format!("{what}; results name an algorithm by its key alone"));
            }
        }
    }
    spec.algorithms = once;
    let blind = spec
        .algorithms
        .iter()
        .find(|a| a.task_type.as_deref() == Some("classification") && a.category_map.is_none())?;
    Some(format!(
        "the classification algorithm `{}` has no category_map",
        blind.key
    ))
}

fn answer(now: Timestamp, echo: Vec<Value>, done: Registered, refused: &[String]) -> Response {
    let error = (!refused.is_empty()).then(|| refused.join("; "));
    let status = match error {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let body = wire::RegistrationAnswer {
        timestamp: now.to_string(),
        success: error.is_none(),
        // What ADC prints of a 400.
        detail: error.clone(),
        error,
        pipelines: echo,
        pipelines_created: done.pipelines_created,
        pipelines_updated: done.pipelines_updated,
        algorithms_created: done.algorithms_created,
        processing_service_id: done.service.0,
    };
    (status, Json(body)).into_response()
}

async fn register(
    State(state): State<AppState>,
    principal: Principal,
    peer: Peer,
    Id(id): Id,
    mut fields: Fields,
) -> ApiResult<Response> {
    let project = projects::find(&state, &principal, id).await?;
    principal.require(Access::Work)?;
    let service_name = fields.text("processing_service_name", NAME_MAX);
    let echo = fields.maybe_list("pipelines").unwrap_or_default();
    let info = ClientInfo::take(&mut fields);
    fields.check()?;
    let mut refused = Vec::new();
    let mut specs = pipelines(&echo)?;
    specs.retain_mut(|spec| match fault(spec) {
        None => true,
        Some(why) => {
            refused.push(format!("pipeline `{}`: {why}", spec.slug));
            false
        }
    });
    let registration = Registration {
        project: project.id,
        owner: principal.project,
        service_name,
        instance: info.as_ref().and_then(|i| i.instance.clone()).unwrap_or_default(),
        endpoint_url: None,
        pipelines: specs,
    };
    let done = state.catalog.register(&registration).await?;
    state.registered(&principal, &peer, info, done.service).await?;
    Ok(answer(state.clock.now(), echo, done, &refused))
}
