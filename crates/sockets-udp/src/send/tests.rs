//! Targets, and the names that the kernel's refusals get.

use std::io;

use sockets_sys::SendControl;

use super::*;
use crate::outgoing::Message;
use crate::path::Path;

fn check(family: Family, size: usize, target: &str) -> Result<String, String> {
    let local = "127.0.0.1:5000".parse().unwrap();
    let checked = family.check_target(size, target.parse().unwrap(), local);
    checked.map(|target| target.to_string()).map_err(|error| error.to_string())
}

#[test]
fn targets_are_seen_as_the_socket_needs_them() {
    for (family, target, seen) in [
        (Family::V4, "127.0.0.1:7", "127.0.0.1:7"),
        (Family::V4, "[::ffff:127.0.0.1]:7", "127.0.0.1:7"),
        (Family::DualStack, "127.0.0.1:7", "[::ffff:127.0.0.1]:7"),
        (Family::DualStack, "[::1]:7", "[::1]:7"),
        (Family::V6, "[fe80::1%3]:7", "[fe80::1%3]:7"),
    ] {
        assert_eq!(check(family, 0, target).as_deref(), Ok(seen));
    }
}

#[test]
fn what_cannot_be_sent_is_named() {
    for (family, size, target, message) in [
        (
            Family::V4,
            65_508,
            "127.0.0.1:7",
            "cannot send 65508 bytes to udp 127.0.0.1:7: a datagram holds at most 65507",
        ),
        (
            Family::V6,
            65_528,
            "[::1]:7",
            "cannot send 65528 bytes to udp [::1]:7: a datagram holds at most 65527",
        ),
        (
            Family::DualStack,
            65_508,
            "[::ffff:127.0.0.1]:7",
            "cannot send 65508 bytes to udp [::ffff:127.0.0.1]:7: a datagram holds at most 65507",
        ),
        (
            Family::V4,
            1,
            "127.0.0.1:0",
            "cannot send to udp 127.0.0.1:0: 0 is not a port to send to",
        ),
        (
            Family::V4,
            1,
            "[::1]:7",
            "cannot send to udp [::1]:7 from 127.0.0.1:5000: not the same IP version",
        ),
    ] {
        assert_eq!(check(family, size, target), Err(message.to_owned()));
    }
    assert!(check(Family::V6, 1, "127.0.0.1:7").is_err());
    assert!(check(Family::V4, MAX_PAYLOAD_V4, "127.0.0.1:7").is_ok());
    assert!(check(Family::V6, MAX_PAYLOAD_V6, "[::1]:7").is_ok());
}

#[test]
fn the_kernels_refusals_get_names() {
    use nix::errno::Errno;
    let target: SocketAddr = "127.255.255.255:7".parse().unwrap();
    let message =
        Message { data: &[0; 10], target, kernel_target: target, control: SendControl::default() };
    let named = |errno: Errno| SendError::from_kernel(errno.into(), &message).to_string();
    for (errno, why) in [
        (
            Errno::EACCES,
            ": forbidden on this machine, such as by a `prohibit` route (`ip route get`)",
        ),
        (
            Errno::EPERM,
            ": forbidden on this machine, such as by a firewall rule (`nft list ruleset`)",
        ),
        (Errno::ENETUNREACH, ": no way there from this machine"),
        (Errno::EHOSTUNREACH, ": no way there from this machine"),
        (Errno::ENETDOWN, ": the interface to send by is down"),
        (Errno::ENODEV, ": the interface to send by is not there"),
        (Errno::ENOBUFS, ": this machine has no room for it just now; send more slowly"),
    ] {
        assert_eq!(named(errno), format!("cannot send to udp {target}{why}"));
    }
    for (errno, why) in [(Errno::EMSGSIZE, ": longer than the path's MTU allows"), (Errno::EIO, "")]
    {
        assert_eq!(named(errno), format!("cannot send 10 bytes to udp {target}{why}"));
    }
    let target = "239.1.2.3:7".parse().unwrap();
    let error = SendError::Unreachable { target, source: Errno::ENETUNREACH.into() };
    assert!(error.to_string().ends_with("name an interface to send by that is there"), "{error}");
}

#[test]
fn an_address_that_is_not_here_is_named_whatever_the_kernel_says() {
    use nix::errno::Errno;
    let target = "127.0.0.1:7".parse().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for (from, here) in [("192.0.2.1", false), ("127.0.0.9", true)] {
        for errno in [Errno::EINVAL, Errno::ENETUNREACH, Errno::EADDRNOTAVAIL] {
            let source = Some(from.parse().unwrap());
            let control = SendControl { source, ..SendControl::default() };
            let message = Message { data: b"x", target, kernel_target: target, control };
            let error = SendError::from_kernel(errno.into(), &message);
            let path = || Path::of(&socket, &message, socket.local_addr().unwrap(), 0);
            let text = error.explained(&message, false, path).to_string();
            let named = "from 192.0.2.1: not an address of this machine";
            assert_eq!(text.ends_with(named), !here, "{text}");
        }
    }
}

#[test]
fn only_a_broadcast_asks_for_the_leave_to_broadcast() {
    use nix::errno::Errno;
    let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
    let local = socket.local_addr().unwrap();
    for (target, errno, may_broadcast, is_broadcast) in [
        ("127.255.255.255:7", Errno::EACCES, false, true),
        ("[::ffff:127.255.255.255]:7", Errno::EACCES, false, true),
        ("127.255.255.255:7", Errno::EACCES, true, false),
        ("127.255.255.255:7", Errno::EPERM, false, false),
        ("127.0.0.1:7", Errno::EACCES, false, false),
        ("[::1]:7", Errno::EACCES, false, false),
    ] {
        let target = target.parse().unwrap();
        let control = SendControl::default();
        let message = Message { data: b"x", target, kernel_target: target, control };
        let error = SendError::from_kernel(errno.into(), &message);
        let error =
            error.explained(&message, may_broadcast, || Path::of(&socket, &message, local, 0));
        let named = matches!(error, SendError::BroadcastNotEnabled { .. });
        assert_eq!(named, is_broadcast, "{errno} of {target}: {error}");
        assert!(named || matches!(error, SendError::Forbidden { .. }), "{error}");
    }
}

#[test]
fn too_long_for_the_path_names_what_the_path_takes() {
    let named = |limit, dont_fragment| {
        let (target, source) = ("192.0.2.1:7".parse().unwrap(), io::Error::other("x"));
        SendError::ExceedsMtu { target, size: 2000, limit, dont_fragment, source }.to_string()
    };
    assert_eq!(
        named(Some(1472), true),
        "cannot send 2000 bytes to udp 192.0.2.1:7: the path's MTU of 1500 leaves room for 1472, and \
         this socket does not fragment"
    );
    assert_eq!(
        named(None, false),
        "cannot send 2000 bytes to udp 192.0.2.1:7: longer than the path's MTU allows"
    );
}
