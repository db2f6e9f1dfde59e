//! What a TLS session holds back is booked wherever it goes out.

use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::*;

/// A link over TLS and its peer.
async fn secured() -> (Link, tokio_rustls::client::TlsStream<TcpStream>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth();
    let server = Arc::new(server.with_single_cert(vec![certificate], key).unwrap());
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = async {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap()
    };
    let accepting = async {
        let (tcp, remote) = listener.accept().await.unwrap();
        let (limit, stop) = (Duration::from_mins(1), CancellationToken::new());
        let accepted = crate::tls::accept(Tcp::of_tokio(tcp).unwrap(), server, limit, &stop).await;
        (accepted.unwrap().unwrap(), remote)
    };
    let (peer, (stream, remote)) = tokio::join!(connecting, accepting);
    let tuple = FiveTuple::new(Transport::Tcp, address, remote);
    let mut recorder = SocketStats::new().open(Transport::Tcp, Role::Server, tuple);
    let link = Link::new(
        stream,
        tuple,
        Observer::Client(Publisher::new(16, false, |missed| ClientEvent::Lagged { missed })),
        QueueLimits { bytes: 1024, messages: 16 },
        recorder.split(),
        false,
    );
    (link, peer)
}

#[tokio::test]
async fn what_a_read_flushes_is_sent_and_not_lost() {
    let (link, peer) = secured().await;
    // Little goes a long way: what the kernel takes is decrypted, too.
    link.with_tcp(|tcp| socket2::SockRef::from(tcp).set_send_buffer_size(16 << 10)).unwrap();
    socket2::SockRef::from(peer.get_ref().0).set_recv_buffer_size(16 << 10).unwrap();
    let data = vec![7; 64 << 20];
    let mut writing = Box::pin(link.write_all(&data));
    // Until the kernel takes no more, and the session holds some.
    loop {
        poll_once(writing.as_mut()).await;
        tokio::task::yield_now().await;
        let sending = lock(&link.sending);
        if sending.stream.as_ref().unwrap().in_flight() > 0 {
            break;
        }
    }
    let in_session = lock(&link.sending).stream.as_ref().unwrap().in_flight();
    assert!(link.traffic().queued.bytes > in_session);
    let sent = link.traffic().bytes_out as usize;
    // The peer makes room, and sends something: the reads that bring it flush.
    let (mut receiving, mut peer) = tokio::io::split(peer);
    let reading = tokio::spawn(async move { receiving.read_to_end(&mut Vec::new()).await });
    while lock(&link.sending).stream.as_ref().unwrap().in_flight() > 0 {
        peer.write_all(b"x").await.unwrap();
        peer.flush().await.unwrap();
        let mut buffer = [0; 1];
        let _ = poll_fn(|context| Poll::Ready(link.poll_read(context, &mut buffer))).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(link.traffic().bytes_out as usize, sent + in_session);
    drop(writing);
    let traffic = link.traffic();
    assert_eq!(traffic.bytes_out as usize, sent + in_session);
    assert_eq!(traffic.bytes_out as usize + traffic.lost.bytes, data.len());
    reading.abort();
}
