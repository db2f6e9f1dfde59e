//! What one line tells, described in docs/json-lines.md.

use std::net::SocketAddr;

use ports_core::Endpoint;
use serde::Serialize;
use stats::Snapshot;

/// One line.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum EventLine {
    Listening {
        endpoint: Endpoint,
    },
    Connected {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        peer: SocketAddr,
    },
    Data {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        /// Of a datagram.
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<SocketAddr>,
        len: usize,
    },
    HalfClosed {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
    },
    Disconnected {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        peer: SocketAddr,
        reason: &'static str,
        bytes_in: u64,
        bytes_out: u64,
        /// Bytes that came and nobody read: left out where there are none.
        #[serde(skip_serializing_if = "is_none")]
        discarded: u64,
    },
    Lagged {
        missed: u64,
    },
    /// Somebody waits for a place among the most clients.
    Full {
        max_connections: u64,
    },
    /// A connection was closed before it was served.
    Refused {
        peer: SocketAddr,
        reason: &'static str,
    },
    /// A connection that never began to speak TLS.
    HandshakeFailed {
        peer: SocketAddr,
        error: String,
    },
    /// The end of an episode that an `error` of accepting began.
    AcceptResumed {
        refused: u64,
        lasted_ms: u64,
    },
    Reconnecting {
        attempt: u32,
        delay_ms: u64,
    },
    GaveUp {
        attempts: u32,
        lasted_ms: u64,
        /// Another try would have failed in the same way.
        permanent: bool,
        error: String,
    },
    /// Waits for the next connection.
    Kept {
        messages: u64,
        bytes: u64,
    },
    /// A message of which a part was sent.
    Cut {
        sent: u64,
        unsent: u64,
    },
    Dropped {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        messages: u64,
        /// Not known of datagrams that the kernel dropped.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// Of `forward`: on the way to its target.
    #[serde(rename = "dropped")]
    DroppedForTarget {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        /// Always `target`.
        to: &'static str,
        messages: u64,
        bytes: u64,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<u64>,
        operation: &'static str,
        error: String,
    },
    Stats(Snapshot),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &EventLine) -> String {
        serde_json::to_string(line).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_documentation() {
        let peer = "127.0.0.1:50000".parse().unwrap();
        let endpoint = "tcp://127.0.0.1:43211".parse().unwrap();
        for (line, expected) in [
            (
                EventLine::Listening { endpoint },
                r#"{"type":"listening","endpoint":"tcp://127.0.0.1:43211"}"#,
            ),
            (
                EventLine::Connected { client: Some(1), peer },
                r#"{"type":"connected","client":1,"peer":"127.0.0.1:50000"}"#,
            ),
            (
                EventLine::Data { client: None, peer: Some(peer), len: 5 },
                r#"{"type":"data","peer":"127.0.0.1:50000","len":5}"#,
            ),
            (EventLine::HalfClosed { client: Some(1) }, r#"{"type":"half-closed","client":1}"#),
            (
                EventLine::Disconnected {
                    client: Some(1),
                    peer,
                    reason: "shutdown",
                    bytes_in: 5,
                    bytes_out: 6,
                    discarded: 7,
                },
                r#"{"type":"disconnected","client":1,"peer":"127.0.0.1:50000","reason":"shutdown","bytes_in":5,"bytes_out":6,"discarded":7}"#,
            ),
            (
                EventLine::Dropped { client: None, messages: 3, bytes: None },
                r#"{"type":"dropped","messages":3}"#,
            ),
            (
                EventLine::DroppedForTarget {
                    client: Some(1),
                    to: "target",
                    messages: 1,
                    bytes: 5,
                },
                r#"{"type":"dropped","client":1,"to":"target","messages":1,"bytes":5}"#,
            ),
            (EventLine::Full { max_connections: 8 }, r#"{"type":"full","max_connections":8}"#),
            (
                EventLine::Reconnecting { attempt: 2, delay_ms: 150 },
                r#"{"type":"reconnecting","attempt":2,"delay_ms":150}"#,
            ),
            (
                EventLine::GaveUp {
                    attempts: 3,
                    lasted_ms: 812,
                    permanent: false,
                    error: "refused".to_owned(),
                },
                r#"{"type":"gave-up","attempts":3,"lasted_ms":812,"permanent":false,"error":"refused"}"#,
            ),
        ] {
            assert_eq!(text(&line), expected);
        }
        let stats = text(&EventLine::Stats(stats::SocketStats::new().snapshot()));
        assert!(stats.starts_with(r#"{"type":"stats","taken":{"#), "{stats}");
    }
}
