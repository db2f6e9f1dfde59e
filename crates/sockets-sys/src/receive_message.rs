//! One datagram received into the caller's memory (`recvmsg`), with all that the kernel tells of it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use crate::address::Name;
use crate::control::{Control, ReceivedControl};
use crate::receive_batch::Source;

/// What [`receive_message`] received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// The datagram's true length in bytes: more than the buffer has where it was cut.
    pub length: usize,
    /// Where it came from; `None` where the kernel did not say, or not by an IP address.
    pub source: Option<SocketAddr>,
    /// What else the kernel tells, of a socket whose options ask for it.
    pub control: ReceivedControl,
}

/// Receives one datagram into `buffer`, in one call that does not wait.
///
/// Not for streams: what a stream receives in this way is lost. (To ask for the type of the socket
/// would be a second call for each datagram.) Descriptors that a peer sends along over a UNIX socket
/// are closed.
///
/// # Errors
///
/// What the kernel says: `WouldBlock` where there is nothing now.
pub fn receive_message(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<ReceivedMessage> {
    let mut name = Name::EMPTY;
    let mut control = Control::EMPTY;
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and zero lengths. (It has private
    // padding fields on some systems, so it cannot be written out.)
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = Name::SIZE as u32;
    header.msg_control = ptr::from_mut(&mut control).cast();
    header.msg_controllen = Control::SIZE as _;
    // With MSG_TRUNC the length told is the datagram's, not what fitted.
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    let length = loop {
        // SAFETY: the header points at a vector, a name and control data that live in this frame
        // and at the caller's buffer, borrowed exclusively; the kernel writes at most the sizes
        // given and keeps no pointer.
        let length = unsafe { libc::recvmsg(fd.as_fd().as_raw_fd(), &raw mut header, flags) };
        if let Ok(length) = usize::try_from(length) {
            break length;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    };
    #[allow(clippy::unnecessary_cast, reason = "musl's field is 32 bits wide")]
    let size = header.msg_controllen as usize;
    // SAFETY: the kernel has just written it.
    unsafe { control.close_descriptors(size) };
    let (_, mut told) = control.read(size);
    told.truncated = header.msg_flags & libc::MSG_CTRUNC != 0;
    let source = match name.decode(header.msg_namelen as usize) {
        Source::Socket(address) => Some(address),
        Source::Unknown | Source::Link(_) => None,
    };
    Ok(ReceivedMessage { length, source, control: told })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::wait_readable;

    #[test]
    fn a_cut_datagram_tells_its_length_and_its_sender() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let here = UdpSocket::bind(address).unwrap();
            let there = UdpSocket::bind(address).unwrap();
            here.send_to(b"123456", there.local_addr().unwrap()).unwrap();
            wait_readable([there.as_fd()], std::time::Duration::MAX).unwrap();
            let mut buffer = [0; 4];
            let received = receive_message(&there, &mut buffer).unwrap();
            assert_eq!((received.length, &buffer), (6, b"1234"));
            assert_eq!(received.source, Some(here.local_addr().unwrap()));
            assert_eq!(received.control, ReceivedControl::default());
            let error = receive_message(&there, &mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn no_buffer_and_no_address_are_no_error() {
        let (here, there) = UnixDatagram::pair().unwrap();
        here.send(b"123").unwrap();
        let received = receive_message(&there, &mut []).unwrap();
        assert_eq!((received.length, received.source), (3, None));
    }

    #[test]
    fn descriptors_in_a_datagram_are_closed() {
        let (here, there) = UnixDatagram::pair().unwrap();
        let mut other_end = crate::control::tests::send_descriptors(&here);
        assert_eq!(receive_message(&there, &mut [0; 4]).unwrap().length, 1);
        assert!(crate::control::tests::is_closed(&mut other_end));
    }
}
