//! What the tests share: a certificate, a server, and peers.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use sockets_tcp::rustls::pki_types::{PrivateKeyDer, ServerName};
use sockets_tcp::rustls::{ClientConfig, RootCertStore, ServerConfig};
use sockets_tcp::{Handler, ServerEvent, TcpServer, TcpServerBuilder};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::any_port;
pub(crate) use crate::expecting::*;

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

/// Why a handshake failed.
pub(crate) fn handshake_failed(event: &ServerEvent) -> Option<String> {
    match event {
        ServerEvent::HandshakeFailed { failure, .. } => Some(failure.to_string()),
        ServerEvent::Connected { .. } => panic!("it became a client"),
        _ => None,
    }
}
