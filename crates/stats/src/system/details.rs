//! What the kernel tells of a socket only where it is asked: `TCP_INFO`, memory, drops.

use std::time::Duration;

use serde::Serialize;

/// What the kernel tells of a socket only where it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Details {
    /// Of a TCP socket that is connected, or was.
    pub tcp: Option<TcpDetails>,
    /// Memory and drops (`SK_MEMINFO_*`).
    pub memory: Option<SocketMemory>,
}

/// `struct tcp_info` (`linux/tcp.h`), the part that people look at.
///
/// The kernel's structure grew over time: what an older kernel does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TcpDetails {
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_deviation: Duration,
    /// The smallest seen; Linux 4.6.
    pub min_rtt: Option<Duration>,
    /// The retransmission timeout.
    pub retransmission_timeout: Duration,
    /// The largest segment sent, in bytes.
    pub send_segment: u32,
    /// The congestion window, in segments.
    pub congestion_window: u32,
    /// Segments on the way that are not acknowledged.
    pub unacknowledged: u32,
    /// Segments sent again since the connection began.
    pub retransmits: u32,
    /// How long ago data was last sent.
    pub since_sent: Duration,
    /// How long ago data last came.
    pub since_received: Duration,
    /// Bytes that the peer acknowledged; Linux 4.1.
    pub bytes_acknowledged: Option<u64>,
    /// Bytes received; Linux 4.1.
    pub bytes_received: Option<u64>,
    /// Bytes sent, with those sent again; Linux 4.19.
    pub bytes_sent: Option<u64>,
    /// Bytes sent again; Linux 4.19.
    pub bytes_retransmitted: Option<u64>,
    /// The rate at which data was delivered, in bytes per second; Linux 4.9.
    pub delivery_rate: Option<u64>,
}

impl TcpDetails {
    /// Reads `struct tcp_info` of whatever length: what lies beyond its end is `None`, or 0 where
    /// every kernel since 2.6 has it.
    pub fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u32::from_ne_bytes(*bytes))
        };
        let long = |at: usize| {
            let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u64::from_ne_bytes(*bytes))
        };
        let first = |at: usize| word(at).unwrap_or_default();
        let micros = |value: u32| Duration::from_micros(value.into());
        let millis = |value: u32| Duration::from_millis(value.into());
        Self {
            retransmission_timeout: micros(first(8)),
            send_segment: first(16),
            unacknowledged: first(24),
            since_sent: millis(first(44)),
            since_received: millis(first(52)),
            rtt: micros(first(68)),
            rtt_deviation: micros(first(72)),
            congestion_window: first(80),
            retransmits: first(100),
            bytes_acknowledged: long(120),
            bytes_received: long(128),
            // All bits: no sample yet (`minmax_get` of a window that was only reset).
            min_rtt: word(148).filter(|rtt| *rtt != u32::MAX).map(micros),
            delivery_rate: long(160),
            bytes_sent: long(200),
            bytes_retransmitted: long(208),
        }
    }
}

/// The memory of a socket, in bytes, and what it dropped (`linux/sock_diag.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SocketMemory {
    /// In use for what was received.
    pub receive: u32,
    /// The most it may be (`SO_RCVBUF`).
    pub receive_limit: u32,
    /// In use for what is to be sent.
    pub send: u32,
    /// The most it may be (`SO_SNDBUF`).
    pub send_limit: u32,
    /// In use while the process is reading.
    pub backlog: u32,
    /// Packets that were dropped because there was no room, since the socket was made; of a
    /// listening one, connections too. `None` from a kernel before 4.7.
    pub drops: Option<u32>,
}

impl SocketMemory {
    /// Reads the words of `INET_DIAG_SKMEMINFO`, however many there are.
    pub fn read(bytes: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = bytes.get(index * 4..).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u32::from_ne_bytes(*bytes))
        };
        let first = |index: usize| word(index).unwrap_or_default();
        Self {
            receive: first(0),
            receive_limit: first(1),
            send: first(2),
            send_limit: first(3),
            backlog: first(7),
            drops: word(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each word of the structure is its own offset, so that a wrong one is seen.
    fn numbered() -> Vec<u8> {
        (0_u32..62).flat_map(|word| (word * 4).to_ne_bytes()).collect()
    }

    #[test]
    fn fields_are_where_the_kernel_has_them() {
        let read = TcpDetails::read(&numbered());
        assert_eq!(read.rtt, Duration::from_micros(68));
        assert_eq!(read.retransmits, 100);
        assert_eq!(read.min_rtt, Some(Duration::from_micros(148)));
        let long = |at: u64| {
            if cfg!(target_endian = "little") { (at + 4) << 32 | at } else { at << 32 | (at + 4) }
        };
        assert_eq!(read.bytes_acknowledged, Some(long(120)));
        assert_eq!(read.bytes_retransmitted, Some(long(208)));
    }

    #[test]
    fn what_an_older_kernel_lacks_is_none() {
        // Linux 3.x ended behind `tcpi_total_retrans`.
        let read = TcpDetails::read(&numbered()[..104]);
        assert_eq!(read.retransmits, 100);
        assert_eq!(read.bytes_received, None);
        assert_eq!(read.min_rtt, None);
        assert_eq!(SocketMemory::read(&[1; 32]).drops, None);
        assert!(SocketMemory::read(&[1; 36]).drops.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (TcpDetails::read(&bytes), SocketMemory::read(&bytes));
        }
    }
}
