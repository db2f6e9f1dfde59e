//! Control messages laid out as the kernel does, and descriptors sent for real.

use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::*;

/// Sends one byte with two descriptors of one end of a stream. Returns the other end.
pub(crate) fn send_descriptors(over: impl AsFd) -> UnixStream {
    let (passed, other_end) = UnixStream::pair().unwrap();
    let fds = [passed.as_fd(), passed.as_fd()];
    let mut room = [std::mem::MaybeUninit::uninit(); 64];
    let mut control = SendAncillaryBuffer::new(&mut room);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [io::IoSlice::new(b"x")];
    rustix::net::sendmsg(over, &bytes, &mut control, SendFlags::empty()).unwrap();
    other_end
}

/// Whether nobody has the end any more that [`send_descriptors`] sent. That is waited for: a program that
/// another test starts has a copy of every descriptor until it runs.
pub(crate) fn is_closed(other_end: &mut UnixStream) -> bool {
    crate::wait_readable([other_end.as_fd()], Duration::from_secs(30)).unwrap()
        && matches!(other_end.read(&mut [0]), Ok(0))
}

/// One message as the kernel lays it out.
fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; (HEADER + data.len()).next_multiple_of(mem::size_of::<Word>())];
    bytes[..mem::size_of::<Word>()].copy_from_slice(&(HEADER + data.len()).to_ne_bytes());
    bytes[LEVEL..LEVEL + 4].copy_from_slice(&level.to_ne_bytes());
    bytes[TYPE..TYPE + 4].copy_from_slice(&kind.to_ne_bytes());
    bytes[HEADER..HEADER + data.len()].copy_from_slice(data);
    bytes
}

fn read(messages: &[Vec<u8>]) -> ReceivedControl {
    let bytes = messages.concat();
    let mut control = Control::EMPTY;
    control.0[..bytes.len()].copy_from_slice(&bytes);
    control.read(bytes.len()).1
}

#[test]
fn all_that_a_dual_stack_socket_is_told_fits_and_is_read() {
    let v4 = message(
        libc::IPPROTO_IP,
        libc::IP_PKTINFO,
        &[&3_u32.to_ne_bytes()[..], &[10, 0, 0, 1], &[10, 0, 0, 255]].concat(),
    );
    let mapped = Ipv4Addr::new(10, 0, 0, 255).to_ipv6_mapped().octets();
    let v6 = message(
        libc::IPPROTO_IPV6,
        libc::IPV6_PKTINFO,
        &[&mapped[..], &3_u32.to_ne_bytes()].concat(),
    );
    let drops = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7_u32.to_ne_bytes());
    let segments = message(libc::SOL_UDP, libc::UDP_GRO, &1200_i32.to_ne_bytes());
    let stamp = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &[1; 16]);
    let told = read(&[drops, v4, v6, segments, stamp]);
    assert_eq!(told.destination, Some(Ipv4Addr::new(10, 0, 0, 255).into()));
    assert_eq!(told.local, Some(Ipv4Addr::new(10, 0, 0, 1).into()));
    assert_eq!((told.interface, told.kernel_drops), (3, Some(7)));
    assert_eq!(told.segment_size, NonZeroU16::new(1200));
}

#[test]
fn an_ipv6_group_is_a_destination_but_nobodys_address() {
    let to = |address: &str| {
        let address: Ipv6Addr = address.parse().unwrap();
        let data = [&address.octets()[..], &2_u32.to_ne_bytes()].concat();
        let told = read(&[message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data)]);
        assert_eq!((told.destination, told.interface), (Some(address.into()), 2));
        told.local
    };
    assert_eq!(to("ff02::1"), None);
    assert_eq!(to("fe80::1"), Some("fe80::1".parse().unwrap()));
}

#[test]
fn what_is_too_short_says_nothing() {
    let told = read(&[
        message(libc::IPPROTO_IP, libc::IP_PKTINFO, &[1; 11]),
        message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[1; 19]),
        message(libc::SOL_UDP, libc::UDP_GRO, &[1; 3]),
        message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1; 3]),
    ]);
    assert_eq!(told, ReceivedControl::default());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in prop::array::uniform32(any::<u8>()), size in 0_usize..400,
    ) {
        let mut control = Control::EMPTY;
        control.0[..32].copy_from_slice(&bytes);
        let _ = control.read(size);
        // A true header, so that the walk goes on to what follows.
        control.0[..mem::size_of::<Word>()].copy_from_slice(&17_usize.to_ne_bytes());
        let _ = control.read(size);
    }
}
