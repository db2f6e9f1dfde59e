//! A TUN device made, used and gone.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags};

use super::*;
use crate::{NetlinkProtocol, NetlinkReceiveError, NetlinkSocket};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn names_that_cannot_be_are_refused_before_the_kernel_sees_them() {
    for name in ["sixteen-bytes-xx", "nul\0"] {
        let error = TunDevice::open(name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
    }
}

/// Puts this thread into a network namespace of its own, which ends with it.
fn enter_namespace() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until there is no such interface: a program that another test starts has a copy of every
/// descriptor until it runs.
fn wait_until_gone(name: &str) {
    /// `RTNLGRP_LINK` of linux/rtnetlink.h
    const LINKS: u32 = 1;
    let changes = NetlinkSocket::open(NetlinkProtocol::ROUTE).unwrap();
    changes.join(LINKS).unwrap();
    let mut buffer = vec![0; 32 * 1024];
    while rustix::net::netdevice::name_to_index(&changes, name).is_ok() {
        match changes.receive(&mut buffer, PATIENCE) {
            Ok(_) | Err(NetlinkReceiveError::Overrun) => {}
            Err(error) => panic!("{name} is left: {error}"),
        }
    }
}

/// The next packet of IPv4 and UDP; the kernel sends others of its own accord.
fn next_udp(device: &TunDevice) -> Vec<u8> {
    let mut buffer = [0; 2048];
    loop {
        let length = match device.receive(&mut buffer) {
            Ok(length) => length,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                let mut fds = [PollFd::new(device, PollFlags::IN)];
                rustix::event::poll(&mut fds, None).unwrap();
                continue;
            }
        };
        if buffer[0] >> 4 == 4 && buffer[9] == 17 {
            return buffer[..length].to_vec();
        }
    }
}

#[test]
#[ignore = "needs root: makes a TUN device"]
fn packets_go_out_of_the_interface_and_come_in() {
    const HEADERS: usize = 28;
    enter_namespace();
    let device = TunDevice::open("").unwrap();
    let name = device.name().to_owned();
    assert!(!name.is_empty());
    // Of the block for benchmarks (RFC 2544), so that nobody's network is meant.
    ip(&format!("addr add 198.18.77.1/30 dev {name}"));
    ip(&format!("link set {name} up"));

    let socket = UdpSocket::bind("198.18.77.1:0").unwrap();
    socket.send_to(b"out", "198.18.77.2:7").unwrap();
    let mut packet = next_udp(&device);
    assert_eq!(packet[HEADERS..], *b"out");

    // The answer: addresses and ports change places, which leaves both checksums right.
    packet[12..20].rotate_left(4);
    packet[20..24].rotate_left(2);
    device.send(&packet).unwrap();
    let mut buffer = [0; 16];
    let (length, source) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], source), (&b"out"[..], "198.18.77.2:7".parse().unwrap()));

    assert_eq!(device.send(&[0x20; 40]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    drop(device);
    wait_until_gone(&name);
}

#[test]
#[ignore = "needs root: makes a TUN device"]
fn a_device_has_one_queue_unless_asked_for_more() {
    enter_namespace();
    let one = TunDevice::open("").unwrap();
    assert!(TunDevice::open(one.name()).is_err());
    let first = TunDevice::open_queue("").unwrap();
    let second = TunDevice::open_queue(first.name()).unwrap();
    assert_eq!(first.name(), second.name());
}
