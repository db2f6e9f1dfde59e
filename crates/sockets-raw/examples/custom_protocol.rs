//! A protocol of one's own beside TCP and UDP: number 253 of RFC 3692, over loopback.
//!
//! One socket asks, another answers, and the answer is checked. Raw sockets need `CAP_NET_RAW`: as
//! root, or the example says what it lacks and ends with exit code 3.
//!
//! ```text
//! sudo target/debug/examples/custom_protocol
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use sockets_raw::{OpenError, RawConfig, RawSocket};

/// The protocol's number in the IP header.
const PROTOCOL: u8 = RawConfig::EXPERIMENTAL[0];
/// How long either end waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message that is looked at.
const LONGEST: usize = 2048;

/// What one message of the protocol says. On the wire: kind (1 byte), checksum (1 byte), number (2
/// bytes, network order), text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    kind: Kind,
    number: u16,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Question = 1,
    Answer = 2,
}

impl Message {
    const HEADER: usize = 4;

    fn encode(&self) -> Vec<u8> {
        let [high, low] = self.number.to_be_bytes();
        let mut bytes = vec![self.kind as u8, 0, high, low];
        bytes.extend_from_slice(&self.text);
        bytes[1] = checksum(&bytes);
        bytes
    }

    /// `None` for what is no message: anybody may send to a raw socket.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, text) = bytes.split_first_chunk::<{ Self::HEADER }>()?;
        let kind = match header[0] {
            1 => Kind::Question,
            2 => Kind::Answer,
            _ => return None,
        };
        // With its checksum in it, a message sums to 0.
        (checksum(bytes) == 0).then(|| Self {
            kind,
            number: u16::from_be_bytes([header[2], header[3]]),
            text: text.to_vec(),
        })
    }
}

/// What makes the sum of all bytes 0.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

/// The next message of the kind, and who sent it.
fn next(socket: &RawSocket, kind: Kind) -> Result<(Message, IpAddr), Box<dyn Error + Send + Sync>> {
    let mut buffer = [0; LONGEST];
    loop {
        let Some(packet) = socket.recv_from_timeout(&mut buffer, PATIENCE)? else {
            return Err(format!("no {kind:?} came within {PATIENCE:?}").into());
        };
        match Message::decode(packet.payload()) {
            Some(message) if message.kind == kind => return Ok((message, packet.source())),
            _ => {}
        }
    }
}

/// Answers one question with its text backwards.
fn serve(socket: &RawSocket) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (question, asker) = next(socket, Kind::Question)?;
    let text = question.text.iter().rev().copied().collect();
    let answer = Message { kind: Kind::Answer, text, ..question };
    Ok(socket.send_to(&answer.encode(), asker)?)
}

/// Asks over loopback and returns the answer.
fn converse(text: &[u8]) -> Result<Message, Box<dyn Error + Send + Sync>> {
    // Two addresses of loopback, so that each end receives only what is meant for it.
    let client_address = IpAddr::from(Ipv4Addr::new(127, 0, 253, 1));
    let server_address = IpAddr::from(Ipv4Addr::new(127, 0, 253, 2));
    let client = RawSocket::open(&RawConfig::v4(PROTOCOL).bind(client_address))?;
    let server = RawSocket::open(&RawConfig::v4(PROTOCOL).bind(server_address))?;
    let serving = thread::spawn(move || serve(&server));

    let question = Message { kind: Kind::Question, number: 7, text: text.to_vec() };
    client.send_to(&question.encode(), server_address)?;
    let (answer, source) = next(&client, Kind::Answer)?;
    serving.join().map_err(|_| "the server panicked")??;
    if source != server_address || answer.number != question.number {
        return Err(format!("{source} answered number {}", answer.number).into());
    }
    Ok(answer)
}

fn main() -> ExitCode {
    match converse(b"hello, protocol 253") {
        Ok(answer) => {
            println!("asked, and was answered: {}", String::from_utf8_lossy(&answer.text));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            match error.downcast_ref() {
                Some(OpenError::NotPermitted { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_damaged_ones_do_not() {
        let message = Message { kind: Kind::Question, number: 0x1234, text: b"text".to_vec() };
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Some(message));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert_eq!(Message::decode(&damaged), None, "byte {place}");
        }
        assert_eq!(Message::decode(&bytes[..3]), None);
    }

    #[test]
    #[ignore = "needs root: opens raw sockets"]
    fn the_question_is_answered() {
        let answer = converse(b"abc").unwrap();
        assert_eq!(answer.text, b"cba");
    }
}
