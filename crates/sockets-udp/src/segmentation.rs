//! Whether the kernel cuts messages into datagrams for this socket, and what its refusals mean.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};

/// Whether the kernel cuts long messages into datagrams (`UDP_SEGMENT`, Linux 4.18 and later), so
/// that [`send_bulk`](crate::UdpSocket::send_bulk) takes few system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentationOffload {
    /// It does, as far as is known.
    Available,
    /// It does not know how.
    Unsupported,
    /// It knows how, and has refused: such as for a device without checksums, or a way through
    /// an encrypted tunnel. It is not asked again on this socket.
    Refused,
}

/// What is known of one socket.
#[derive(Debug)]
pub(crate) struct Segmentation(AtomicU8);

const AVAILABLE: u8 = 0;
const UNSUPPORTED: u8 = 1;
const REFUSED: u8 = 2;

impl Segmentation {
    /// Asks the kernel. It has to be asked: one that does not know the control message passes it
    /// over, and would send one long datagram.
    pub(crate) fn of(socket: &impl std::os::fd::AsFd) -> Self {
        let known = getsockopt(socket, sockopt::UdpGsoSegment).is_ok();
        Self(AtomicU8::new(if known { AVAILABLE } else { UNSUPPORTED }))
    }

    pub(crate) fn offload(&self) -> SegmentationOffload {
        match self.0.load(Ordering::Relaxed) {
            AVAILABLE => SegmentationOffload::Available,
            UNSUPPORTED => SegmentationOffload::Unsupported,
            _ => SegmentationOffload::Refused,
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        self.offload() == SegmentationOffload::Available
    }

    /// Remembers a refusal; whether it is news.
    pub(crate) fn refuse(&self) -> bool {
        let change = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.compare_exchange(AVAILABLE, REFUSED, change.0, change.1).is_ok()
    }
}

/// What it means that a message to be cut was refused, if the same bytes go out uncut after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was not about the cutting.
    None,
    /// These datagrams are longer than the path's MTU: the kernel does not cut into fragments.
    ThisLength,
    /// It will be so each time.
    Always,
}

/// 1,280 bytes, which every link of IPv6 takes, and nearly every one of IPv4, less 48 of headers
/// (RFC 8200 section 5).
const FITS_EVERY_LINK: usize = 1232;

impl Refusal {
    /// What `error` means for datagrams of `size` bytes (`udp_send_skb` in net/ipv4/udp.c): EIO is
    /// a way that cannot, EMSGSIZE a length over the MTU; EINVAL is a socket that cannot, and
    /// in earlier kernels a length over the MTU, too.
    pub(crate) fn of(error: &io::Error, size: usize) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EIO) => Self::Always,
            Some(Errno::EINVAL) if size <= FITS_EVERY_LINK => Self::Always,
            Some(Errno::EINVAL | Errno::EMSGSIZE) => Self::ThisLength,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (errno, size, refusal) in [
            (Errno::EIO, 1200, Refusal::Always),
            (Errno::EIO, 9000, Refusal::Always),
            (Errno::EINVAL, 1232, Refusal::Always),
            (Errno::EINVAL, 1233, Refusal::ThisLength),
            (Errno::EMSGSIZE, 100, Refusal::ThisLength),
            (Errno::EMSGSIZE, 9000, Refusal::ThisLength),
            (Errno::ENOBUFS, 1200, Refusal::None),
            (Errno::ECONNREFUSED, 1200, Refusal::None),
        ] {
            assert_eq!(Refusal::of(&errno.into(), size), refusal, "{errno} of {size} bytes");
        }
    }

    #[test]
    fn a_refusal_is_news_once() {
        let segmentation = Segmentation(AtomicU8::new(AVAILABLE));
        assert!(segmentation.refuse() && !segmentation.refuse());
        assert_eq!(segmentation.offload(), SegmentationOffload::Refused);
        let unsupported = Segmentation(AtomicU8::new(UNSUPPORTED));
        assert!(!unsupported.refuse() && !unsupported.is_available());
        assert_eq!(unsupported.offload(), SegmentationOffload::Unsupported);
    }
}
