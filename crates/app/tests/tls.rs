//! The real binary: TLS in `ports listen`, `ports connect` and `ports forward`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/tls.rs"]
mod certificates;
#[path = "driver/ports.rs"]
mod driver;
#[path = "tls/forwarded.rs"]
mod forwarded;
#[path = "tls/gone.rs"]
mod gone;
#[path = "tls/passed.rs"]
mod passed;
#[path = "tls/refused.rs"]
mod refused;

use std::io::Write;

use certificates::Certificates;
use driver::{Ports, client, noise, read_to_end, run};
use rustix::process::Signal;

/// A `listen` with the server's certificate, and its endpoint.
fn listen(certificates: &Certificates, more: &[&str]) -> (Ports, String) {
    let ports = certificates::listen(&certificates.server(), more);
    let endpoint = format!("tls://{}", ports.listening(0));
    (ports, endpoint)
}

#[test]
fn megabytes_come_back_from_an_echo_over_tls() {
    let certificates = Certificates::new();
    let (_server, endpoint) = listen(&certificates, &["--service", "echo"]);
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &certificates.ca(), "-v"]);
    let data = noise(3 << 20);
    let feeding = ports.feed(data.clone());
    let ended = ports.end();
    feeding.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == data, "{} bytes", ended.stdout.len());
    assert!(ended.stderr.contains("by TLSv1.3"), "{}", ended.stderr);
}

#[test]
fn a_pipe_over_tls_moves_megabytes_both_ways_and_both_ends_are_ends() {
    let certificates = Certificates::new();
    let (mut server, endpoint) = listen(&certificates, &[]);
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &certificates.ca()]);
    let (there, back) = (noise(3 << 20), noise(2 << 20));
    let feeding = [ports.feed(there.clone()), server.feed(back.clone())];
    let (here, served) = (ports.end(), server.end());
    for feeding in feeding {
        feeding.join().unwrap().unwrap();
    }
    assert_eq!((here.code, served.code), (Some(0), Some(0)), "{} {}", here.stderr, served.stderr);
    assert!(here.stdout == back && served.stdout == there);
}

#[test]
fn who_speaks_no_tls_to_a_pipe_is_told_of_and_the_next_one_is_served() {
    let certificates = Certificates::new();
    let events = tempfile::NamedTempFile::new().unwrap();
    let events = events.path().to_str().unwrap();
    let (mut server, endpoint) = listen(&certificates, &["--events", events]);
    server.end_input();
    let mut stranger = client(server.listening(0));
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    server.stderr.until(b"began no TLS session");
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &certificates.ca()]);
    ports.write(b"hello");
    ports.end_input();
    let (here, served) = (ports.end(), server.end());
    assert_eq!((here.code, served.code), (Some(0), Some(0)), "{} {}", here.stderr, served.stderr);
    assert_eq!(served.stdout, b"hello");
    let lines = std::fs::read_to_string(events).unwrap();
    assert!(lines.contains(r#"{"type":"handshake-failed","peer":"127.0.0.1:"#), "{lines}");
}

#[test]
fn a_certificate_is_believed_for_its_name_and_its_authority_only() {
    let certificates = Certificates::new();
    let (_server, endpoint) = listen(&certificates, &["--service", "echo"]);
    let ca = certificates.ca();
    let named = ["connect", &endpoint, "--ca", &ca, "--server-name", "localhost"];
    assert_eq!(run(&named).code, Some(0));
    let other = run(&["connect", &endpoint, "--ca", &ca, "--server-name", "example.org"]);
    assert_eq!(other.code, Some(4));
    assert!(other.stderr.contains("not for example.org"), "{}", other.stderr);
    let stranger = Certificates::new();
    let unknown = run(&["connect", &endpoint, "--ca", &stranger.ca()]);
    assert_eq!(unknown.code, Some(4));
    assert!(unknown.stderr.contains("its certificate"), "{}", unknown.stderr);
    let anybody = run(&["connect", &endpoint, "--insecure"]);
    assert_eq!(anybody.code, Some(0), "{}", anybody.stderr);
    assert!(anybody.stderr.contains("not checked"), "{}", anybody.stderr);
}

#[test]
fn without_a_host_it_is_localhost_that_is_asked_for() {
    let certificates = Certificates::new();
    let identity = certificates.server();
    let listen = ["listen", "tls://:0", "--service", "echo"];
    let server = Ports::start(&[&listen[..], &identity.options()].concat());
    let endpoint = format!("tls://:{}", server.listening(0).port());
    let ended = run(&["connect", &endpoint, "--ca", &certificates.ca()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_listener_with_an_authority_wants_a_certificate_of_each_client() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let (server, endpoint) = listen(&certificates, &["--service", "echo", "--ca", &ca, "-v"]);
    let client = certificates.client();
    let args = ["connect", &endpoint, "--ca", &ca];
    let mut known = Ports::start(&[&args[..], &client.options()].concat());
    known.write(b"hello");
    known.end_input();
    let known = known.end();
    assert_eq!((known.code, &known.stdout[..]), (Some(0), &b"hello"[..]), "{}", known.stderr);
    let mut nobody = Ports::start(&["connect", &endpoint, "--ca", &ca]);
    nobody.end_input();
    server.stderr.until(b"began no TLS session");
    // In TLS 1.3 a client learns of it only after its own handshake.
    let nobody = nobody.end();
    assert_eq!(nobody.code, Some(4));
    let said = "ended the TLS session: it wants a certificate and got none (alert \
                certificate_required); give one with --cert FILE and --key FILE";
    assert!(nobody.stderr.contains(said), "{}", nobody.stderr);
}

#[test]
fn a_forwarding_puts_tls_on_and_takes_it_off() {
    let certificates = Certificates::new();
    let identity = certificates.server();
    let (_server, inner) = listen(&certificates, &["--service", "echo"]);
    let on = Ports::start(&["forward", "tcp://127.0.0.1:0", &inner, "--ca", &certificates.ca()]);
    let plain = on.forwarding(0);
    let plain_target = plain.to_string();
    let args = ["forward", "tls://127.0.0.1:0", &plain_target];
    let off = Ports::start(&[&args[..], &identity.options()].concat());
    let endpoint = format!("tls://{}", off.forwarding(0));
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &certificates.ca()]);
    let data = noise(2 << 20);
    let feeding = ports.feed(data.clone());
    let ended = ports.end();
    feeding.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == data);
    let mut direct = client(plain);
    direct.write_all(b"plain").unwrap();
    direct.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut direct), b"plain");
    on.signal(Signal::INT);
    assert_eq!(on.end().code, Some(130));
}

#[test]
fn files_that_are_wrong_are_named() {
    let certificates = Certificates::new();
    let (ca, key) = (certificates.ca(), certificates.server().key);
    let missing = run(&["connect", "tls://127.0.0.1:1", "--ca", "/nowhere/ca.pem"]);
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("/nowhere/ca.pem"), "{}", missing.stderr);
    let no_certificate = run(&["connect", "tls://127.0.0.1:1", "--ca", &key]);
    assert!(no_certificate.stderr.contains("no certificate"), "{}", no_certificate.stderr);
    let endless = run(&["connect", "tls://127.0.0.1:1", "--ca", "/dev/zero"]);
    assert_eq!(endless.code, Some(4));
    assert!(endless.stderr.contains("`/dev/zero` is larger than"), "{}", endless.stderr);
    let not_together = ["listen", "tls://127.0.0.1:0", "--cert", &ca, "--key", &key];
    let not_together = run(&not_together);
    assert_eq!(not_together.code, Some(4));
    assert!(not_together.stderr.contains("do not belong together"), "{}", not_together.stderr);
    for (args, expected) in [
        (&["listen", "tls://127.0.0.1:0"][..], "--cert FILE and --key FILE"),
        (&["listen", "tls+fd:"], "tls+fd:: TLS needs --cert FILE and --key FILE"),
        (&["listen", "fd:", "--insecure"], "no endpoint begins with tls:// or tls+fd:"),
        (&["listen", "127.0.0.1:0", "--cert", "a", "--key", "b"], "no endpoint begins with tls://"),
        (&["connect", "127.0.0.1:1", "--insecure"], "no endpoint begins with tls://"),
        (
            &["listen", "tls://127.0.0.1:0", "--cert", "a", "--key", "b", "--insecure"],
            "--insecure is for who connects to tls://",
        ),
        (
            &["listen", "tls+fd:", "--cert", "a", "--key", "b", "--server-name", "x"],
            "--server-name is for who connects to tls://",
        ),
        (
            &["forward", "tls://:0", "[::1]:1", "--cert", "a", "--key", "b", "--insecure"],
            "--insecure is for who connects to tls://",
        ),
        (
            &["forward", "[::1]:0", "[::1]:1", "--server-name", "x"],
            "no endpoint begins with tls://",
        ),
        (&["connect", "tls://127.0.0.1:1", "--cert", "a"], "--key"),
        (
            &["connect", "tls://127.0.0.1:1", "--insecure", "--server-name", "no name"],
            "`no name` is no name that a certificate can have",
        ),
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{args:?}: {}", ended.stderr);
    }
}
