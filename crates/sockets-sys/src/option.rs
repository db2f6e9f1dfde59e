//! Socket options that neither socket2 nor rustix sets, and the two system calls they take.

use std::ffi::c_int;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::SockRef;

/// Asks for a receive buffer of `bytes` and returns what the kernel granted, in bytes.
///
/// With `CAP_NET_ADMIN` the request is beyond the system's limit (`SO_RCVBUFFORCE`); without it,
/// the limit is `net.core.rmem_max`. The kernel doubles a request to make room for its own
/// bookkeeping (socket(7)): what it grants is twice what was asked for, or else it was capped.
///
/// # Errors
///
/// What the kernel says of the descriptor; a request that it caps is no error.
pub fn set_receive_buffer(fd: impl AsFd, bytes: usize) -> io::Result<usize> {
    let fd = fd.as_fd();
    // The kernel takes an int and doubles it.
    let bytes = bytes.min(c_int::MAX as usize / 2);
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(fd, bytes).is_err() {
        SockRef::from(&fd).set_recv_buffer_size(bytes)?;
    }
    SockRef::from(&fd).recv_buffer_size()
}

/// Whether the kernel stamps what it receives (`SO_TIMESTAMPNS`): see
/// [`Received::timestamp`](crate::Received::timestamp).
///
/// # Errors
///
/// What the kernel says of the descriptor.
pub fn set_timestamps(fd: impl AsFd, on: bool) -> io::Result<()> {
    set_int(fd.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, c_int::from(on))
}

/// Makes a pending error of a datagram socket wake who waits for urgent data, too (`EPOLLPRI`,
/// `SO_SELECT_ERR_QUEUE`; Linux 3.10 and later). Without it an error alone wakes who waits for room, or
/// for errors by name, and not who waits for data.
///
/// # Errors
///
/// What the kernel says of the descriptor.
pub fn report_errors_as_priority(fd: impl AsFd) -> io::Result<()> {
    set_int(fd.as_fd(), libc::SOL_SOCKET, libc::SO_SELECT_ERR_QUEUE, 1)
}

/// Sets an option whose value is a C int.
pub(crate) fn set_int(
    fd: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: c_int,
) -> io::Result<()> {
    set(fd, level, option, &value)
}

/// A plain structure of the kernel: no pointers in it, any bytes are a value.
///
/// # Safety
///
/// The type must be `repr(C)`, hold integers and arrays of integers only, and have no padding.
pub(crate) unsafe trait OptionValue: Copy {}

// SAFETY: an integer.
unsafe impl OptionValue for c_int {}
// SAFETY: bytes.
unsafe impl<const N: usize> OptionValue for [u8; N] {}
// SAFETY: integers, without padding.
unsafe impl<const N: usize> OptionValue for [u32; N] {}
// SAFETY: four integers and an array of bytes, without padding (packet(7)).
unsafe impl OptionValue for libc::packet_mreq {}
// SAFETY: seven integers of 32 bits.
unsafe impl OptionValue for libc::tpacket_req3 {}
// SAFETY: two integers of 32 bits.
unsafe impl OptionValue for libc::tpacket_stats {}

pub(crate) fn set<T: OptionValue>(
    fd: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `value`, which is a live reference to
    // as many initialised bytes (`OptionValue`), and keeps no pointer.
    let status = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            mem::size_of::<T>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option into `value`; what the kernel does not write keeps its bytes.
pub(crate) fn read<T: OptionValue>(
    fd: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    mut value: T,
) -> io::Result<T> {
    let mut size = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes at `value`, which is as large; any bytes are
    // a value of `T` (`OptionValue`).
    let status = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            option,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut size,
        )
    };
    if status == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn the_buffer_granted_is_the_one_in_force() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let granted = set_receive_buffer(&socket, 64 * 1024).unwrap();
        assert_eq!(granted, SockRef::from(&socket).recv_buffer_size().unwrap());
        assert!(granted >= 64 * 1024, "granted {granted}");
    }

    #[test]
    fn a_request_past_an_int_is_capped_not_wrapped() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let modest = set_receive_buffer(&socket, 4096).unwrap();
        assert!(set_receive_buffer(&socket, usize::MAX).unwrap() > modest);
    }
}
