//! Certificates that are not accepted, on either side: what is wrong, and what can be done.

use rustix::process::Signal;

use crate::certificates::{Certificates, Identity, listen};
use crate::driver::{Ended, Ports, run};

/// What both ends say where our client meets our listener. The latter ends by a signal.
fn both(server: &Identity, listening: &[&str], connecting: &[&str]) -> (Ended, String) {
    let ports = listen(server, &[&["--service", "echo", "-v"][..], listening].concat());
    let endpoint = format!("tls://{}", ports.listening(0));
    let ended = run(&[&["connect", &endpoint][..], connecting].concat());
    ports.stderr.until(b"began no TLS session");
    ports.signal(Signal::INT);
    (ended, ports.end().stderr)
}

#[test]
fn a_servers_certificate_that_is_not_accepted_is_told_with_its_fault() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let own = certificates.self_signed("stranger", |_| {});
    for (server, here, there) in [
        (
            certificates.expired("old"),
            ["its certificate expired at 2001-01-01 00:00:00 UTC, and here it is 20", "clock here"],
            "our certificate is not valid any more, or not yet (alert certificate_expired); --cert",
        ),
        (
            certificates.early("new"),
            ["is not valid before 4000-01-01 00:00:00 UTC, and here it is 20", "clock here"],
            "our certificate is not valid any more, or not yet (alert certificate_expired); --cert",
        ),
        (
            certificates.elsewhere("elsewhere"),
            ["its certificate is for elsewhere.test, not for 127.0.0.1", "--server-name NAME"],
            "or for another name (alert bad_certificate); --cert is to hold one for the name",
        ),
        (
            own,
            ["its certificate is signed by nobody who is trusted here", "with --ca FILE"],
            "it does not trust who signed our certificate (alert unknown_ca); the client is to be",
        ),
    ] {
        let (client, listener) = both(&server, &[], &["--ca", &ca]);
        assert_eq!(client.code, Some(4));
        for said in here {
            assert!(client.stderr.contains(said), "no {said:?} in: {}", client.stderr);
        }
        assert!(client.stderr.contains("error: cannot connect to 127.0.0.1:"), "{}", client.stderr);
        assert!(listener.contains(there), "no {there:?} in: {listener}");
    }
}

#[test]
fn a_server_that_nobody_here_knows_is_named_with_what_can_be_done() {
    let certificates = Certificates::new();
    let server = certificates.self_signed("stranger", |_| {});
    let ports = listen(&server, &["--service", "echo"]);
    let port = ports.listening(0).port();
    let endpoint = format!("tls://localhost:{port}");
    for more in [&[][..], &["--reconnect"]] {
        let ca = certificates.ca();
        let ended = run(&[&["connect", &endpoint, "--ca", &ca][..], more].concat());
        assert_eq!(ended.code, Some(4));
        for said in [
            &format!(":{port} as localhost: its certificate is signed by nobody who is trusted")[..],
            "with --ca FILE; or believe whoever answers, with --insecure",
        ] {
            assert!(ended.stderr.contains(said), "no {said:?} in: {}", ended.stderr);
        }
    }
}

#[test]
fn a_clients_certificate_that_is_not_accepted_is_told_with_its_fault() {
    let certificates = Certificates::new();
    let (ca, server) = (certificates.ca(), certificates.server());
    for (client, here, there) in [
        (
            certificates.expired("old"),
            "our certificate is not valid any more, or not yet (alert certificate_expired); give",
            "its certificate expired at 2001-01-01 00:00:00 UTC, and here it is 20",
        ),
        (
            certificates.early("new"),
            "our certificate is not valid any more, or not yet (alert certificate_expired); give",
            "its certificate is not valid before 4000-01-01 00:00:00 UTC, and here it is 20",
        ),
        (
            certificates.self_signed("stranger", |_| {}),
            "it does not trust who signed our certificate (alert unknown_ca); the server is to be",
            "nobody who is trusted here; --ca is to hold the authority that signed it, or the cert",
        ),
        (
            certificates.signed("for servers", |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "(alert unsupported_certificate); give another one",
            "its certificate is not meant for a client",
        ),
    ] {
        let options = [&["--ca", &ca][..], &client.options()].concat();
        let (client, listener) = both(&server, &["--ca", &ca], &options);
        assert_eq!(client.code, Some(4));
        assert!(client.stderr.contains(here), "no {here:?} in: {}", client.stderr);
        assert!(listener.contains(there), "no {there:?} in: {listener}");
    }
}

#[test]
fn a_client_that_only_sends_learns_too_that_its_certificate_is_missed() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let server = listen(&certificates.server(), &["--service", "discard", "--ca", &ca]);
    let endpoint = format!("tls://{}", server.listening(0));
    let file = tempfile::NamedTempFile::new().unwrap();
    let events = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["connect", &endpoint, "--ca", &ca, "--events", events]);
    let feeding = ports.feed(vec![7; 4 << 20]);
    let ended = ports.end();
    // Not all of it is read.
    let _ = feeding.join().unwrap();
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("(alert certificate_required)"), "{}", ended.stderr);
    let lines = std::fs::read_to_string(events).unwrap();
    assert!(lines.contains(r#""reason":"tls-alert""#), "{lines}");
}

#[test]
fn a_certificate_that_is_missed_ends_reconnecting() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let server = listen(&certificates.server(), &["--service", "echo", "--ca", &ca]);
    let endpoint = format!("tls://{}", server.listening(0));
    let ended = Ports::start(&["connect", &endpoint, "--ca", &ca, "--reconnect"]).end();
    assert_eq!(ended.code, Some(4));
    let said = format!(
        "error: gave up connecting to {endpoint} at the first try, as another one would fail in \
         the same way: "
    );
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(ended.stderr.contains("(alert certificate_required); give one"), "{}", ended.stderr);
}

#[test]
fn a_pipe_tells_of_a_certificate_that_it_misses() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    let server = listen(&certificates.server(), &["--ca", &ca]);
    let endpoint = format!("tls://{}", server.listening(0));
    assert_eq!(run(&["connect", &endpoint, "--ca", &ca]).code, Some(4));
    server
        .stderr
        .until(b"began no TLS session: it showed no certificate, and needs one; the client");
}

/// webpki finds out by the signature only.
#[test]
fn an_authority_of_the_same_name_is_another_one() {
    let (certificates, stranger) = (Certificates::new(), Certificates::new());
    let (client, listener) = both(&stranger.server(), &[], &["--ca", &certificates.ca()]);
    assert_eq!(client.code, Some(4));
    for said in ["another authority of the same name, or an impostor; give", "--ca FILE"] {
        assert!(client.stderr.contains(said), "{}", client.stderr);
    }
    assert!(listener.contains("(alert decrypt_error)"), "{listener}");
}

/// What is in the file itself is trusted, whoever signed it.
#[test]
fn a_client_is_known_by_its_own_certificate_in_the_file() {
    let certificates = Certificates::new();
    for client in [
        certificates.self_signed("plain", |_| {}),
        certificates.authority_of_itself("openssl req -x509"),
        // Its authority is not in the file.
        certificates.client(),
    ] {
        for service in ["echo", "pipe"] {
            let more = ["--service", service, "--ca", &client.cert];
            let mut server = listen(&certificates.server(), &more);
            server.end_input();
            let endpoint = format!("tls://{}", server.listening(0));
            let (ca, options) = (certificates.ca(), client.options());
            let args = ["connect", &endpoint, "--ca", &ca];
            let ended = run(&[&args[..], &options].concat());
            assert_eq!(ended.code, Some(0), "{service}: {}", ended.stderr);
        }
    }
    // Only that very one: not another one of its name, nor an old one.
    let known = certificates.authority_of_itself("known");
    let more = ["--ca", &known.cert];
    let impostor = certificates.authority_of_itself("known too");
    let options = [&["--insecure"][..], &impostor.options()].concat();
    let (client, _) = both(&certificates.server(), &more, &options);
    assert_eq!(client.code, Some(4), "{}", client.stderr);
    let old = certificates.self_signed("old", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let options = [&["--insecure"][..], &old.options()].concat();
    let (client, listener) = both(&certificates.server(), &["--ca", &old.cert], &options);
    assert_eq!(client.code, Some(4), "{}", client.stderr);
    assert!(listener.contains("its certificate expired at 2001-01-01"), "{listener}");
}

#[test]
fn no_name_of_a_program_reaches_the_user() {
    let certificates = Certificates::new();
    let (server, client) = (certificates.server(), certificates.client());
    let mixed = Identity { cert: server.cert, key: client.key };
    let ended = run(&[&["listen", "tls://127.0.0.1:0"][..], &mixed.options()].concat());
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("do not belong together"), "{}", ended.stderr);
    let authority = certificates.authority_of_itself("an authority");
    let other = certificates.authority_of_itself("another authority");
    let (refused, _) = both(&authority, &[], &["--ca", &other.cert]);
    let said = "its certificate is that of an authority, not of one who connects; where that is";
    assert!(refused.stderr.contains(said), "{refused:?}");
    for text in [ended.stderr, refused.stderr] {
        for name in ["KeyMismatch", "CaUsedAsEndEntity", "OtherError", "InvalidCertificate"] {
            assert!(!text.contains(name), "{text}");
        }
    }
}
