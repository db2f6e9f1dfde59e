//! Handshakes that come to nothing.

use std::sync::Arc;
use std::time::Duration;

use sockets_tcp::rustls::pki_types::PrivateKeyDer;
use sockets_tcp::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use sockets_tcp::{ClientEvent, ConnectError, Reconnect, TcpClient, TcpClientBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{HANG, Trust, accept, client, listen, name, trust};

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_is_told_apart_from_one_that_is_not_there() {
    let trust = trust();
    let (_listener, address) = listen().await;
    let builder = client(address, &trust).connect_timeout(Duration::from_millis(50));
    let error = builder.connect().await.unwrap_err();
    assert!(
        matches!(error, ConnectError::HandshakeTimedOut { address: named, .. } if named == address),
        "{error:?}"
    );
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_is_overtaken_by_the_next_address() {
    let trust = trust();
    let ((_silent, silent), (listener, good)) = (listen().await, listen().await);
    let connecting = TcpClient::builder(vec![silent, good])
        .tls(Arc::clone(&trust.client), name("server.test"))
        .attempt_delay(TcpClientBuilder::MIN_ATTEMPT_DELAY)
        .connect_timeout(HANG)
        .connect();
    let (client, peer) = tokio::join!(connecting, accept(&listener, &trust));
    let client = client.unwrap();
    peer.unwrap().write_all(b"x").await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn a_close_within_the_handshake_is_final() {
    let trust = trust();
    let (listener, address) = listen().await;
    let reconnect = Reconnect::new().unlimited();
    let client = client(address, &trust).connect_timeout(HANG).reconnect(reconnect).start();
    let mut events = client.events();
    let (mut peer, _) = listener.accept().await.unwrap();
    // The handshake has begun.
    peer.read_u8().await.unwrap();
    client.close().await;
    assert_eq!(events.recv().await, Some(ClientEvent::Closed));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn garbage_and_a_reset_in_the_handshake_are_errors_that_may_pass() {
    let trust = trust();
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
        let (listener, address) = listen().await;
        let serving = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            peer.read_u8().await.unwrap();
            peer.write_all(garbage).await.unwrap();
            // With input unread, a close is a reset.
        };
        let (outcome, ()) = tokio::join!(client(address, &trust).connect(), serving);
        let error = outcome.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake { .. }), "{error:?}");
        assert!(!error.is_permanent(), "{error:?}");
    }
}

#[tokio::test]
async fn ends_that_agree_on_no_version_never_will() {
    let trust = trust();
    let (listener, address) = listen().await;
    let old = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS12]);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["server.test".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let old = old.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let old = Trust { server: Arc::new(old), ..trust };
    let new = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let connecting = TcpClient::builder(address).tls(new, name("server.test")).connect();
    let (outcome, _) = tokio::join!(connecting, accept(&listener, &old));
    let error = outcome.unwrap_err();
    assert!(error.is_permanent(), "{error:?}");
}
