//! `trapline job explain`: the sentence, then the evidence.

use serde_json::Value;

use super::{
    super::{
        client::Query,
        exit::{CliResult, Exit},
        output::{self, clean, outline},
    },
    Context, JobId,
};

pub(super) async fn run(context: &Context, id: &JobId) -> CliResult {
    let mut body: Value = context
        .client
        .get(&format!("{}explain/", id.path()), &Query::new())
        .await?;
    if context.json {
        output::json(&body)?;
        return Ok(Exit::Done);
    }
    if let Value::Object(fields) = &mut body
        && let Some(Value::String(sentence)) = fields.remove("sentence")
    {
        output::line(clean(&sentence))?;
    }
    output::line(outline(&body, 2).trim_end())?;
    Ok(Exit::Done)
}
