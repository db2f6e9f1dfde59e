//! Certificates that are not accepted, with OpenSSL at the other end: each says what is wrong.

use rustix::process::Signal;

use super::certificates::{Certificates, Identity, listen};
use super::driver::{Ports, run};
use super::other;

fn s_server(identity: &Identity, more: &[&str]) -> (Ports, String) {
    let args = ["s_server", "-accept", "127.0.0.1:0", "-cert", &identity.cert];
    let server = other("openssl", &[&args[..], &["-key", &identity.key], more].concat());
    let endpoint = format!("tls://{}", server.stdout.line("ACCEPT ", 0));
    (server, endpoint)
}

#[test]
#[ignore = "needs openssl"]
fn our_client_says_what_is_wrong_with_the_certificate_of_s_server() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    for (identity, said) in [
        (certificates.expired("old"), "its certificate expired at 2001-01-01 00:00:00 UTC"),
        (certificates.early("new"), "its certificate is not valid before 4000-01-01 00:00:00 UTC"),
        (certificates.elsewhere("elsewhere"), "is for elsewhere.test, not for 127.0.0.1; connect"),
        (
            certificates.self_signed("stranger", |_| {}),
            "signed by nobody who is trusted here; give",
        ),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let (_server, endpoint) = s_server(&identity, &[version]);
            let ended = run(&["connect", &endpoint, "--ca", &ca]);
            assert_eq!(ended.code, Some(4));
            assert!(ended.stderr.contains(said), "{version}: no {said:?} in {}", ended.stderr);
        }
    }
}

#[test]
#[ignore = "needs openssl"]
fn our_client_says_what_s_server_has_against_its_certificate() {
    let certificates = Certificates::new();
    let (ca, server) = (certificates.ca(), certificates.server());
    let [old, new] = [certificates.expired("old"), certificates.early("new")];
    let stranger = certificates.self_signed("stranger", |_| {});
    for (options, said) in [
        (Vec::new(), "it wants a certificate and got none (alert certificate_required); give one"),
        (old.options().to_vec(), "(alert certificate_expired); give another one"),
        (new.options().to_vec(), "(alert bad_certificate); give another one"),
        (stranger.options().to_vec(), "it does not trust who signed our certificate (alert unknow"),
    ] {
        let demand = ["-Verify", "1", "-verify_return_error", "-CAfile", &ca, "-tls1_3"];
        let (_server, endpoint) = s_server(&server, &demand);
        let args = ["connect", &endpoint, "--ca", &ca];
        let ended = run(&[&args[..], &options].concat());
        assert_eq!(ended.code, Some(4), "{said}");
        assert!(ended.stderr.contains(said), "no {said:?} in {}", ended.stderr);
    }
    // Before TLS 1.3 the handshake itself fails, and the alert does not say more.
    let demand = ["-Verify", "1", "-CAfile", &ca, "-tls1_2"];
    let (_server, endpoint) = s_server(&server, &demand);
    let ended = run(&["connect", &endpoint, "--ca", &ca]);
    assert_eq!(ended.code, Some(4));
    let said = "or wants a certificate and got none (alert handshake_failure); where it wants";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

/// Our listener with `-v`, once `s_client` came and went.
fn told(identity: &Identity, listening: &[&str], asking: &[&str]) -> (String, String) {
    let server = listen(identity, &[&["--service", "echo", "-v"][..], listening].concat());
    let address = server.listening(0).to_string();
    let args = ["s_client", "-connect", &address, "-verify_return_error", "-quiet"];
    // Its input stays open: at its end it would leave by itself.
    let client = other("openssl", &[&args[..], asking].concat());
    server.stderr.until(b"began no TLS session");
    let stderr = String::from_utf8(client.stderr.whole()).unwrap();
    server.signal(Signal::INT);
    (server.end().stderr, stderr)
}

#[test]
#[ignore = "needs openssl"]
fn our_listener_says_what_s_client_has_against_its_certificate() {
    let certificates = Certificates::new();
    let ca = certificates.ca();
    for (identity, said, by_them) in [
        (certificates.expired("old"), "(alert certificate_expired); --cert is", "has expired"),
        (certificates.early("new"), "(alert bad_certificate); --cert is", "is not yet valid"),
        (certificates.elsewhere("elsewhere"), "(alert bad_certificate); --cert", "mismatch"),
        (certificates.self_signed("own", |_| {}), "(alert unknown_ca); the client", "self-signed"),
    ] {
        let asking = ["-CAfile", &ca, "-verify_ip", "127.0.0.1"];
        let (ours, theirs) = told(&identity, &[], &asking);
        assert!(ours.contains(said), "no {said:?} in {ours}");
        assert!(theirs.contains(by_them), "no {by_them:?} in {theirs}");
    }
}

#[test]
#[ignore = "needs openssl"]
fn s_client_is_told_what_our_listener_has_against_its_certificate() {
    let certificates = Certificates::new();
    let (ca, server) = (certificates.ca(), certificates.server());
    let [old, new] = [certificates.expired("old"), certificates.early("new")];
    let stranger = certificates.self_signed("stranger", |_| {});
    let shown = |identity: &Identity| {
        ["-cert", &identity.cert, "-key", &identity.key].map(str::to_owned).to_vec()
    };
    for (options, said, to_them) in [
        (Vec::new(), "it showed no certificate, and needs one", "certificate required"),
        (shown(&old), "its certificate expired at 2001-01-01 00:00:00", "certificate expired"),
        (shown(&new), "is not valid before 4000-01-01 00:00:00", "certificate expired"),
        (shown(&stranger), "signed by nobody who is trusted here; --ca is to", "unknown ca"),
    ] {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let asking = [&["-CAfile", &ca][..], &options].concat();
        let (ours, theirs) = told(&server, &["--ca", &ca], &asking);
        assert!(ours.contains(said), "no {said:?} in {ours}");
        assert!(theirs.contains(to_them), "no {to_them:?} in {theirs}");
    }
}
