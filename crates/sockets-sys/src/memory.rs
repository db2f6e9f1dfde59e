//! What a socket's queues hold, and what was dropped (`SO_MEMINFO`).

use std::io;
use std::os::fd::AsFd;

/// How many datagrams the kernel has dropped so far on this socket, modulo 2^32, because its
/// receive buffer was full or a checksum was wrong (`SK_MEMINFO_DROPS` in
/// `include/uapi/linux/sock_diag.h`; Linux 4.12 and later).
///
/// The same counter as [`ReceivedControl::kernel_drops`](crate::ReceivedControl::kernel_drops), as
/// it is now and not as it was when a datagram was queued.
///
/// # Errors
///
/// What the kernel says of the descriptor.
pub fn dropped_datagrams(fd: impl AsFd) -> io::Result<u32> {
    let variables =
        crate::option::read(fd.as_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, [0_u32; VARIABLES])?;
    Ok(variables[DROPS])
}

/// `SK_MEMINFO_VARS`, and the place of `SK_MEMINFO_DROPS` among them.
const VARIABLES: usize = 9;
const DROPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    use socket2::SockRef;

    #[test]
    fn drops_are_told_without_a_datagram_to_tell_them() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&there).set_recv_buffer_size(1).unwrap();
        assert_eq!(dropped_datagrams(&there).unwrap(), 0);
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Until one is: loopback may take a moment, and the buffer holds a few.
        while dropped_datagrams(&there).unwrap() == 0 {
            here.send_to(&[0; 512], there.local_addr().unwrap()).unwrap();
        }
    }
}
