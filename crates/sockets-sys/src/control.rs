//! Control messages of received datagrams (cmsg(3)). Read byte by byte: total.

use std::ffi::c_int;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::{Duration, SystemTime};

/// What the kernel tells of a received datagram beside its bytes and its source; each part only
/// where the option named is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedControl {
    /// The address the datagram was sent to, which may be a group or a broadcast address
    /// (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). An IPv4 address is one on a dual-stack socket, too.
    pub destination: Option<IpAddr>,
    /// The address of this machine that an answer should come from (`IP_PKTINFO`): the
    /// destination, or for IPv4 groups and broadcasts an address of the interface. `None` for what
    /// was sent to an IPv6 group.
    pub local: Option<IpAddr>,
    /// The index of the interface it came in on; 0 where it is not told.
    pub interface: u32,
    /// Several datagrams of this length each, the last one at most as long, came as one
    /// (`UDP_GRO`).
    pub segment_size: Option<NonZeroU16>,
    /// How many datagrams the kernel had dropped on this socket when it queued this one, modulo
    /// 2^32 (`SO_RXQ_OVFL`); `None` means none, ever.
    pub kernel_drops: Option<u32>,
    /// Whether there was more to tell than there was room for (`MSG_CTRUNC`).
    pub truncated: bool,
}

/// Room for the control messages of one datagram.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control([u8; Control::SIZE]);

impl Control {
    /// A timestamp takes 32 bytes, packet info 32 and 40 (both on a dual-stack socket), the drop
    /// counter and the segment size 24 each; the rest is for options a caller set beside them. The
    /// kernel writes the segment size, without which datagrams cannot be told apart, before all
    /// that a peer can make long (`udp_recvmsg` in net/ipv4/udp.c).
    pub(crate) const SIZE: usize = 256;
    pub(crate) const EMPTY: Self = Self([0; Self::SIZE]);

    /// Closes the descriptors that came in the first `size` bytes: a peer over a UNIX socket may send
    /// some unasked (unix(7), `SCM_RIGHTS`), and nobody here takes them.
    ///
    /// # Safety
    ///
    /// The bytes are as the kernel wrote them for a message that was just received, and this is
    /// called once for it: the descriptors have no other owner.
    pub(crate) unsafe fn close_descriptors(&self, size: usize) {
        let mut rest = self.0.get(..size).unwrap_or_default();
        while let Some(message) = split_message(rest) {
            if message.level == libc::SOL_SOCKET
                && matches!(message.kind, libc::SCM_RIGHTS | SCM_PIDFD)
            {
                for number in message.data.chunks_exact(mem::size_of::<c_int>()) {
                    let Some(number) = number.first_chunk() else { continue };
                    let number = c_int::from_ne_bytes(*number);
                    if number >= 0 {
                        // SAFETY: the kernel made it for the receiver of this message, which is
                        // the caller, and has told nobody else of it.
                        drop(unsafe { OwnedFd::from_raw_fd(number) });
                    }
                }
            }
            rest = message.rest;
        }
    }

    /// The kernel's timestamp, and the rest of what the first `size` bytes say.
    pub(crate) fn read(&self, size: usize) -> (Option<SystemTime>, ReceivedControl) {
        let (mut timestamp, mut told) = (None, ReceivedControl::default());
        let mut rest = self.0.get(..size).unwrap_or_default();
        while let Some(message) = split_message(rest) {
            if (message.level, message.kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                timestamp = read_timespec(message.data);
            } else {
                // A message that is too short for what it says it is says nothing.
                let _ = told.note(&message);
            }
            rest = message.rest;
        }
        (timestamp, told)
    }
}

impl ReceivedControl {
    fn note(&mut self, message: &ControlMessage<'_>) -> Option<()> {
        let data = message.data;
        match (message.level, message.kind) {
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                self.kernel_drops = Some(u32::from_ne_bytes(*data.first_chunk()?));
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = i32::from_ne_bytes(*data.first_chunk()?);
                self.segment_size = u16::try_from(size).ok().and_then(NonZeroU16::new);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let address = |at: usize| -> Option<Ipv4Addr> {
                    Some(Ipv4Addr::from(*data.get(at..)?.first_chunk::<4>()?))
                };
                let interface = u32::from_ne_bytes(*data.get(V4_INTERFACE..)?.first_chunk()?);
                let (destination, local) = (address(V4_DESTINATION)?, address(V4_LOCAL)?);
                self.interface = interface;
                self.destination = Some(destination.into());
                self.local = (!local.is_unspecified()).then(|| local.into());
            }
            // On a dual-stack socket IPv4's own message says more.
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if self.destination.is_none() => {
                let destination = Ipv6Addr::from(*data.get(V6_DESTINATION..)?.first_chunk::<16>()?);
                self.interface = u32::from_ne_bytes(*data.get(V6_INTERFACE..)?.first_chunk()?);
                let destination = destination.to_canonical();
                self.destination = Some(destination);
                // An IPv4 destination may be a broadcast: only IPv4's message knows.
                self.local = Some(destination).filter(|ip| ip.is_ipv6() && !ip.is_multicast());
            }
            _ => {}
        }
        Some(())
    }
}

/// The sender as a descriptor, where `SO_PASSPIDFD` is on (linux/socket.h, Linux 6.5).
const SCM_PIDFD: c_int = 4;

const V4_INTERFACE: usize = mem::offset_of!(libc::in_pktinfo, ipi_ifindex);
const V4_LOCAL: usize = mem::offset_of!(libc::in_pktinfo, ipi_spec_dst);
const V4_DESTINATION: usize = mem::offset_of!(libc::in_pktinfo, ipi_addr);
const V6_DESTINATION: usize = mem::offset_of!(libc::in6_pktinfo, ipi6_addr);
const V6_INTERFACE: usize = mem::offset_of!(libc::in6_pktinfo, ipi6_ifindex);

type Word = usize;
const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const LEVEL: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const TYPE: usize = mem::offset_of!(libc::cmsghdr, cmsg_type);

/// One control message (cmsg(3)), and what follows it.
struct ControlMessage<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
    rest: &'a [u8],
}

fn split_message(bytes: &[u8]) -> Option<ControlMessage<'_>> {
    let header = bytes.get(..HEADER)?;
    // The kernel's length is a word, whatever the C library declares.
    let length = Word::from_ne_bytes(*header.first_chunk()?);
    let level = i32::from_ne_bytes(*header.get(LEVEL..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*header.get(TYPE..)?.first_chunk()?);
    let data = bytes.get(HEADER..length)?;
    let next = length.checked_next_multiple_of(mem::size_of::<Word>())?;
    Some(ControlMessage { level, kind, data, rest: bytes.get(next..).unwrap_or_default() })
}

/// Seconds and nanoseconds since 1970, of 64 bits or, on old 32-bit systems, 32.
fn read_timespec(data: &[u8]) -> Option<SystemTime> {
    let (seconds, nanoseconds) = match data.len() {
        16 => (
            i64::from_ne_bytes(*data.first_chunk()?),
            i64::from_ne_bytes(*data.get(8..)?.first_chunk()?),
        ),
        8 => (
            i64::from(i32::from_ne_bytes(*data.first_chunk()?)),
            i64::from(i32::from_ne_bytes(*data.get(4..)?.first_chunk()?)),
        ),
        _ => return None,
    };
    let since = Duration::from_secs(u64::try_from(seconds).ok()?)
        .checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
pub(crate) mod tests;
