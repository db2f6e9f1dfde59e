//! Services as strict as real ones: each answers only what it understands.

use std::net::{SocketAddr, UdpSocket};

/// What to answer to a datagram, and whether from a port of its own.
pub(crate) type Serve = fn(&[u8]) -> Option<Answer>;

pub(crate) enum Answer {
    Here(Vec<u8>),
    /// As TFTP does it.
    FromElsewhere(Vec<u8>),
}

/// Ends with the process that started it: its thread serves to the end.
pub(crate) struct Service {
    address: SocketAddr,
    elsewhere: SocketAddr,
}

impl Service {
    pub(crate) fn start(address: &str, serve: Serve) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        // Made here, so that it is in the network namespace of the other one.
        let elsewhere = UdpSocket::bind((address.ip(), 0)).unwrap();
        let other_address = elsewhere.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            // Until the network that it is in is gone, or the process.
            while let Ok((length, sender)) = socket.recv_from(&mut buffer) {
                let _ = match serve(&buffer[..length]) {
                    Some(Answer::Here(answer)) => socket.send_to(&answer, sender),
                    Some(Answer::FromElsewhere(answer)) => elsewhere.send_to(&answer, sender),
                    None => Ok(0),
                };
            }
        });
        Self { address, elsewhere: other_address }
    }

    pub(crate) fn echo(address: &str) -> Self {
        Self::start(address, |datagram| Some(Answer::Here(datagram.to_vec())))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where it answers from that answers from elsewhere; nothing is taken in there.
    pub(crate) fn other_port(&self) -> u16 {
        self.elsewhere.port()
    }
}

fn when(understood: bool, answer: &[u8]) -> Option<Answer> {
    understood.then(|| Answer::Here(answer.to_vec()))
}

/// Ten of them, by port.
pub(crate) const SERVICES: [(u16, Serve); 10] = [
    (7, |datagram| Some(Answer::Here(datagram.to_vec()))),
    // A query with one question and nothing more, whose name and type end the datagram.
    (53, |datagram| {
        let counts = datagram.get(4..12) == Some(&[0, 1, 0, 0, 0, 0, 0, 0]);
        let mut rest = datagram.get(12..)?;
        while let [length @ 1..=63, tail @ ..] = rest {
            rest = tail.get(usize::from(*length)..)?;
        }
        let ends = matches!(rest, [0, _, _, 0, 1 | 3]);
        let mut answer = datagram.to_vec();
        *answer.get_mut(2)? |= 0x80;
        when(counts && ends && datagram[2] & 0x80 == 0, &answer)
    }),
    // A read request: a name and a mode, each ended by a zero.
    (69, |datagram| {
        let fields: Vec<_> = datagram.strip_prefix(&[0, 1])?.split(|byte| *byte == 0).collect();
        let understood = matches!(fields[..], [name, b"octet", b""] if !name.is_empty());
        understood.then(|| Answer::FromElsewhere(b"\x00\x05\x00\x01File not found\x00".to_vec()))
    }),
    // A client's packet, of a version in use.
    (123, |datagram| {
        let first = *datagram.first()?;
        when(
            datagram.len() == 48 && first & 7 == 3 && (1..=4).contains(&(first >> 3 & 7)),
            &[0x24; 48],
        )
    }),
    // Speaks version 3 only.
    (161, |datagram| when(datagram.get(2..5) == Some(&[2, 1, 3]), b"\x30\x00")),
    // Speaks version 1 of IKE only, and heeds the length.
    (500, |datagram| {
        let length = u32::from_be_bytes(datagram.get(24..28)?.try_into().ok()?);
        when(length as usize == datagram.len() && datagram[17] == 0x10, &datagram[..28])
    }),
    (1_194, |datagram| when(datagram.len() == 14 && datagram[0] >> 3 == 7, &[8 << 3; 26])),
    (1_900, |datagram| {
        let text = std::str::from_utf8(datagram).ok()?;
        when(
            text.starts_with("M-SEARCH * HTTP/1.1\r\n") && text.ends_with("\r\n\r\n"),
            b"HTTP/1.1 200 OK\r\n\r\n",
        )
    }),
    (3_478, |datagram| {
        let understood = datagram.len() == 20 && datagram[4..8] == [0x21, 0x12, 0xa4, 0x42];
        when(understood && datagram[..2] == [0, 1], &[1; 20])
    }),
    (5_683, |datagram| {
        when(datagram.first()? >> 6 == 1 && datagram.len() > 4, b"\x60\x45\x50\x53")
    }),
];
