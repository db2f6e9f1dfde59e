//! What is said where a stop cuts off many clients.

use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::driver::Ports;

/// More than are said one by one.
const CLIENTS: usize = 60;
/// More than the peer's system takes for a client with the smallest buffer.
const SENT: usize = 32 * 1024;

/// A client that asks, and never reads.
fn deaf(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    std::io::Write::write_all(&mut stream, &vec![7; SENT]).unwrap();
    stream
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<u64> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    digits.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn of_many_the_first_are_said_and_then_all_in_one_note_and_each_has_its_event() {
    let ports =
        Ports::start(&["listen", "tcp://127.0.0.1:0", "--service", "echo", "--events", "-"]);
    let address = ports.listening(0);
    let peers: Vec<_> = (0..CLIENTS).map(|_| deaf(address)).collect();
    // The service has read all, and echoes as much as can go out.
    ports.stdout.wait(|bytes, _| {
        let events = bytes.split_inclusive(|byte| *byte == b'\n');
        let read = events.filter(|line| line.ends_with(b"\n")).filter_map(|line| {
            let event: serde_json::Value = serde_json::from_slice(line).unwrap();
            event["len"].as_u64()
        });
        (read.sum::<u64>() == (CLIENTS * SENT) as u64).then_some(())
    });
    ports.signal(Signal::INT);
    let ended = ports.end();
    drop(peers);
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.contains("cut off (")).collect();
    assert_eq!(said.len(), 8, "{}", ended.stderr);
    let summary = format!("note: {CLIENTS} clients were cut off in all: ");
    let summary = ended.stderr.lines().find_map(|line| line.strip_prefix(&summary)).unwrap();
    let [unsent, held] = numbers(summary)[..] else { panic!("{summary}") };
    assert!(unsent + held > said.len() as u64 * 1024, "{summary}");
    let events = String::from_utf8(ended.stdout).unwrap();
    let ends = events.lines().filter(|line| line.contains(r#""type":"disconnected""#)).count();
    assert_eq!((ends, events.contains("lagged")), (CLIENTS, false));
}
