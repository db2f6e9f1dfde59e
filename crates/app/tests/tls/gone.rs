//! A server that has said its end and closed its socket before input ends.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use rustix::process::Signal;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Certificates;
use crate::driver::Ports;

/// Takes one client and says something to it; once told to, ends the session and closes the socket.
fn says(what: Vec<u8>, certificates: &Certificates) -> (SocketAddr, Sender<()>, JoinHandle<()>) {
    let identity = certificates.server();
    let chain = CertificateDer::pem_file_iter(&identity.cert).unwrap().map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(chain.collect(), key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (go, told) = channel();
    let serving = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut session = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
        session.write_all(&what).unwrap();
        told.recv().unwrap();
        session.conn.send_close_notify();
        session.flush().unwrap();
    });
    (address, go, serving)
}

/// The end of a `connect` that has this input, and no more, once the server has gone.
fn after_the_end(input: &[u8]) -> (Option<i32>, String) {
    let certificates = Certificates::new();
    let (address, go, serving) = says(b"bye".to_vec(), &certificates);
    let endpoint = format!("tls://{address}");
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &certificates.ca()]);
    ports.stdout.until(b"bye");
    // It waits only so long for input that is silent, and this may take longer.
    ports.stop();
    go.send(()).unwrap();
    serving.join().unwrap();
    ports.write(input);
    ports.end_input();
    ports.signal(Signal::CONT);
    let ended = ports.end();
    (ended.code, ended.stderr)
}

#[test]
fn input_that_a_server_has_gone_without_is_told_over_tls() {
    for input in [&b"!"[..], b"too late"] {
        let (code, stderr) = after_the_end(input);
        assert_eq!(code, Some(4), "{stderr}");
        assert!(stderr.contains("was reset: what it carried may be incomplete"), "{stderr}");
    }
}

#[test]
fn a_server_that_has_gone_and_was_to_get_nothing_has_cost_nothing() {
    let (code, stderr) = after_the_end(b"");
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

/// Its end of the stream, unread, would make the server's kernel reset what is under way.
#[test]
fn all_that_a_server_says_before_it_closes_unread_comes_with_no_shutdown() {
    let certificates = Certificates::new();
    let much = 8 << 20;
    let (address, go, serving) = says(vec![7; much], &certificates);
    go.send(()).unwrap();
    let endpoint = format!("tls://{address}");
    let mut ports =
        Ports::start(&["connect", &endpoint, "--ca", &certificates.ca(), "--no-shutdown"]);
    ports.end_input();
    let ended = ports.end();
    serving.join().unwrap();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout.len(), much);
}
