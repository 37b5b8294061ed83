//! The pages behind a proxy that ends TLS.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use trapline_testkit::Server;

use super::{BINARY, browser::Browser, half_done};

/// A certificate of `localhost` that nobody has signed, and its key.
const CERTIFICATE: &[u8] = include_bytes!("vendor/localhost.pem");

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// Hands on what comes over TLS.
fn proxy(listener: TcpListener, to: SocketAddr) -> impl Future<Output = ()> {
    let acceptor = acceptor();
    async move {
        let mut connections = JoinSet::new();
        while let Ok((from, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                // A browser opens connections that it doesn't use.
                let Ok(mut from) = acceptor.accept(from).await else {
                    return;
                };
                let Ok(mut to) = TcpStream::connect(to).await else {
                    return;
                };
                copy_bidirectional(&mut from, &mut to).await.ok();
            });
        }
    }
}

#[tokio::test]
async fn over_tls_a_session_is_for_tls_alone_and_pages_work_as_without() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let settings = [("TRAPLINE_PUBLIC_URL", public.as_str())];
    let server = Server::start(Path::new(BINARY), folder.path(), &settings).await;
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let mut proxying = JoinSet::new();
    proxying.spawn(proxy(listener, address));
    let (job, held) = half_done(&server).await;

    let browser = Browser::start(&public).await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.sign_in().await;
    browser.shows("h1", "June night").await;
    let cookies = browser.cdp("Network.getCookies", json!({})).await["cookies"].clone();
    let cookies = cookies.as_array().unwrap();
    assert!(cookies.iter().any(|cookie| cookie["name"] == "tz"), "{cookies:?}");
    assert!(
        cookies.iter().all(|cookie| cookie["secure"] == true),
        "{cookies:?}"
    );
    let session = cookies.iter().find(|cookie| cookie["httpOnly"] == true).unwrap();
    assert!(
        session["name"].as_str().unwrap().starts_with("__Host-trapline"),
        "{session}"
    );
    assert_eq!(
        (&session["secure"], &session["path"], &session["sameSite"]),
        (&json!(true), &json!("/"), &json!("Lax"))
    );

    // The stream and a form pass too.
    browser.mark().await;
    let done = trapline_testkit::empty_result(&held, "moths");
    let path = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&path, &json!({ "results": [done] })).await;
    browser.shows(".sentence", "2 of 4 processed").await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.press("Stop").await;
    browser.press("button.primary").await;
    browser.shows("[data-f=word]", "Stopped, 2 not done").await;
    browser.press("header button").await;
    browser.shows("h1", "Sign in").await;
    browser.end().await;
}
