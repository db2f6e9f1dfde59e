//! What to ask a UDP port: datagrams that its usual services answer.

use std::net::IpAddr;

use ports_core::Port;

/// One question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    datagram: Datagram,
}

#[derive(Clone, Copy, Debug)]
enum Datagram {
    /// These bytes, whoever is asked.
    Fixed(&'static [u8]),
    /// Built for the host that is asked.
    Built(fn(IpAddr, &mut Vec<u8>)),
}

impl Question {
    const fn fixed(bytes: &'static [u8]) -> Self {
        Self { datagram: Datagram::Fixed(bytes) }
    }

    const fn built(build: fn(IpAddr, &mut Vec<u8>)) -> Self {
        Self { datagram: Datagram::Built(build) }
    }

    /// Appends the datagram that asks `host`.
    pub(super) fn write(&self, host: IpAddr, datagram: &mut Vec<u8>) {
        match self.datagram {
            Datagram::Fixed(bytes) => datagram.extend_from_slice(bytes),
            Datagram::Built(build) => build(host, datagram),
        }
    }
}

/// For services that answer anything: daytime, chargen, and whatever nobody knows of.
const EMPTY: Question = Question::fixed(b"");
const LINES: Question = Question::fixed(b"\r\n\r\n");

/// The questions for a port; never none.
pub(super) fn questions(_port: Port) -> &'static [Question] {
    &[EMPTY, LINES]
}
