//! Where the servers are, and who we are to them.

use std::path::Path;

use async_nats::{ConnectOptions, ServerAddr};
use trapline_core::{Error, Result};

/// Reads one address or several, separated by commas.
pub(crate) fn addresses(url: &str) -> Result<Vec<ServerAddr>> {
    url.split(',')
        .map(|one| {
            // The text is not quoted: it may hold a password.
            let address = one
                .trim()
                .parse::<ServerAddr>()
                .map_err(|e| Error::field("nats_url", "the URL of NATS is malformed").with_source(e))?;
            if address.host().is_empty() {
                return Err(Error::field("nats_url", "the URL of NATS names no host"));
            }
            Ok(address)
        })
        .collect()
}

/// Who we are: by a file of credentials, else by the first address that names a user and a password, or a token. The client
/// reads none of them from an address by itself. A file is read once; a node takes a renewed one when it starts again.
pub(crate) async fn identity(servers: &[ServerAddr], credentials: Option<&Path>) -> Result<ConnectOptions> {
    if let Some(file) = credentials {
        return ConnectOptions::with_credentials_file(file).await.map_err(|e| {
            let text = format!("the credentials in `{}` can't be used", file.display());
            Error::field("queue_credentials", text).with_source(e)
        });
    }
    let named = servers
        .iter()
        .find_map(|s| Some((decoded(s.username()?), s.password().map(decoded))));
    Ok(match named {
        Some((user, Some(password))) => ConnectOptions::with_user_and_password(user, password),
        Some((token, None)) => ConnectOptions::with_token(token),
        None => ConnectOptions::new(),
    })
}

/// Undoes the escapes of a URL; what is no escape stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_escapes_is_read_and_what_is_no_escape_stays() {
        assert_eq!(decoded("p%40ss%2Fw%C3%B6rd"), "p@ss/w\u{f6}rd");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%é"), "%zz%é");
    }

    #[tokio::test]
    async fn a_file_of_credentials_that_is_not_there_is_named() {
        let file = Path::new("/nowhere/at-all.creds");
        let refused = identity(&[], Some(file)).await.unwrap_err();
        assert!(refused.message.contains("/nowhere/at-all.creds"), "{refused}");
    }
}
