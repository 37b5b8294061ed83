//! A candidate as a message: Antenna's fields, which operators' tools read, and beside them run and delivery.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use trapline_core::{CaptureId, Error, JobId, Result, ports::Candidate};

#[derive(Serialize, Deserialize)]
struct Message {
    id: String,
    image_id: String,
    run: i64,
    delivery: i64,
}

pub(super) fn encode(candidate: &Candidate) -> Result<Bytes> {
    let capture = candidate.capture.to_string();
    let message = Message {
        id: capture.clone(),
        image_id: capture,
        run: candidate.run,
        delivery: candidate.delivery,
    };
    let json = serde_json::to_vec(&message)
        .map_err(|e| Error::internal("a candidate can't be written as JSON").with_source(e))?;
    Ok(json.into())
}

/// `None` if it is no message of ours.
pub(super) fn decode(payload: &[u8]) -> Option<Candidate> {
    let message: Message = serde_json::from_slice(payload).ok()?;
    Some(Candidate {
        capture: CaptureId(message.image_id.parse().ok()?),
        run: message.run,
        delivery: message.delivery,
    })
}

/// Names one offer of a task: the broker drops a second message of this name, and a task offered anew has another.
pub(super) fn name(job: JobId, candidate: &Candidate) -> String {
    format!(
        "{job}.{}.{}.{}",
        candidate.run, candidate.capture, candidate.delivery
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_survives_the_wire_and_what_is_not_ours_is_none() {
        let candidate = Candidate {
            capture: CaptureId(7),
            run: 2,
            delivery: 3,
        };
        let json = encode(&candidate).unwrap();
        assert_eq!(
            std::str::from_utf8(&json).unwrap(),
            r#"{"id":"7","image_id":"7","run":2,"delivery":3}"#
        );
        assert_eq!(decode(&json), Some(candidate));
        for foreign in [
            &b"not json"[..],
            b"{}",
            br#"{"id":"4","image_id":"4","image_url":"https://x","reply_subject":null}"#,
            br#"{"id":"x","image_id":"x","run":1,"delivery":0}"#,
            b"\xff",
        ] {
            assert_eq!(decode(foreign), None);
        }
    }
}
