//! The receipt: the opaque, signed lease token (`reply_subject` on the wire). It names job, run, task, delivery,
//! worker and time of the hand-out, so that a worker can acknowledge nothing that it was not handed.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{CaptureId, JobId, Timestamp, WorkerId, plan::TaskKey, ports::GrantKey};

const PREFIX: &str = "tl1.";
const FIELDS: usize = 6;
const MAC_BYTES: usize = 16;

/// What a receipt names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The job.
    pub job: JobId,
    /// The job's run.
    pub run: i64,
    /// The task.
    pub capture: CaptureId,
    /// Which hand-out of the task, from 1.
    pub delivery: i64,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// The time of the hand-out, in store time.
    pub granted_at: Timestamp,
}

impl Receipt {
    /// The key of its task.
    #[must_use]
    pub fn task(&self) -> TaskKey {
        (self.job, self.capture)
    }

    /// Returns the key of its grant.
    #[must_use]
    pub fn grant(&self) -> GrantKey {
        GrantKey {
            job: self.job,
            worker: self.worker,
            granted_at: self.granted_at,
        }
    }
}

/// The key that signs receipts, kept in the store so that every node and every restart has the same.
#[derive(Clone)]
pub struct ReceiptKey([u8; 32]);

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptKey(..)")
    }
}

impl ReceiptKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Writes a receipt.
    #[must_use]
    pub fn sign(&self, r: &Receipt) -> String {
        let mut bytes = Vec::with_capacity(FIELDS * 8 + MAC_BYTES);
        for field in [
            r.job.0,
            r.run,
            r.capture.0,
            r.delivery,
            r.worker.0,
            r.granted_at.0,
        ] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        let mac = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }

    /// Reads a receipt; `None` if this key did not sign it. Compares in constant time.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<Receipt> {
        let bytes = BASE64.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (body, mac) = bytes.split_at_checked(FIELDS * 8)?;
        if mac.len() != MAC_BYTES {
            return None;
        }
        self.mac(body).verify_truncated_left(mac).ok()?;
        let field = |at: usize| body[at * 8..][..8].try_into().map(i64::from_be_bytes).ok();
        Some(Receipt {
            job: JobId(field(0)?),
            run: field(1)?,
            capture: CaptureId(field(2)?),
            delivery: field(3)?,
            worker: WorkerId(field(4)?),
            granted_at: Timestamp(field(5)?),
        })
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_receipt_reads_back_and_no_changed_character_does(
            job: i64, run: i64, capture: i64, delivery: i64, at in 0usize..80, with in "[A-Za-z0-9_-]",
        ) {
            let key = ReceiptKey::new([7; 32]);
            let receipt = Receipt {
                job: JobId(job), run, capture: CaptureId(capture), delivery, worker: WorkerId(3), granted_at: Timestamp(9),
            };
            let text = key.sign(&receipt);
            prop_assert_eq!(key.verify(&text), Some(receipt));
            prop_assert_eq!(ReceiptKey::new([8; 32]).verify(&text), None);
            let mut forged = text.clone();
            forged.replace_range(PREFIX.len() + at..=PREFIX.len() + at, &with);
            if forged != text {
                prop_assert_eq!(key.verify(&forged), None);
            }
        }
    }
}
