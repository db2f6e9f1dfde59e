//! What the kernel knows of one TCP connection (`TCP_INFO`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Room for `struct tcp_info` as it is, and as it will have grown: 248 bytes in Linux 6.18.
const ROOM: usize = 512;
/// Where `tcpi_bytes_acked` is; `tcpi_bytes_received` is behind it.
const BYTES_ACKED: usize = 120;

/// What the kernel knows of one TCP connection: `struct tcp_info` of linux/tcp.h, in the parts that
/// tell how the path and the peer do, under the kernel's names.
///
/// The structure has grown with the kernel. A field that the running kernel does not have is
/// `None`; those without an `Option` are there since Linux 2.6.
///
/// With the feature `serde` it is data of serde; a duration is `{"secs":0,"nanos":0}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TcpInfo {
    /// Timeouts in a row without an acknowledgement: above 0 the peer, or the path, is silent now.
    pub retransmits: u8,
    /// Window probes in a row without an answer: the peer has closed its window, or is gone.
    pub probes: u8,
    /// The retransmission timeout.
    pub rto: Duration,
    /// The largest segment sent, in bytes.
    pub snd_mss: u32,
    /// Segments that are sent and not acknowledged; of a listening socket: connections that wait to
    /// be accepted.
    pub unacked: u32,
    /// Of those, the segments taken for lost.
    pub lost: u32,
    /// How long ago data was last sent.
    pub last_data_sent: Duration,
    /// How long ago data last came.
    pub last_data_recv: Duration,
    /// How long ago the peer last acknowledged anything.
    pub last_ack_recv: Duration,
    /// The smoothed round-trip time. Zero before it was measured once.
    pub rtt: Duration,
    /// How much the round-trip time varies (mean deviation).
    pub rttvar: Duration,
    /// The congestion window in segments.
    pub snd_cwnd: u32,
    /// Segments sent again, over the life of the connection.
    pub total_retrans: u32,
    /// Bytes that the peer has acknowledged (Linux 4.1). The connection's beginning, on the side
    /// that connected, and its end count as one each: they have sequence numbers, too.
    pub bytes_acked: Option<u64>,
    /// Bytes received in order (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Bytes that the kernel holds and has not sent once (Linux 4.6).
    pub notsent_bytes: Option<u32>,
    /// The shortest round-trip time seen of late (Linux 4.6).
    pub min_rtt: Option<Duration>,
    /// The rate at which data was delivered, in bytes per second (Linux 4.9).
    pub delivery_rate: Option<u64>,
    /// Bytes sent, with those sent again (Linux 4.19).
    pub bytes_sent: Option<u64>,
    /// Bytes sent again (Linux 4.19).
    pub bytes_retrans: Option<u64>,
}

/// Asks the kernel what it knows of a TCP connection: `getsockopt(TCP_INFO)`.
///
/// # Errors
///
/// What the kernel says of the descriptor: no socket, or none of TCP. `InvalidData` where it gives
/// less than Linux 2.6 does.
pub fn tcp_info(fd: impl AsFd) -> io::Result<TcpInfo> {
    let mut bytes = [0_u8; ROOM];
    let mut size = ROOM as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes at `bytes`, which is as large and of bytes,
    // and says in `size` how many; it keeps neither pointer.
    let status = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO as c_int,
            bytes.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    let given = bytes.get(..size as usize).unwrap_or(&bytes);
    TcpInfo::parse(given).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl TcpInfo {
    /// Reads [`bytes_acked`](Self::bytes_acked) and [`bytes_received`](Self::bytes_received) alone;
    /// `None` where the kernel does not have them. For who asks of 100,000 connections.
    pub fn traffic(bytes: &[u8]) -> Option<(u64, u64)> {
        let (acked, received) = bytes.get(BYTES_ACKED..)?.first_chunk::<16>()?.split_at(8);
        let long = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        Some((long(acked)?, long(received)?))
    }

    /// Reads `struct tcp_info` of whatever length, as `getsockopt` and `sock_diag(7)` give it; `None`
    /// where even the fields of Linux 2.6 are not whole. Total: any bytes, no panic.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let byte = |at: usize| bytes.get(at).copied();
        let word =
            |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let long =
            |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let micros = |value: u32| Duration::from_micros(value.into());
        let millis = |value: u32| Duration::from_millis(value.into());
        // By their offsets in linux/tcp.h.
        Some(Self {
            retransmits: byte(2)?,
            probes: byte(3)?,
            rto: micros(word(8)?),
            snd_mss: word(16)?,
            unacked: word(24)?,
            lost: word(32)?,
            last_data_sent: millis(word(44)?),
            last_data_recv: millis(word(52)?),
            last_ack_recv: millis(word(56)?),
            rtt: micros(word(68)?),
            rttvar: micros(word(72)?),
            snd_cwnd: word(80)?,
            total_retrans: word(100)?,
            bytes_acked: long(BYTES_ACKED),
            bytes_received: long(BYTES_ACKED + 8),
            notsent_bytes: word(144),
            // All ones where it was not measured yet.
            min_rtt: word(148).filter(|value| *value != u32::MAX).map(micros),
            delivery_rate: long(160),
            bytes_sent: long(200),
            bytes_retrans: long(208),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_sent_and_read_is_acknowledged_and_received() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut there = listener.accept().unwrap().0;
        here.write_all(&[7; 1000]).unwrap();
        there.read_exact(&mut [0; 1000]).unwrap();
        // The answer carries the acknowledgement, where none came before it.
        there.write_all(&[8]).unwrap();
        here.read_exact(&mut [0; 1]).unwrap();
        let info = tcp_info(&here).unwrap();
        assert_eq!(info.bytes_acked, Some(1001), "and the SYN");
        assert_eq!(info.bytes_received, Some(1));
        assert_eq!((info.unacked, info.notsent_bytes), (0, Some(0)));
        assert!(info.rtt > Duration::ZERO && info.snd_mss > 0, "{info:?}");
        assert_eq!(tcp_info(&there).unwrap().bytes_received, Some(1000));
    }

    #[test]
    fn another_socket_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(tcp_info(&socket).is_err());
    }

    /// Each word of the structure is its own offset, so that a wrong one is seen.
    fn numbered() -> Vec<u8> {
        (0_u32..62).flat_map(|word| (word * 4).to_ne_bytes()).collect()
    }

    #[test]
    fn fields_are_where_the_kernel_has_them() {
        let info = TcpInfo::parse(&numbered()).unwrap();
        assert_eq!((info.rto, info.rtt), (Duration::from_micros(8), Duration::from_micros(68)));
        assert_eq!((info.total_retrans, info.notsent_bytes), (100, Some(144)));
        assert_eq!(info.min_rtt, Some(Duration::from_micros(148)));
        let long = |at: u64| {
            if cfg!(target_endian = "little") { (at + 4) << 32 | at } else { at << 32 | (at + 4) }
        };
        assert_eq!(info.bytes_acked, Some(long(120)));
        assert_eq!(info.bytes_received, Some(long(128)));
        assert_eq!(TcpInfo::traffic(&numbered()), Some((long(120), long(128))));
        assert_eq!(TcpInfo::traffic(&numbered()[..135]), None);
        assert_eq!(info.bytes_retrans, Some(long(208)));
    }

    #[test]
    fn an_older_kernel_gives_less_and_a_stump_is_no_answer() {
        let whole = TcpInfo::parse(&numbered()).unwrap();
        // Linux 3.x ended behind `tcpi_total_retrans`.
        let old = TcpInfo::parse(&numbered()[..104]).unwrap();
        assert_eq!((old.bytes_acked, old.notsent_bytes, old.min_rtt), (None, None, None));
        assert_eq!(old.rtt, whole.rtt);
        assert_eq!(TcpInfo::parse(&numbered()[..103]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(TcpInfo::parse(&bytes).is_some(), bytes.len() >= 104);
        }
    }
}
