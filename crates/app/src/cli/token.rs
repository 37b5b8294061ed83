//! `trapline token`: tokens over HTTP, and the first one on the store itself.
//!
//! A secret is printed once, alone on standard output, so that a script can take it.

use std::sync::Arc;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::json;
use trapline_core::{Clock, ProjectId, Timestamp, catalog::Role, words::when};
use trapline_engine::SystemClock;
use trapline_wire as wire;

use super::{
    answer::Answer,
    client::{Query, ServerArgs},
    exit::{CliError, CliResult, Exit},
    output::{self, Table, ago, clean},
    signals::interruptible,
};
use crate::{
    http::{auth, tokens::with_secret},
    wiring,
};

/// Make, list and revoke tokens
#[derive(Args)]
pub struct TokenArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make a token and print its secret, this once
    Create(NewTokenArgs),
    /// List the tokens, without their secrets
    List,
    /// Revoke a token: nobody gets in with it from now on
    Revoke {
        /// Its id, as `trapline token list` shows it
        id: i64,
    },
    /// Print a link that signs a browser in with a token, once and within 5 minutes
    Link {
        /// Its id, as `trapline token list` shows it
        id: i64,
    },
}

/// What a new token is to be.
#[derive(Args)]
pub struct NewTokenArgs {
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// What it may do
    #[arg(long, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::as_str)))]
    pub role: String,
    /// Bind it to this project
    #[arg(long, value_name = "ID")]
    pub project: Option<i64>,
    /// When it ends, as ISO 8601; a time without an offset is UTC
    #[arg(long, value_name = "TIME", value_parser = |text: &str| Timestamp::parse(text).map_err(|e| e.message))]
    pub expires_at: Option<Timestamp>,
    /// Make it in this store (a path, `sqlite:PATH` or `postgres://…`), without a server
    #[arg(long, value_name = "DATABASE")]
    pub database: Option<String>,
}

impl TokenArgs {
    /// Runs it.
    pub async fn run(self) -> CliResult {
        interruptible(self.act()).await
    }

    async fn act(&self) -> CliResult {
        match &self.command {
            TokenCommand::Create(new) => self.create(new).await,
            TokenCommand::List => self.list().await,
            TokenCommand::Revoke { id } => self.revoke(*id).await,
            TokenCommand::Link { id } => self.link(*id).await,
        }
    }

    async fn create(&self, new: &NewTokenArgs) -> CliResult {
        let made = match &new.database {
            Some(database) => create_in_store(database, new).await?,
            None => {
                let body = wire::NewToken {
                    name: &new.name,
                    role: &new.role,
                    project_id: new.project,
                    expires_at: new.expires_at.map(|at| at.to_string()),
                };
                self.server
                    .client()?
                    .post("tokens/", &Query::new(), &body)
                    .await?
            }
        };
        if self.server.json {
            output::json(&made)?;
            return Ok(Exit::Done);
        }
        let secret = made.token.as_ref().ok_or_else(|| {
            CliError::Unreachable("the server made a token and does not say its secret".to_owned())
        })?;
        output::line(secret)?;
        output::note(format_args!(
            "token {} `{}`, {}; its secret is shown this once",
            made.id,
            clean(&made.name),
            clean(&made.role)
        ));
        Ok(Exit::Done)
    }

    async fn list(&self) -> CliResult {
        let client = self.server.client()?;
        let pages = client.pages::<Answer<wire::Token>>("tokens/", Query::new(), None);
        let rows = pages.all().await?;
        if self.server.json {
            output::json(&rows)?;
            return Ok(Exit::Done);
        }
        if rows.is_empty() {
            output::note("there is no token");
            return Ok(Exit::Done);
        }
        let now = SystemClock::new().now();
        Table::new(&[
            "ID", "NAME", "ROLE", "PROJECT", "PREFIX", "CREATED", "USED", "EXPIRES",
        ])
        .page(rows.iter().map(|token| row(token, now)).collect())?;
        Ok(Exit::Done)
    }

    async fn revoke(&self, id: i64) -> CliResult {
        self.server.client()?.delete(&format!("tokens/{id}/")).await?;
        if self.server.json {
            output::json(&json!({ "id": id, "revoked": true }))?;
        } else {
            output::note(format_args!("token {id} is revoked"));
        }
        Ok(Exit::Done)
    }

    async fn link(&self, id: i64) -> CliResult {
        let client = self.server.client()?;
        let path = format!("tokens/{id}/link/");
        let made: Answer<wire::SignInLink> = client.post(&path, &Query::new(), &json!({})).await?;
        if self.server.json {
            output::json(&made)?;
            return Ok(Exit::Done);
        }
        output::line(clean(&made.url))?;
        output::note("it signs in once, and within 5 minutes");
        Ok(Exit::Done)
    }
}

fn row(token: &wire::Token, now: Timestamp) -> Vec<String> {
    let expires = match token.expires_at.as_deref().map(|at| (at, Timestamp::parse(at))) {
        None => "never".to_owned(),
        Some((_, Ok(at))) if at <= now => format!("ended {}", when(at, now)),
        Some((_, Ok(at))) => when(at, now),
        Some((text, Err(_))) => clean(text),
    };
    vec![
        token.id.to_string(),
        clean(&token.name),
        clean(&token.role),
        token.project_id.map_or("all".to_owned(), |id| id.to_string()),
        clean(&token.prefix),
        ago(token.created_at.as_str(), now).unwrap_or_default(),
        ago(token.used_at.as_deref(), now).unwrap_or_else(|| "never".to_owned()),
        expires,
    ]
}

/// Makes a token in a store, beside a server that may be running, with the body that it would answer.
async fn create_in_store(database: &str, new: &NewTokenArgs) -> CliResult<Answer<wire::Token>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = wiring::open_store(database, clock).await?;
    let role = Role::parse(&new.role).ok_or_else(|| CliError::Usage(format!("`{}` is no role", new.role)))?;
    let project = new.project.map(ProjectId);
    if let Some(id) = project
        && store.project(id).await?.is_none()
    {
        return Err(CliError::Usage(format!(
            "there is no project {id} in `{database}`"
        )));
    }
    let (token, secret) = auth::mint(store.as_ref(), &new.name, role, project, new.expires_at).await?;
    Ok(Answer::try_from(json!(with_secret(token, secret)))?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_says_where_it_works_when_it_was_used_and_until_when() {
        let now = Timestamp(1_800_000_000_000_000);
        let day = Duration::from_secs(86_400);
        let token = |project_id: Option<i64>, expires: Option<Timestamp>, used: Option<Timestamp>| {
            let token = wire::Token {
                id: 1_234,
                name: "gpu".to_owned(),
                role: "worker".into(),
                project_id,
                prefix: "abcd1234".to_owned(),
                created_at: now.minus(3 * day).to_string(),
                expires_at: expires.map(|at| at.to_string()),
                used_at: used.map(|at| at.to_string()),
                token: None,
            };
            row(&token, now).join("|")
        };
        assert_eq!(
            token(None, None, None),
            "1234|gpu|worker|all|abcd1234|3 days ago|never|never"
        );
        assert_eq!(
            token(Some(2), Some(now.plus(10 * day)), Some(now.minus(2 * day))),
            "1234|gpu|worker|2|abcd1234|3 days ago|2 days ago|in 10 days"
        );
        assert_eq!(
            token(Some(2), Some(now.minus(5 * day)), Some(now)),
            "1234|gpu|worker|2|abcd1234|3 days ago|just now|ended 5 days ago"
        );
    }
}
