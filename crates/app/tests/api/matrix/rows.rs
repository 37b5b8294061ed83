//! Every route, and what a token of another project gets of it.

/// What a stranger gets who asks with the numbers of another project's things.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stranger {
    /// 404, as for what does not exist.
    NotThere,
    /// 400, as for what does not exist.
    Invalid,
    /// 403, for whoever is bound to a project.
    Forbidden,
    /// Its own, which holds nothing of the other project.
    Own,
}
pub(super) use Stranger::{Forbidden, Invalid, NotThere, Own};

/// A route, what is sent to it, and what a stranger gets. `{x}` in path and body is the number of a thing of project 1.
pub(super) type Row = (&'static str, &'static str, &'static str, Stranger);

/// Rows that change or remove what later rows need come last.
pub(super) const ROWS: &[Row] = &[
    ("GET", "/projects", "", Own),
    ("POST", "/projects", r#"{"name": "p"}"#, Forbidden),
    ("GET", "/projects/{project}", "", NotThere),
    ("PATCH", "/projects/{project}", r#"{"name": "p"}"#, Forbidden),
    ("GET", "/projects/{project}/pipelines", "", NotThere),
    (
        "POST",
        "/projects/{project}/pipelines",
        r#"{"processing_service_name": "fleet", "pipelines": []}"#,
        NotThere,
    ),
    ("GET", "/ml/pipelines", "", Own),
    ("GET", "/ml/pipelines?project_id={project}", "", Invalid),
    ("GET", "/ml/pipelines/{pipeline}", "", NotThere),
    ("GET", "/ml/algorithms/{algorithm}", "", NotThere),
    ("GET", "/ml/labels/{labels}", "", NotThere),
    ("GET", "/ml/processing_services?project_id={project}", "", Invalid),
    (
        "POST",
        "/ml/processing_services",
        r#"{"name": "s", "project": {project}}"#,
        Invalid,
    ),
    ("GET", "/ml/processing_services/{service}", "", NotThere),
    ("GET", "/ml/processing_services/{service}/status", "", NotThere),
    ("GET", "/captures/{capture}", "", NotThere),
    ("GET", "/captures/collections", "", Own),
    (
        "POST",
        "/captures/collections",
        r#"{"name": "s", "project_id": {project}}"#,
        Invalid,
    ),
    ("GET", "/captures/collections/{set}", "", NotThere),
    (
        "POST",
        "/captures/collections/{set}/captures",
        r#"{"url": "https://more.test/1.jpg"}"#,
        NotThere,
    ),
    ("GET", "/tokens", "", Forbidden),
    ("POST", "/tokens", r#"{"name": "t", "role": "viewer"}"#, Forbidden),
    ("POST", "/tokens/{token}/link", "", Forbidden),
    ("DELETE", "/tokens/{token}", "", Forbidden),
    ("GET", "/users/me", "", Own),
    ("GET", "/health/ticks", "", Forbidden),
    ("POST", "/health/check?dry_run=1", "{}", Forbidden),
    ("GET", "/events?topics=health&once", "", Forbidden),
    ("GET", "/workers", "", Own),
    ("GET", "/workers/{worker}", "", NotThere),
    ("GET", "/jobs", "", Own),
    ("GET", "/jobs?project_id={project}", "", Invalid),
    ("GET", "/jobs?pipeline={pipeline}", "", Own),
    ("GET", "/jobs?ids_only=1&pipeline__slug__in=moths", "", Own),
    ("GET", "/jobs/next?pipeline__slug__in=moths", "", Own),
    (
        "POST",
        "/jobs/preflight",
        r#"{"name": "j", "delay": 0, "project_id": {project}}"#,
        Invalid,
    ),
    (
        "POST",
        "/jobs",
        r#"{"name": "j", "delay": 0, "project_id": {project}, "pipeline_slug": "moths"}"#,
        Invalid,
    ),
    (
        "POST",
        "/tasks/claim",
        r#"{"pipelines": ["moths"], "batch_size": 1}"#,
        Own,
    ),
    ("GET", "/jobs/{job}", "", NotThere),
    ("GET", "/jobs/{job}/explain", "", NotThere),
    ("GET", "/jobs/{job}/images", "", NotThere),
    ("GET", "/jobs/{job}/images/{capture}", "", NotThere),
    ("GET", "/jobs/{job}/failures", "", NotThere),
    ("GET", "/jobs/{job}/timeline", "", NotThere),
    ("GET", "/jobs/{job}/summary", "", NotThere),
    ("GET", "/jobs/{job}/results", "", NotThere),
    ("GET", "/jobs/{job}/logs", "", NotThere),
    ("POST", "/jobs/{job}/tasks", r#"{"batch_size": 1}"#, NotThere),
    (
        "POST",
        "/jobs/{job}/leases",
        r#"{"extend": ["{receipt}"]}"#,
        NotThere,
    ),
    (
        "POST",
        "/jobs/{job}/result",
        r#"{"results": [{"reply_subject": "{receipt}", "result": {"error": "x"}}]}"#,
        NotThere,
    ),
    ("PATCH", "/jobs/{job}", r#"{"name": "renamed"}"#, NotThere),
    ("PUT", "/jobs/{job}", r#"{"name": "renamed"}"#, NotThere),
    ("POST", "/jobs/{job}/run", "", NotThere),
    ("POST", "/jobs/{job}/cancel", "", NotThere),
    ("POST", "/jobs/{job}/retry", "", NotThere),
    ("POST", "/jobs/{job}/retry-failed", "", NotThere),
    ("POST", "/workers/{worker}/drain", "", NotThere),
    ("POST", "/workers/{worker}/resume", "", NotThere),
    ("DELETE", "/jobs/{job}", "", NotThere),
    ("DELETE", "/ml/processing_services/{service}", "", NotThere),
];
