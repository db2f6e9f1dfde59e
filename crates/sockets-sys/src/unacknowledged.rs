//! How much of what was sent on a TCP connection its peer has not acknowledged (`SIOCOUTQ`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// How many bytes the kernel took for the peer of a TCP connection and the peer has not
/// acknowledged: `ioctl(SIOCOUTQ)`, tcp(7), which by `tcp_ioctl` in net/ipv4/tcp.c is all that is
/// queued, sent or not. The end of the stream counts as one byte. Acknowledged means that the peer's
/// kernel has it, not that its program has read it.
///
/// # Errors
///
/// What the kernel says of the descriptor: no socket, or one that listens (`InvalidInput`).
pub fn unacknowledged_bytes(fd: impl AsFd) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes one `int` at `bytes`, which is one, and does not keep the pointer.
    // SIOCOUTQ and TIOCOUTQ are one number (linux/sockios.h).
    let status =
        unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCOUTQ as _, &raw mut bytes) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    // The kernel's number is a difference of sequence numbers in order: never negative.
    Ok(usize::try_from(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_the_peer_has_no_room_for_is_not_acknowledged() {
        const MUCH: usize = 16 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut there = listener.accept().unwrap().0;
        assert_eq!(unacknowledged_bytes(&here).unwrap(), 0);
        // However large the system lets its buffers grow, not all of it fits.
        SockRef::from(&here).set_send_buffer_size(64 * 1024).unwrap();
        here.set_nonblocking(true).unwrap();
        let data = vec![7; MUCH];
        let mut taken = 0;
        while let Ok(now) = here.write(&data[taken..]) {
            taken += now;
        }
        assert!(unacknowledged_bytes(&here).unwrap() > 0, "the kernel took {taken}, nobody reads");
        here.shutdown(Shutdown::Write).unwrap();
        let mut read = Vec::new();
        there.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), taken);
        // The end of its own stream carries the last acknowledgement.
        drop(there);
        here.set_nonblocking(false).unwrap();
        assert_eq!(here.read(&mut [0; 1]).unwrap(), 0);
        assert_eq!(unacknowledged_bytes(&here).unwrap(), 0);
    }

    #[test]
    fn a_listener_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = unacknowledged_bytes(&listener).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
