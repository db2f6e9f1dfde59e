//! `--metrics`: what a scraper gets, and who cannot keep it from that.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::driver::{Ports, client, read_to_end};
use super::forward;
use super::loopback::listener;

/// More than are served at once.
const MANY: usize = 300;

fn serving() -> (Ports, SocketAddr) {
    // Nobody comes to the target.
    let (_listener, target) = listener();
    let ports = forward(&target, &["--metrics", "127.0.0.1:0"]);
    let url = ports.stderr.line("note: metrics at http://", 0);
    (ports, url.strip_suffix("/metrics").unwrap().parse().unwrap())
}

fn answer(mut stream: TcpStream) -> String {
    String::from_utf8(read_to_end(&mut stream)).unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = client(address);
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

#[test]
fn they_are_served_as_text_to_who_asks_for_them() {
    let (ports, address) = serving();
    let _client = client(ports.forwarding(0));
    let get = |target: &str| ask(address, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    for target in ["/metrics", "/metrics?name=x", &format!("http://{address}/metrics")] {
        let answer = get(target);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("Content-Type: application/openmetrics-text; version=1.0.0"),
            "{answer}"
        );
        assert!(answer.contains("ports_socket_opened"), "{answer}");
    }
    assert!(get("/").starts_with("HTTP/1.1 404 "));
    let posted = ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    let nowhere = ask(address, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(nowhere.starts_with("HTTP/1.1 400 "), "{nowhere}");
    for target in ["/metrics", "/"] {
        let head = ask(address, &format!("HEAD {target} HTTP/1.0\r\n\r\n"));
        assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0"), "{head}");
    }
}

#[test]
fn one_connection_has_one_answer() {
    let (_ports, address) = serving();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
    // What was sent behind the first request costs nobody its answer.
    let answer = ask(address, &request.repeat(100));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.contains("Connection: close\r\n") && answer.ends_with("# EOF\n"), "{answer}");
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let refused = ask(address, &long);
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
}

#[test]
fn who_does_not_ask_keeps_nobody_out() {
    let (_ports, address) = serving();
    let mut silent: Vec<TcpStream> = (0..MANY).map(|_| client(address)).collect();
    let asked = ask(address, "GET /metrics HTTP/1.0\r\n\r\n");
    assert!(asked.starts_with("HTTP/1.1 200 "), "{asked}");
    // The first made room, the last had its time.
    for stream in [silent.remove(0), silent.pop().unwrap()] {
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}
