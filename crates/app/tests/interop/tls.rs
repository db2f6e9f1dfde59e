//! TLS with OpenSSL, curl, ncat and socat at the other end.

use super::certificates::{Certificates, listen};
use super::driver::{Ports, noise};
use super::{LENGTH, other};

#[test]
#[ignore = "needs openssl, ncat and socat"]
fn their_tls_clients_get_their_megabytes_back_from_our_echo() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let server = listen(&certificates.server(), &["--service", "echo"]);
    let address = server.listening(0);
    let port = address.port().to_string();
    let to = format!("OPENSSL:localhost:{port},pf=ip4,cafile={ca}");
    for mut client in [
        // It looks for names only, not for addresses.
        other("ncat", &["-4", "--ssl-verify", "--ssl-trustfile", &ca, "localhost", &port]),
        other("socat", &["-t", "30", "-", &to]),
    ] {
        let data = noise(LENGTH);
        let feeding = client.feed_on(data.clone());
        client.stdout.wait(|bytes, _| (bytes.len() >= data.len()).then_some(()));
        drop(feeding.join().unwrap().unwrap());
        let ended = client.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout == data, "{} of {LENGTH} bytes", ended.stdout.len());
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = address.to_string();
        let args = ["s_client", "-quiet", "-verify_return_error", version, "-CAfile", &ca];
        let mut client = other("openssl", &[&args[..], &["-connect", &connect]].concat());
        let data = noise(LENGTH);
        let feeding = client.feed_on(data.clone());
        client.stdout.wait(|bytes, _| (bytes.len() >= data.len()).then_some(()));
        assert!(client.stdout.until(&data[LENGTH - 64..]) == data, "{version}");
        drop(feeding.join().unwrap().unwrap());
    }
}

#[test]
#[ignore = "needs openssl"]
fn our_client_and_s_server_talk_and_each_sees_the_end_of_the_other() {
    let certificates = Certificates::new();
    let (identity, ca) = (certificates.server(), certificates.ca());
    let args = ["s_server", "-naccept", "1", "-accept", "127.0.0.1:0"];
    let identity = ["-cert", &identity.cert, "-key", &identity.key];
    let mut server = other("openssl", &[&args[..], &identity].concat());
    let accepting = server.stdout.line("ACCEPT ", 0);
    let mut client = Ports::start(&["connect", &format!("tls://{accepting}"), "--ca", &ca]);
    client.write(b"from us\n");
    server.stdout.until(b"from us\n");
    server.write(b"from them\n");
    client.stdout.until(b"from them\n");
    client.end_input();
    // It answers our end of stream with its own.
    server.stdout.until(b"DONE");
    server.end_input();
    let ended = client.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"from them\n"[..]), "{}", ended.stderr);
}

#[test]
#[ignore = "needs curl"]
fn curl_reads_our_metrics_through_our_tls() {
    let certificates = Certificates::new();
    let (identity, ca) = (certificates.server(), certificates.ca());
    let server =
        Ports::start(&["listen", "127.0.0.1:0", "--service", "echo", "--metrics", "127.0.0.1:0"]);
    let url = server.stderr.line("note: metrics at http://", 0);
    let target = url.strip_suffix("/metrics").unwrap();
    let args = ["forward", "tls://127.0.0.1:0", target];
    let forward = Ports::start(&[&args[..], &identity.options()].concat());
    let there = format!("https://{}/metrics", forward.forwarding(0));
    let curl = other("curl", &["-sS", "--fail", "--cacert", &ca, "--noproxy", "*", &there]).end();
    assert_eq!(curl.code, Some(0), "{}", curl.stderr);
    assert!(String::from_utf8(curl.stdout).unwrap().contains("ports_socket_opened"));
}
