//! Registration: tells each project what this worker can process, at the start and as a heartbeat.
//!
//! A project that refuses is skipped with a log line, as a token often sees more projects than it may
//! register in. That none takes the registration is an error, but only at the start: later it may pass.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use super::worker::{Shared, WorkerError};
use crate::backoff::Backoff;
use crate::client::ApiError;
use crate::http;
use crate::time;
use crate::wire::{PipelineConfig, Registration};

/// Registers, waiting for the server as long as it is away.
pub(super) async fn register_first(shared: &Shared) -> Result<(), WorkerError> {
    let mut told = HashSet::new();
    let mut backoff = Backoff::new(shared.config.retry_first, shared.config.retry_longest);
    loop {
        match register_everywhere(shared, &mut told).await {
            Ok(()) => {
                shared.note_online();
                return Ok(());
            }
            Err(RegisterError::Fatal(error)) => return Err(error),
            Err(RegisterError::Passing(error)) => {
                shared.note_failure("register", &error);
                time::sleep(backoff.after_failure(error.retry_after())).await;
            }
        }
    }
}

/// Registers again and again until the token is cancelled.
pub(super) async fn heartbeat_loop(shared: &Shared, done: &CancellationToken) -> Result<(), WorkerError> {
    let mut told = HashSet::new();
    while done
        .run_until_cancelled(time::sleep(shared.config.heartbeat))
        .await
        .is_some()
    {
        let beat = done
            .run_until_cancelled(register_everywhere(shared, &mut told))
            .await;
        match beat {
            Some(Err(RegisterError::Fatal(error @ WorkerError::TokenRefused(_)))) => return Err(error),
            Some(Err(RegisterError::Fatal(error))) => {
                tracing::warn!(%error, "every project refused the heartbeat")
            }
            Some(Err(RegisterError::Passing(error))) => {
                shared.note_failure("heartbeat", &error);
            }
            Some(Ok(())) => shared.note_online(),
            None => {}
        }
    }
    Ok(())
}

enum RegisterError {
    Fatal(WorkerError),
    Passing(ApiError),
}

impl From<ApiError> for RegisterError {
    fn from(error: ApiError) -> Self {
        let is_the_servers = error.is_the_servers();
        match error {
            ApiError::Refused { status, detail, .. } if status.as_u16() == 401 && is_the_servers => {
                Self::Fatal(WorkerError::TokenRefused(detail))
            }
            ApiError::Refused { .. } => Self::Fatal(WorkerError::NoProject(http::chain(&error))),
            error => Self::Passing(error),
        }
    }
}

/// One round over all projects. `told` are the projects whose refusal has been logged.
async fn register_everywhere(shared: &Shared, told: &mut HashSet<i64>) -> Result<(), RegisterError> {
    let projects = projects(shared).await?;
    let mut registered = 0;
    let mut refusal = None;
    for &project_id in &projects {
        let error = match register_in(shared, project_id).await {
            Ok(()) => {
                registered += 1;
                continue;
            }
            Err(error) => error,
        };
        let Some(status) = error.refusal().filter(|status| status.as_u16() != 401) else {
            return Err(error.into());
        };
        if told.insert(project_id) {
            tracing::warn!(project_id, %error, "the project does not take the registration");
        }
        // A 400 is about the pipelines that it names; the others are registered.
        if status.as_u16() == 400 {
            registered += 1;
        }
        refusal = Some(error);
    }
    match refusal {
        _ if registered > 0 => Ok(()),
        Some(error) => Err(error.into()),
        None => Err(RegisterError::Fatal(WorkerError::NoProject(
            "the token sees no project".to_owned(),
        ))),
    }
}

async fn projects(shared: &Shared) -> Result<Vec<i64>, ApiError> {
    if !shared.config.projects.is_empty() {
        return Ok(shared.config.projects.clone());
    }
    Ok(shared
        .api
        .projects()
        .await?
        .into_iter()
        .map(|project| project.id)
        .collect())
}

async fn register_in(shared: &Shared, project_id: i64) -> Result<(), ApiError> {
    let service_name = shared.config.service_name();
    let pipelines: &[PipelineConfig] = &shared.registration;
    let registration = Registration {
        processing_service_name: &service_name,
        pipelines,
        client_info: &shared.config.client_info,
    };
    let answer = shared.api.register(project_id, &registration).await?;
    if !answer.pipelines_created.is_empty() {
        tracing::info!(project_id, new = ?answer.pipelines_created, "pipelines registered");
    }
    Ok(())
}
