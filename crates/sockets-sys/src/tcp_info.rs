//! What the kernel knows of one TCP connection (`TCP_INFO`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Room for `struct tcp_info` as it is, and as it will have grown: 248 bytes in Linux 6.18.
const ROOM: usize = 512;

/// What the kernel knows of one TCP connection: `struct tcp_info` of linux/tcp.h, in the parts that
/// tell how the path and the peer do.
///
/// The structure has grown with the kernel. A field that the running kernel does not have is
/// `None`; those without an `Option` are there since Linux 2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// The smoothed round-trip time. Zero before it was measured once.
    pub rtt: Duration,
    /// How much the round-trip time varies (mean deviation).
    pub rttvar: Duration,
    /// The shortest round-trip time seen of late.
    pub min_rtt: Option<Duration>,
    /// Segments sent again, over the life of the connection.
    pub retransmits: u32,
    /// Timeouts in a row without an acknowledgement: above 0 the peer, or the path, is silent now.
    pub timeouts: u8,
    /// Window probes in a row without an answer: the peer has closed its window, or is gone.
    pub probes: u8,
    /// Segments that are sent and not acknowledged; of a listening socket: connections that wait to
    /// be accepted.
    pub unacked: u32,
    /// Of those, the segments taken for lost.
    pub lost: u32,
    /// The congestion window in segments.
    pub congestion_window: u32,
    /// The largest segment sent, in bytes.
    pub segment_size: u32,
    /// Since when the peer has acknowledged nothing, counted from its last acknowledgement.
    pub last_ack: Duration,
    /// Bytes that the peer has acknowledged (Linux 4.1). The connection's beginning, on the side
    /// that connected, and its end count as one each: they have sequence numbers, too.
    pub bytes_acked: Option<u64>,
    /// Bytes received in order (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Bytes that the kernel holds and has not sent once (Linux 4.6).
    pub unsent_bytes: Option<u32>,
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
    parse(given).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The fields by their offsets in linux/tcp.h; `None` where even the oldest ones are not whole.
fn parse(given: &[u8]) -> Option<TcpInfo> {
    let byte = |at: usize| given.get(at).copied();
    let word = |at: usize| given.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let long = |at: usize| given.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
    let micros = |value: u32| Duration::from_micros(value.into());
    Some(TcpInfo {
        timeouts: byte(2)?,
        probes: byte(3)?,
        segment_size: word(16)?,
        unacked: word(24)?,
        lost: word(32)?,
        last_ack: Duration::from_millis(word(56)?.into()),
        rtt: micros(word(68)?),
        rttvar: micros(word(72)?),
        congestion_window: word(80)?,
        retransmits: word(100)?,
        bytes_acked: long(120),
        bytes_received: long(128),
        unsent_bytes: word(144),
        // All ones where it was not measured yet.
        min_rtt: word(148).filter(|value| *value != u32::MAX).map(micros),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};

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
        assert_eq!((info.unacked, info.unsent_bytes), (0, Some(0)));
        assert!(info.rtt > Duration::ZERO && info.segment_size > 0, "{info:?}");
        assert_eq!(tcp_info(&there).unwrap().bytes_received, Some(1000));
    }

    #[test]
    fn another_socket_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(tcp_info(&socket).is_err());
    }

    #[test]
    fn an_older_kernel_gives_less_and_a_stump_is_no_answer() {
        let bytes: Vec<u8> = (0..=255).collect();
        let whole = parse(&bytes).unwrap();
        assert!(whole.bytes_acked.is_some() && whole.min_rtt.is_some());
        let old = parse(&bytes[..104]).unwrap();
        assert_eq!((old.bytes_acked, old.unsent_bytes, old.min_rtt), (None, None, None));
        assert_eq!(old.rtt, whole.rtt);
        assert_eq!(parse(&bytes[..103]), None);
    }
}
