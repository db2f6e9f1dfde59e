//! What the tests share: a certificate, a server, peers, and waiting for events.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use sockets_tcp::rustls::pki_types::{PrivateKeyDer, ServerName};
use sockets_tcp::rustls::{ClientConfig, RootCertStore, ServerConfig};
use sockets_tcp::{
    ClientId, CloseReason, Events, Handler, ServerEvent, TcpServer, TcpServerBuilder,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::any_port;

/// Only there to turn a hang into a failure.
pub(crate) const HANG: Duration = Duration::from_mins(1);

static CERTIFIED: LazyLock<CertifiedKey<KeyPair>> =
    LazyLock::new(|| generate_simple_self_signed(["localhost".to_owned()]).unwrap());

pub(crate) fn server_config() -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(CERTIFIED.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![CERTIFIED.cert.der().clone()], key).unwrap())
}

pub(crate) fn client_config() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFIED.cert.der().clone()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn server<H: Handler>(handler: H) -> TcpServerBuilder<H> {
    TcpServer::builder().bind(any_port()).handler(handler).tls(server_config())
}

pub(crate) async fn secured(tcp: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(client_config()).connect(name, tcp).await
}

pub(crate) async fn peer(address: SocketAddr) -> TlsStream<TcpStream> {
    secured(TcpStream::connect(address).await.unwrap()).await.unwrap()
}

/// The first event that `pick` takes.
pub(crate) async fn wait<T>(
    events: &mut Events<ServerEvent>,
    mut pick: impl FnMut(&ServerEvent) -> Option<T>,
) -> T {
    tokio::time::timeout(HANG, async {
        loop {
            let event = events.recv().await.expect("the events end before the one waited for");
            assert_eq!(events.missed(), 0, "events missed");
            if let Some(picked) = pick(&event) {
                return picked;
            }
        }
    })
    .await
    .expect("the event never comes")
}

pub(crate) fn connected(event: &ServerEvent) -> Option<ClientId> {
    match event {
        ServerEvent::Connected { client, .. } => Some(*client),
        _ => None,
    }
}

pub(crate) fn disconnected(event: &ServerEvent) -> Option<CloseReason> {
    match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// Why a handshake failed.
pub(crate) fn handshake_failed(event: &ServerEvent) -> Option<String> {
    match event {
        ServerEvent::HandshakeFailed { failure, .. } => Some(failure.to_string()),
        ServerEvent::Connected { .. } => panic!("it became a client"),
        _ => None,
    }
}

pub(crate) async fn read_exactly(stream: &mut (impl AsyncReadExt + Unpin), len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    tokio::time::timeout(HANG, stream.read_exact(&mut data)).await.unwrap().unwrap();
    data
}

pub(crate) async fn read_to_end(
    stream: &mut (impl AsyncReadExt + Unpin),
) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    tokio::time::timeout(HANG, stream.read_to_end(&mut data)).await.unwrap()?;
    Ok(data)
}

/// Bytes in which a swap, a loss or a repetition shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .flat_map(|number| number.wrapping_mul(0x9E37_79B9).to_be_bytes())
        .take(len)
        .collect()
}
