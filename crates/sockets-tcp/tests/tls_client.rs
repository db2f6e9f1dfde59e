//! A client's TLS over real sockets on loopback: whom it trusts, and what fails in which way.
#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "loopback/address.rs"]
mod address;
#[path = "tls_client/handshake.rs"]
mod handshake;
#[path = "tls_client/last_bytes.rs"]
mod last_bytes;
#[path = "tls_client/refused.rs"]
mod refused;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sockets_tcp::rustls::pki_types::{PrivateKeyDer, ServerName};
use sockets_tcp::rustls::server::WebPkiClientVerifier;
use sockets_tcp::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use sockets_tcp::{
    ClientEvent, ClientRecvError, CloseReason, ConnectError, Events, Lines, QueuePolicy, Reconnect,
    TcpClient, TcpClientBuilder, TlsFault,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Only there to turn a hang into a failure.
const HANG: Duration = Duration::from_mins(1);

/// A server's certificate, and a client's trust in it.
struct Trust {
    server: Arc<ServerConfig>,
    /// It wants a certificate of its clients, too.
    strict: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn trust_with(set_up: impl FnOnce(&mut rcgen::CertificateParams)) -> Trust {
    let mut params = rcgen::CertificateParams::new(vec!["server.test".to_owned()]).unwrap();
    set_up(&mut params);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let known = WebPkiClientVerifier::builder(Arc::new(roots.clone())).build().unwrap();
    let strict = ServerConfig::builder().with_client_cert_verifier(known);
    let server = ServerConfig::builder().with_no_client_auth();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Trust {
        strict: Arc::new(
            strict.with_single_cert(vec![certificate.clone()], key.clone_key()).unwrap(),
        ),
        server: Arc::new(server.with_single_cert(vec![certificate], key).unwrap()),
        client: Arc::new(client),
    }
}

fn trust() -> Trust {
    trust_with(|_| {})
}

fn name(name: &'static str) -> ServerName<'static> {
    ServerName::try_from(name).unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address::any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener, trust: &Trust) -> std::io::Result<TlsStream<TcpStream>> {
    let (tcp, _) = listener.accept().await.unwrap();
    TlsAcceptor::from(Arc::clone(&trust.server)).accept(tcp).await
}

fn client(address: SocketAddr, trust: &Trust) -> TcpClientBuilder {
    TcpClient::builder(address).tls(Arc::clone(&trust.client), name("server.test"))
}

async fn pair(trust: &Trust) -> (TcpClient, TlsStream<TcpStream>) {
    let (listener, address) = listen().await;
    let connecting = client(address, trust).connect();
    let (client, peer) = tokio::join!(connecting, accept(&listener, trust));
    (client.unwrap(), peer.unwrap())
}

async fn wait<T>(
    events: &mut Events<ClientEvent>,
    mut pick: impl FnMut(&ClientEvent) -> Option<T>,
) -> T {
    tokio::time::timeout(HANG, async {
        loop {
            let event = events.recv().await.unwrap();
            assert!(!matches!(event, ClientEvent::Lagged { .. }), "missed");
            if let Some(picked) = pick(&event) {
                return picked;
            }
        }
    })
    .await
    .unwrap()
}

fn reason(event: &ClientEvent) -> Option<CloseReason> {
    match event {
        ClientEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn frames_go_both_ways_and_both_ends_are_in_order() {
    let (client, mut peer) = pair(&trust()).await;
    let mut events = client.events();
    let mut lines = client.framed(Lines::new());
    lines.send_frame("ping").await.unwrap();
    lines.inner().finish().await.unwrap();
    let mut received = String::new();
    peer.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "ping\n");
    peer.write_all(b"pong\n").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(lines.recv_frame().await.unwrap().unwrap(), "pong");
    assert!(lines.recv_frame().await.is_none());
    // Whose end is counted as the first one is not what this is about.
    let reason = wait(&mut events, reason).await;
    assert!(matches!(reason, CloseReason::PeerClosed | CloseReason::Local), "{reason}");
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_a_permanent_error_that_says_why() {
    let trusted = trust();
    let stranger = trust_with(|params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "a stranger");
    });
    let expired = trust_with(|params| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let early = trust_with(|params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
        params.not_after = rcgen::date_time_ymd(4001, 1, 1);
    });
    let authority = trust_with(|params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    for (fault, server, client, server_name, said) in [
        (TlsFault::UnknownIssuer, &stranger, &trusted, "server.test", "signed by nobody who is"),
        (TlsFault::WrongName, &trusted, &trusted, "other.test", "is for server.test, not for oth"),
        (TlsFault::Expired, &expired, &expired, "server.test", "expired at 2001-01-01 00:00:00 U"),
        (TlsFault::NotYetValid, &early, &early, "server.test", "not valid before 4000-01-01 00:0"),
        (TlsFault::IsAuthority, &authority, &authority, "server.test", "that of an authority"),
    ] {
        let case = format!("{fault:?}");
        let (listener, address) = listen().await;
        let connecting = TcpClient::builder(address)
            .tls(Arc::clone(&client.client), name(server_name))
            .connect();
        let (outcome, _) = tokio::join!(connecting, accept(&listener, server));
        let error = outcome.unwrap_err();
        assert!(error.is_permanent(), "{case}: {error:?}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let ConnectError::Certificate { server_name: named, source, .. } = error else {
            panic!("{case}: {error:?}")
        };
        assert_eq!(named, server_name);
        assert_eq!(source.fault(), fault);
        assert!(matches!(source.rustls(), rustls::Error::InvalidCertificate(_)), "{case}");
        assert!(source.to_string().contains(said), "{case}: {source}");
    }
}

/// How often a client with this policy tried, before it gave up on a certificate.
async fn tries(policy: Reconnect) -> (u32, u32) {
    let (server, stranger) = (trust(), trust());
    let (listener, address) = listen().await;
    let client = client(address, &stranger).reconnect(policy).start();
    let mut events = client.events();
    let mut accepted = 0;
    let serving = async {
        loop {
            accepted += 1;
            accept(&listener, &server).await.unwrap_err();
        }
    };
    let attempts = tokio::select! {
        attempts = wait(&mut events, |event| match event {
            ClientEvent::GaveUp { attempts, permanent, failure, .. } => {
                assert_eq!(*permanent, *attempts == 0, "{failure}");
                assert_eq!(failure.tls(), Some(TlsFault::UnknownIssuer), "{failure}");
                Some(*attempts)
            }
            _ => None,
        }) => attempts,
        () = serving => unreachable!(),
    };
    let errors = client.stats().snapshot().totals().errors;
    assert_eq!(errors.count(stats::ErrorKind::Connect), u64::from(attempts) + 1);
    // Counted before each accept: the last one may wait in vain.
    (attempts, accepted)
}

#[tokio::test]
async fn a_certificate_is_not_asked_for_again_and_again_unless_told_so() {
    let quick = Reconnect::new().base(Duration::from_millis(1)).limit(2).seed(1);
    let (attempts, accepted) = tries(quick).await;
    assert_eq!(attempts, 0);
    assert!(accepted <= 2, "{accepted}");
    let (attempts, _) = tries(quick.retry_permanent(true)).await;
    assert_eq!(attempts, 2);
}

#[tokio::test]
async fn an_end_without_that_of_tls_is_no_proper_end() {
    let (client, mut peer) = pair(&trust()).await;
    let mut events = client.events();
    peer.write_all(b"whole\n").await.unwrap();
    let (tcp, _) = peer.into_inner();
    drop(tcp);
    let mut lines = client.framed(Lines::new());
    assert_eq!(lines.recv_frame().await.unwrap().unwrap(), "whole");
    assert!(lines.recv_frame().await.unwrap().is_err(), "the stream may be cut short");
    assert!(lines.recv_frame().await.is_none());
    let reason = wait(&mut events, reason).await;
    assert_eq!(reason, CloseReason::TlsFailed);
}

#[tokio::test]
async fn a_download_without_the_end_of_tls_is_not_taken_for_whole() {
    let (client, mut peer) = pair(&trust()).await;
    peer.write_all(b"half of").await.unwrap();
    let (tcp, _) = peer.into_inner();
    drop(tcp);
    assert_eq!(client.recv().await.unwrap().unwrap(), "half of");
    let error = client.recv().await.unwrap_err();
    let ClientRecvError::Broken { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn what_is_kept_goes_over_to_the_next_session() {
    const MESSAGE: usize = 64 * 1024;
    const MESSAGES: usize = 256;
    let trust = trust();
    let (listener, address) = listen().await;
    let quick = Reconnect::new().base(Duration::from_millis(1)).unlimited();
    let connecting = client(address, &trust)
        .reconnect(quick)
        .across_reconnect(QueuePolicy::Keep)
        .queue_bytes(MESSAGE * MESSAGES)
        .connect();
    let (client, first) = tokio::join!(connecting, accept(&listener, &trust));
    let (client, first) = (client.unwrap(), first.unwrap());
    let mut events = client.events();
    for number in 0..MESSAGES {
        client.send(vec![number as u8; MESSAGE].into()).await.unwrap();
    }
    drop(first);
    let kept = wait(&mut events, |event| match event {
        ClientEvent::Kept { messages, bytes } => Some((*messages, *bytes)),
        _ => None,
    })
    .await;
    let mut second = accept(&listener, &trust).await.unwrap();
    let mut received = Vec::new();
    let (finished, read) = tokio::join!(client.finish(), second.read_to_end(&mut received));
    finished.unwrap();
    read.unwrap();
    assert_eq!(received.len(), kept.1);
    for (place, piece) in received.chunks(MESSAGE).enumerate() {
        let number = MESSAGES - kept.0 + place;
        assert!(piece.iter().all(|byte| usize::from(*byte) == number), "message {number}");
    }
}
