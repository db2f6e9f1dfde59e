//! What the error of a `connect` means: a remote state, a local failure, or nothing yet.

use std::io;

use rustix::io::Errno;

use crate::engine::{LocalError, Reply};

/// How far a connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Connected: see whether it is a service or a socket of our own.
    Connected,
    /// The target, or a router, answered.
    Answered(Reply),
    /// Still under way.
    Pending,
    /// This machine's own trouble.
    Local(LocalError),
    /// The kernel gave up waiting; so will the engine.
    Silent,
}

/// When the error came, and where the target is: the same number means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// From the first `connect` itself, before any packet could come back.
    pub(super) immediate: bool,
    /// The target is on a link of this machine, so no router stands between.
    pub(super) on_link: bool,
}

/// Reads the result of a non-blocking `connect` (connect(2), tcp(7), ip(7) "Error handling").
pub(super) fn classify(result: &io::Result<()>, context: Context) -> Outcome {
    let Err(error) = result else { return Outcome::Connected };
    let Some(errno) = Errno::from_io_error(error) else {
        return Outcome::Local(LocalError::Resources);
    };
    match errno {
        Errno::INPROGRESS | Errno::ALREADY | Errno::INTR => Outcome::Pending,
        Errno::ISCONN => Outcome::Connected,
        Errno::CONNREFUSED => Outcome::Answered(Reply::Closed),
        // Only an established connection is reset or broken: a refusal in the handshake is
        // ECONNREFUSED (tcp_reset in net/ipv4/tcp_input.c). Something was open there.
        Errno::CONNRESET | Errno::PIPE => Outcome::Answered(Reply::Open),
        Errno::TIMEDOUT => Outcome::Silent,
        Errno::HOSTUNREACH | Errno::HOSTDOWN if context.on_link => {
            Outcome::Local(LocalError::NeighbourUnresolved)
        }
        Errno::HOSTUNREACH | Errno::HOSTDOWN | Errno::NETUNREACH if context.immediate => {
            Outcome::Local(LocalError::NoRoute)
        }
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Outcome::Answered(Reply::HostUnreachable),
        Errno::NETUNREACH => Outcome::Answered(Reply::NetworkUnreachable),
        Errno::NETDOWN => Outcome::Local(LocalError::NoRoute),
        Errno::ACCESS | Errno::PERM => Outcome::Local(LocalError::NotPermitted),
        Errno::INVAL | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT => {
            Outcome::Local(LocalError::InvalidAddress)
        }
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EADDRINUSE, EAGAIN, and whatever else the
        // kernel may think of: worth another try, never a verdict on the target.
        _ => Outcome::Local(LocalError::Resources),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Context = Context { immediate: false, on_link: false };

    fn outcome(errno: Errno, context: Context) -> Outcome {
        classify(&Err(errno.into()), context)
    }

    #[test]
    fn defect_8_only_a_refusal_is_closed() {
        for code in 1..134 {
            let errno = Errno::from_raw_os_error(code);
            for immediate in [true, false] {
                for on_link in [true, false] {
                    let closed = outcome(errno, Context { immediate, on_link })
                        == Outcome::Answered(Reply::Closed);
                    assert_eq!(closed, errno == Errno::CONNREFUSED, "errno {code}");
                }
            }
        }
    }

    #[test]
    fn out_of_descriptors_is_local() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL]
        {
            assert_eq!(outcome(errno, FAR), Outcome::Local(LocalError::Resources));
        }
    }

    #[test]
    fn unreachable_depends_on_when_and_where() {
        let near = Context { on_link: true, ..FAR };
        let first = Context { immediate: true, ..FAR };
        let local = Outcome::Local;
        assert_eq!(outcome(Errno::HOSTUNREACH, near), local(LocalError::NeighbourUnresolved));
        assert_eq!(outcome(Errno::HOSTUNREACH, first), local(LocalError::NoRoute));
        assert_eq!(outcome(Errno::NETUNREACH, first), local(LocalError::NoRoute));
        assert_eq!(outcome(Errno::HOSTUNREACH, FAR), Outcome::Answered(Reply::HostUnreachable));
        assert_eq!(outcome(Errno::NETUNREACH, FAR), Outcome::Answered(Reply::NetworkUnreachable));
    }
}
