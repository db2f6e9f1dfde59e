//! The netlink socket: requests out, datagrams of the kernel in.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{option, wait_readable};

/// Which part of the kernel a netlink socket speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetlinkProtocol(Option<Protocol>);

impl NetlinkProtocol {
    /// Interfaces, addresses, routes, neighbours (rtnetlink(7)).
    pub const ROUTE: Self = Self(None);
    /// The sockets of the machine (`sock_diag(7)`).
    pub const SOCKET_DIAGNOSIS: Self = Self(Some(rustix::net::netlink::SOCK_DIAG));
}

/// A netlink socket: close-on-exec. It speaks to the kernel only; what other processes send to it
/// is dropped.
#[derive(Debug)]
pub struct NetlinkSocket {
    fd: OwnedFd,
    protocol: NetlinkProtocol,
    is_strict: bool,
    /// An answer may still be under way: the kernel refuses another dump on the descriptor until it
    /// is taken (`EBUSY`).
    pub(super) is_spoiled: bool,
}

impl NetlinkSocket {
    /// Opens a socket for one part of the kernel. No privilege is needed to ask.
    ///
    /// # Errors
    ///
    /// What the kernel says, such as `EPROTONOSUPPORT` for a part that it lacks.
    pub fn open(protocol: NetlinkProtocol) -> io::Result<Self> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol.0,
        )?;
        rustix::net::bind(&fd, &SocketAddrNetlink::new(0, 0))?;
        // Errors without a copy of the request, with the kernel's own words where it has some.
        for choice in [libc::NETLINK_CAP_ACK, libc::NETLINK_EXT_ACK] {
            option::set_int(fd.as_fd(), libc::SOL_NETLINK, choice, 1)?;
        }
        Ok(Self { fd, protocol, is_strict: false, is_spoiled: false })
    }

    /// Puts a fresh socket in the place of this one.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let mut fresh = Self::open(self.protocol)?;
        if self.is_strict {
            fresh.set_strict(true)?;
        }
        *self = fresh;
        Ok(())
    }

    /// Makes the kernel refuse what it does not understand in a request, and honour the filters of
    /// a dump (`NETLINK_GET_STRICT_CHK`, Linux 4.20).
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` on an older kernel.
    pub fn set_strict(&mut self, on: bool) -> io::Result<()> {
        let value = i32::from(on);
        option::set_int(self.fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, value)?;
        self.is_strict = on;
        Ok(())
    }

    /// Joins a multicast group: from now on the kernel sends its messages here, too
    /// (`NETLINK_ADD_MEMBERSHIP`). A socket that listens should not [`exchange`](Self::exchange): the
    /// fresh descriptor that may follow is in no group.
    ///
    /// # Errors
    ///
    /// `EPERM` where the group is for the privileged, `EINVAL` where there is none of this number.
    pub fn join(&self, group: u32) -> io::Result<()> {
        let group = i32::try_from(group).map_err(|_| Errno::INVAL)?;
        option::set_int(self.fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, group)
    }

    /// Sends a request; the kernel takes it whole or not at all.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.fd, request, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Receives one datagram of the kernel's into `buffer`, waiting up to `timeout` for it.
    ///
    /// A buffer of 32 KiB holds any datagram of a dump (`NLMSG_GOODSIZE` and `netlink_dump` in
    /// `net/netlink/af_netlink.c`).
    ///
    /// # Errors
    ///
    /// [`NetlinkReceiveError`]: each of its variants but `Io` says that something was lost or did
    /// not come, and what.
    pub fn receive<'a>(
        &self,
        buffer: &'a mut [u8],
        timeout: Duration,
    ) -> Result<&'a [u8], NetlinkReceiveError> {
        let room = buffer.len();
        let started = Instant::now();
        loop {
            let ready = wait_readable([self.as_fd()], timeout.saturating_sub(started.elapsed()))
                .map_err(|source| NetlinkReceiveError::Io { source })?;
            if !ready {
                return Err(NetlinkReceiveError::TimedOut { after: timeout });
            }
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            let (length, source) = match rustix::net::recvfrom(&self.fd, &mut *buffer, flags) {
                Ok((_, length, source)) => (length, source),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(Errno::NOBUFS) => return Err(NetlinkReceiveError::Overrun),
                Err(error) => return Err(NetlinkReceiveError::Io { source: error.into() }),
            };
            let from_kernel = source
                .and_then(|source| SocketAddrNetlink::try_from(source).ok())
                .is_some_and(|source| source.pid() == 0);
            if !from_kernel {
                // Others' messages must not keep it here for longer than it may stay.
                if started.elapsed() > timeout {
                    return Err(NetlinkReceiveError::TimedOut { after: timeout });
                }
                continue;
            }
            if length > room {
                return Err(NetlinkReceiveError::Truncated { length, buffer: room });
            }
            return Ok(&buffer[..length]);
        }
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Why no datagram came from a netlink socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkReceiveError {
    /// The kernel sent nothing in time.
    #[error("the kernel did not answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The datagram was larger than the buffer; its rest is lost.
    #[error("the kernel's answer has {length} bytes and the buffer {buffer}")]
    Truncated {
        /// The datagram's length, in bytes.
        length: usize,
        /// The buffer's, in bytes.
        buffer: usize,
    },
    /// The socket's receive buffer was full and messages were lost (`ENOBUFS`): ask again.
    #[error("messages of the kernel were lost: the socket's receive buffer was full")]
    Overrun,
    /// The system call failed.
    #[error("cannot receive from the netlink socket")]
    Io {
        /// The cause.
        source: io::Error,
    },
}
