//! TLS on sockets that were passed.
#![cfg(target_os = "linux")]

use crate::certificates::Certificates;
use crate::driver::Ports;

#[test]
fn sockets_that_were_passed_may_speak_tls() {
    let certificates = Certificates::new();
    let server = certificates.server();
    let listen = [env!("CARGO_BIN_EXE_ports"), "listen", "tls+fd:", "--service", "echo"];
    let args = [&["lease", "--fd", "--"][..], &listen, &server.options()].concat();
    let ports = Ports::start(&args);
    let said = ports.stderr.line("note: listening on ", 0);
    assert!(said.starts_with("tls://127.0.0.1:"), "{said}");
    let mut client = Ports::start(&["connect", &said, "--ca", &certificates.ca()]);
    client.write(b"hello");
    client.end_input();
    let ended = client.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"hello"[..]), "{}", ended.stderr);
}

#[test]
fn a_forwarding_takes_tls_off_a_socket_that_was_passed() {
    let certificates = Certificates::new();
    let server = certificates.server();
    let echo = Ports::start(&["listen", "127.0.0.1:0", "--service", "echo"]);
    let target = echo.listening(0).to_string();
    let forward = [env!("CARGO_BIN_EXE_ports"), "forward", "tls+fd:", &target];
    let args = [&["lease", "--fd", "--"][..], &forward, &server.options()].concat();
    let ports = Ports::start(&args);
    let there = format!("tls://{}", ports.forwarding(0));
    let mut client = Ports::start(&["connect", &there, "--ca", &certificates.ca()]);
    client.write(b"hello");
    client.end_input();
    let ended = client.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"hello"[..]), "{}", ended.stderr);
}
