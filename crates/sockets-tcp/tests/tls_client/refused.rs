//! Servers that miss a client's certificate: in TLS 1.3 the client learns of it after its handshake.

use std::sync::Arc;
use std::time::Duration;

use sockets_tcp::{ClientEvent, CloseReason, Lines, Reconnect, TlsAlert, TlsFault};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Trust, client, listen, reason, trust, wait};

/// A server that wants a certificate of its clients; they find out after their handshake.
async fn accept_known(listener: &TcpListener, trust: &Trust) -> std::io::Error {
    let (tcp, _) = listener.accept().await.unwrap();
    let accepting = TlsAcceptor::from(Arc::clone(&trust.strict)).accept(tcp);
    accepting.await.err().unwrap()
}

#[tokio::test]
async fn a_server_that_misses_a_certificate_says_so_after_the_handshake() {
    let trust = trust();
    let (listener, address) = listen().await;
    let connecting = client(address, &trust).connect();
    let (client, _) = tokio::join!(connecting, accept_known(&listener, &trust));
    let client = client.unwrap();
    let mut events = client.events();
    let mut lines = client.framed(Lines::new());
    lines.recv_frame().await.unwrap().unwrap_err();
    let failure = wait(&mut events, |event| match event {
        ClientEvent::Error { failure } => Some(failure.clone()),
        _ => None,
    })
    .await;
    assert_eq!(failure.tls(), Some(TlsFault::Alert(TlsAlert::CERTIFICATE_REQUIRED)));
    assert!(failure.text().contains("it wants a certificate and got none"), "{failure}");
    let reason = wait(&mut events, reason).await;
    assert_eq!(reason, CloseReason::TlsAlert(TlsAlert::CERTIFICATE_REQUIRED));
    assert_eq!(reason.name(), "tls-alert");
}

/// What is being sent meets the reset that follows the alert, and must not hide it.
#[tokio::test]
async fn a_server_that_misses_a_certificate_is_understood_in_the_middle_of_a_write() {
    let trust = trust();
    for _ in 0..20 {
        let (listener, address) = listen().await;
        let connecting = client(address, &trust).connect();
        let (client, _) = tokio::join!(connecting, accept_known(&listener, &trust));
        let client = client.unwrap();
        let mut events = client.events();
        while client.send(vec![7; 100_000].into()).await.is_ok() {}
        let reason = wait(&mut events, reason).await;
        assert_eq!(reason, CloseReason::TlsAlert(TlsAlert::CERTIFICATE_REQUIRED));
    }
}

#[tokio::test]
async fn a_server_that_misses_a_certificate_is_not_asked_again() {
    let trust = trust();
    let (listener, address) = listen().await;
    let quick = Reconnect::new().base(Duration::from_millis(1)).unlimited();
    let client = client(address, &trust).reconnect(quick).start();
    let mut events = client.events();
    accept_known(&listener, &trust).await;
    let (attempts, permanent, failure) = wait(&mut events, |event| match event {
        ClientEvent::GaveUp { attempts, permanent, failure, .. } => {
            Some((*attempts, *permanent, failure.clone()))
        }
        _ => None,
    })
    .await;
    assert_eq!((attempts, permanent), (0, true), "{failure}");
    assert_eq!(failure.tls(), Some(TlsFault::Alert(TlsAlert::CERTIFICATE_REQUIRED)));
}
