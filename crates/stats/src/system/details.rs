//! What the kernel tells of a socket only where it is asked: `TCP_INFO`, memory, drops.

use std::time::Duration;

use serde::Serialize;

/// What a TCP socket has moved in its life, as far as the kernel tells (Linux 4.1): `bytes_received`
/// and `bytes_acked` of [`TcpDetails`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Bytes that the peer acknowledged.
    pub acknowledged: u64,
}

impl Traffic {
    pub(super) fn of(tcp: &TcpDetails) -> Option<Self> {
        Some(Self { received: tcp.bytes_received?, acknowledged: tcp.bytes_acked? })
    }
}

/// What the kernel tells of a socket only where it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Details {
    /// Of a TCP socket that is connected, or was.
    pub tcp: Option<TcpDetails>,
    /// Memory and drops (`SK_MEMINFO_*`).
    pub memory: Option<SocketMemory>,
}

/// `struct tcp_info` (`linux/tcp.h`), the part that people look at, under the kernel's names.
///
/// The kernel's structure grew over time: what an older kernel does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TcpDetails {
    /// The retransmission timeout.
    pub rto: Duration,
    /// The largest segment sent, in bytes.
    pub snd_mss: u32,
    /// Segments on the way that are not acknowledged.
    pub unacked: u32,
    /// How long ago data was last sent.
    pub last_data_sent: Duration,
    /// How long ago data last came.
    pub last_data_recv: Duration,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rttvar: Duration,
    /// The congestion window, in segments.
    pub snd_cwnd: u32,
    /// Segments sent again since the connection began.
    pub total_retrans: u32,
    /// Bytes that the peer acknowledged; Linux 4.1.
    pub bytes_acked: Option<u64>,
    /// Bytes received; Linux 4.1.
    pub bytes_received: Option<u64>,
    /// The smallest round-trip time seen; Linux 4.6.
    pub min_rtt: Option<Duration>,
    /// The rate at which data was delivered, in bytes per second; Linux 4.9.
    pub delivery_rate: Option<u64>,
    /// Bytes sent, with those sent again; Linux 4.19.
    pub bytes_sent: Option<u64>,
    /// Bytes sent again; Linux 4.19.
    pub bytes_retrans: Option<u64>,
}

#[cfg(target_os = "linux")]
impl Traffic {
    /// Reads it out of `struct tcp_info`; `None` where that is shorter than Linux 4.1 had it.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (acknowledged, received) = sockets_sys::TcpInfo::traffic(bytes)?;
        Some(Self { received, acknowledged })
    }
}

#[cfg(target_os = "linux")]
impl TcpDetails {
    /// Reads `struct tcp_info` of whatever length; `None` where it is shorter than Linux 2.6 had it.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let info = sockets_sys::TcpInfo::parse(bytes)?;
        Some(Self {
            rto: info.rto,
            snd_mss: info.snd_mss,
            unacked: info.unacked,
            last_data_sent: info.last_data_sent,
            last_data_recv: info.last_data_recv,
            rtt: info.rtt,
            rttvar: info.rttvar,
            snd_cwnd: info.snd_cwnd,
            total_retrans: info.total_retrans,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            min_rtt: info.min_rtt,
            delivery_rate: info.delivery_rate,
            bytes_sent: info.bytes_sent,
            bytes_retrans: info.bytes_retrans,
        })
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

    #[test]
    fn what_an_older_kernel_lacks_is_none() {
        assert_eq!(SocketMemory::read(&[1; 32]).drops, None);
        assert!(SocketMemory::read(&[1; 36]).drops.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = SocketMemory::read(&bytes);
        }
    }
}
