//! What handlers and clients learn of their TLS session.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use sockets_tcp::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sockets_tcp::rustls::server::WebPkiClientVerifier;
use sockets_tcp::rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig};
use sockets_tcp::{Connection, Echo, TcpClient, TcpServer, TlsInfo, handler_fn};
use tokio::sync::mpsc;

use crate::address::any_port;
use crate::support::{client_config, server};

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn identity(name: &str) -> Identity {
    let made = generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.der().clone(), PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap())
}

fn trust(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    roots
}

#[tokio::test]
async fn a_handler_knows_its_client_by_certificate_and_what_it_asked_for() {
    let (service, user) = (identity("localhost"), identity("user"));
    let known = WebPkiClientVerifier::builder(Arc::new(trust(&user.0))).build().unwrap();
    let mut server = ServerConfig::builder()
        .with_client_cert_verifier(known)
        .with_single_cert(vec![service.0.clone()], service.1)
        .unwrap();
    server.alpn_protocols = vec![b"chat/2".to_vec(), b"chat/1".to_vec()];
    let mut client = ClientConfig::builder()
        .with_root_certificates(trust(&service.0))
        .with_client_auth_cert(vec![user.0.clone()], user.1)
        .unwrap();
    client.alpn_protocols = vec![b"chat/1".to_vec()];

    let (tell, mut told) = mpsc::unbounded_channel::<Option<TlsInfo>>();
    let handler = handler_fn(move |connection: Connection| {
        let tell = tell.clone();
        async move {
            let (reader, writer) = connection.into_split();
            assert_eq!(reader.tls_info(), writer.tls_info());
            let _ = tell.send(reader.tls_info());
            Ok(())
        }
    });
    let server = TcpServer::builder().bind(any_port()).handler(handler).tls(server);
    let server = server.start().await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let client = TcpClient::builder(server.local_addr()).tls(client, name).connect().await.unwrap();

    let seen = told.recv().await.unwrap().unwrap();
    assert_eq!(seen.version, ProtocolVersion::TLSv1_3);
    assert_eq!(seen.server_name.as_deref(), Some("localhost"));
    assert_eq!(seen.alpn_protocol.as_deref(), Some(&b"chat/1"[..]));
    assert_eq!(seen.peer_certificates, [user.0]);
    client.close().await;
    assert_eq!(client.tls_info(), None, "there is no connection any more");
}

#[tokio::test]
async fn a_client_knows_what_its_server_showed() {
    let server = server(Echo::new()).start().await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let builder = TcpClient::builder(server.local_addr()).tls(client_config(), name);
    let client = builder.connect().await.unwrap();
    let seen = client.tls_info().unwrap();
    assert_eq!((seen.server_name, seen.alpn_protocol), (None, None));
    assert_eq!(seen.peer_certificates.len(), 1);
    assert_eq!(Some(seen.version), client.tls_version());

    let plain = TcpServer::builder().bind(any_port()).handler(Echo::new()).start().await.unwrap();
    let client = TcpClient::builder(plain.local_addr()).connect().await.unwrap();
    assert_eq!(client.tls_info(), None);
}
