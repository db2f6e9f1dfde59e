//! A program that is out of descriptors loses none of its groups. Alone in its process: the limit is
//! the process's.
#![cfg(test)]
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockets_udp::{Interface, InterfaceError, UdpSocket};

const GROUPS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(239, 255, 71, 2)), IpAddr::V4(Ipv4Addr::new(239, 255, 71, 3))];

#[test]
fn groups_stay_joined_while_there_are_no_descriptors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let context = runtime.enter();
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let socket = UdpSocket::builder().bind(any).open().unwrap();
    drop(context);
    let index = Interface::from("lo").index().unwrap();
    for (group, interface) in GROUPS.into_iter().zip([Interface::from("lo"), index.into()]) {
        socket.join(group, &interface).unwrap();
    }

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).unwrap();
    let report = socket.refresh_memberships();
    let looked_up = Interface::Index(index).index();
    setrlimit(Resource::Nofile, limit).unwrap();

    // Whether the interfaces are there is asked of the socket itself.
    assert!(report.lost.is_empty() && report.rejoined.is_empty(), "{report:?}");
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(socket.memberships().len(), GROUPS.len());
    assert!(matches!(looked_up, Err(InterfaceError::Io { .. })), "{looked_up:?}");
}
