//! Packet sockets: `AF_PACKET`, the link as the kernel sees it (packet(7)).

use std::ffi::c_int;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Socket, Type};

use crate::option;

/// Where the packets of a packet socket begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketLevel {
    /// At the network header (`SOCK_DGRAM`, "cooked"): the kernel takes the link header off, and
    /// makes it from the [`LinkAddress`](crate::LinkAddress) of what is sent.
    Network,
    /// At the link header (`SOCK_RAW`), given and taken as it is on the link.
    Link,
}

/// What a packet socket received and what it dropped since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PacketStatistics {
    /// Packets that passed the filter and were queued.
    pub received: u64,
    /// Packets that passed the filter and found the receive buffer full.
    pub dropped: u64,
}

/// A packet socket: close-on-exec, non-blocking, and silent until it is bound.
#[derive(Debug)]
pub struct PacketFd {
    fd: OwnedFd,
    /// The kernel's counters start again each time they are read.
    received: AtomicU64,
    dropped: AtomicU64,
}

impl PacketFd {
    /// Opens a packet socket that receives nothing before [`bind`](Self::bind): so a filter can be
    /// attached before the first packet.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EPERM`) without `CAP_NET_RAW`; what else the kernel says.
    pub fn open(level: PacketLevel) -> io::Result<Self> {
        let kind = match level {
            PacketLevel::Network => Type::DGRAM,
            PacketLevel::Link => Type::RAW,
        };
        let socket = Socket::new_raw(Domain::PACKET, kind.nonblocking().cloexec(), None)?;
        Ok(Self { fd: socket.into(), received: AtomicU64::new(0), dropped: AtomicU64::new(0) })
    }

    /// Receives packets of `protocol` (an Ethernet type in host order;
    /// [`LinkAddress::ALL`](crate::LinkAddress::ALL) for every one) that pass the interface with this
    /// index; 0 means all interfaces. A `protocol` of 0 is that of the bind before, and none where
    /// there was none (`packet_bind` in `net/packet/af_packet.c`).
    ///
    /// An interface that is down is no error here: it is told by the next receive, once, as
    /// `ENETDOWN`, and packets come when it is up.
    ///
    /// # Errors
    ///
    /// `ENODEV` for an interface that is not there.
    pub fn bind(&self, interface: u32, protocol: u16) -> io::Result<()> {
        // SAFETY: all-zero bytes are a valid `sockaddr_ll`: integers and an array of them.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = index(interface)?;
        // SAFETY: `address` lives through the call and the size is its own.
        let status = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether packets that this machine sends stay out (`PACKET_IGNORE_OUTGOING`, Linux 4.20).
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` on an older kernel.
    pub fn set_ignore_outgoing(&self, on: bool) -> io::Result<()> {
        self.set_flag(libc::PACKET_IGNORE_OUTGOING, on)
    }

    /// Whether what is sent goes past the interface's queueing discipline
    /// (`PACKET_QDISC_BYPASS`): faster, unordered with other traffic, and past any shaping or
    /// filtering that is configured there.
    ///
    /// # Errors
    ///
    /// What the kernel says of the descriptor.
    pub fn set_qdisc_bypass(&self, on: bool) -> io::Result<()> {
        self.set_flag(libc::PACKET_QDISC_BYPASS, on)
    }

    /// Makes the interface promiscuous for as long as this socket is open.
    ///
    /// # Errors
    ///
    /// `ENODEV` for an interface that is not there.
    pub fn join_promiscuous(&self, interface: u32) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: index(interface)?,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        option::set(self.fd.as_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    /// What was received and dropped since the socket was opened. Any number of callers: the
    /// counts that the kernel resets are summed here.
    ///
    /// # Errors
    ///
    /// What the kernel says of the descriptor.
    pub fn statistics(&self) -> io::Result<PacketStatistics> {
        let zero = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let since = option::read(self.fd.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, zero)?;
        // The kernel counts a dropped packet among the packets (`net/packet/af_packet.c`).
        let queued = u64::from(since.tp_packets.saturating_sub(since.tp_drops));
        let dropped = u64::from(since.tp_drops);
        Ok(PacketStatistics {
            received: self.received.fetch_add(queued, Ordering::Relaxed) + queued,
            dropped: self.dropped.fetch_add(dropped, Ordering::Relaxed) + dropped,
        })
    }

    fn set_flag(&self, option: c_int, on: bool) -> io::Result<()> {
        option::set_int(self.fd.as_fd(), libc::SOL_PACKET, option, c_int::from(on))
    }
}

impl AsFd for PacketFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<PacketFd> for OwnedFd {
    fn from(socket: PacketFd) -> Self {
        socket.fd
    }
}

/// The kernel's interface indices are positive ints.
fn index(interface: u32) -> io::Result<c_int> {
    c_int::try_from(interface).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))
}
