//! What the error of sending a datagram means, once it is known to be this datagram's own.

use rustix::io::Errno;

use crate::engine::LocalError;

/// Reads the error of a `sendto` on a socket without an error left over from another datagram (udp(7),
/// ip(7)). None is a state of the target: nothing left this machine.
pub(super) fn classify(error: Errno) -> LocalError {
    match error {
        Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::HOSTDOWN => LocalError::NoRoute,
        Errno::NETDOWN | Errno::NODEV | Errno::NXIO => LocalError::NetworkDown,
        // A filter or a security module; a `prohibit` route.
        Errno::PERM | Errno::ACCESS => LocalError::NotPermitted,
        Errno::ADDRNOTAVAIL => LocalError::NoSourceAddress,
        Errno::INVAL | Errno::AFNOSUPPORT | Errno::DESTADDRREQ => LocalError::InvalidAddress,
        // EAGAIN, ENOBUFS, ENOMEM, and whatever else the kernel may think of: worth another try.
        _ => LocalError::Buffers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_worth_another_try_and_no_route_is_not() {
        for errno in [Errno::AGAIN, Errno::NOBUFS, Errno::NOMEM, Errno::CONNREFUSED] {
            assert_eq!(classify(errno), LocalError::Buffers);
        }
        assert_eq!(classify(Errno::NETUNREACH), LocalError::NoRoute);
        assert_eq!(classify(Errno::HOSTUNREACH), LocalError::NoRoute);
        assert_eq!(classify(Errno::NETDOWN), LocalError::NetworkDown);
        assert_eq!(classify(Errno::PERM), LocalError::NotPermitted);
        assert_eq!(classify(Errno::INVAL), LocalError::InvalidAddress);
        assert_eq!(classify(Errno::ADDRNOTAVAIL), LocalError::NoSourceAddress);
    }
}
