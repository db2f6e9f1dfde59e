//! Answers of the kernel made by hand, cut ones, and any bytes.

use proptest::prelude::*;
use sockets_sys::{NetlinkFlags, NetlinkRequest};

use super::*;
use crate::system::State;

/// `struct inet_diag_msg` of a socket of each field its own value.
fn inet_body(family: u8, state: u8) -> Vec<u8> {
    let mut body = vec![family, state, 1, 3];
    body.extend_from_slice(&8080_u16.to_be_bytes());
    body.extend_from_slice(&50000_u16.to_be_bytes());
    for last in [1, 2] {
        let mut address = [0; 16];
        address[0] = 127;
        address[3] = last;
        body.extend_from_slice(&address);
    }
    // Interface, cookie, expires, queues, uid, inode.
    for word in [5_u32, 6, 7, 250, 11, 12, 1000, 4711] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    body
}

fn message(body: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut request = NetlinkRequest::new(20, NetlinkFlags::GET, 1);
    request.body(body);
    for (kind, payload) in attributes {
        request.attribute(*kind, payload);
    }
    request.as_bytes().to_vec()
}

#[test]
fn each_field_of_a_tcp_socket_is_read() {
    let cgroup = 77_u64.to_ne_bytes();
    let bytes =
        message(&inet_body(2, 1), &[(21, &cgroup), (11, &[1]), (2, &[0; 104]), (7, &[1; 36])]);
    let snapshot = Snapshot::from_netlink(Protocol::Tcp, &bytes);
    let row = snapshot.row(0).unwrap();
    assert_eq!((row.protocol(), row.state()), (Protocol::Tcp, State::Established));
    assert_eq!(row.local_addr(), Some("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(row.peer_addr(), Some("127.0.0.2:50000".parse().unwrap()));
    assert_eq!((row.uid(), row.inode(), row.cgroup()), (Some(1000), Some(4711), Some(77)));
    assert_eq!((row.interface(), row.cookie()), (Some(5), Some(7 << 32 | 6)));
    assert_eq!((row.receive_queue(), row.send_queue(), row.retransmits()), (Some(11), Some(12), 3));
    assert_eq!(row.timer().unwrap().1, Duration::from_millis(250));
    assert_eq!(row.only_ipv6(), Some(true));
    let details = row.details().unwrap();
    assert_eq!(details.tcp.unwrap().bytes_received, None);
    assert!(details.memory.unwrap().drops.is_some());
}

#[test]
fn a_cut_or_strange_message_is_counted_and_the_others_are_read() {
    let good = message(&inet_body(2, 10), &[]);
    for (body, what) in [
        (&inet_body(2, 1)[..68], "cut"),
        (&inet_body(1, 1), "family"),
        (&inet_body(2, 99), "state"),
    ] {
        let bytes = [message(body, &[]), good.clone()].concat();
        let snapshot = Snapshot::from_netlink(Protocol::Tcp, &bytes);
        assert_eq!((snapshot.len(), snapshot.coverage().malformed), (1, 1), "{what}");
    }
    let snapshot = Snapshot::from_netlink(Protocol::Tcp, &[&good[..], &good[..20]].concat());
    assert_eq!((snapshot.len(), snapshot.coverage().malformed), (1, 1));
}

#[test]
fn unix_sockets_have_names_and_peers() {
    let socket = |kind: u8, state: u8, inode: u32, attributes: &[(u16, &[u8])]| {
        let mut body = vec![1, kind, state, 0];
        for word in [inode, 9, 0] {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        message(&body, attributes)
    };
    let bytes = [
        socket(
            1,
            1,
            70,
            &[(0, b"/run/a\0"), (2, &71_u32.to_ne_bytes()), (7, &0_u32.to_ne_bytes())],
        ),
        socket(1, 1, 71, &[(2, &70_u32.to_ne_bytes()), (4, &[1, 0, 0, 0, 2, 0, 0, 0])]),
        socket(2, 7, 72, &[(0, b"\0bus")]),
        socket(9, 7, 73, &[]),
    ];
    let mut snapshot = Snapshot::from_netlink(Protocol::UnixStream, &bytes.concat());
    unix::name_peers(&mut snapshot);
    let printed: Vec<String> = snapshot
        .iter()
        .map(|row| {
            let peer = row.peer().map(|peer| peer.to_string()).unwrap_or_default();
            format!("{} {} > {peer}", row.protocol(), row.local())
        })
        .collect();
    assert_eq!(
        printed,
        ["unix-stream /run/a 70 > * 71", "unix-stream * 71 > /run/a 70", "unix-dgram @bus 72 > "]
    );
    assert_eq!(snapshot.row(0).unwrap().uid(), Some(0));
    assert_eq!(snapshot.row(0).unwrap().cookie(), Some(9));
    assert_eq!(snapshot.row(2).unwrap().uid(), None);
    assert_eq!(snapshot.coverage().malformed, 1);
}

/// Walks all that a snapshot gives out.
fn walk(snapshot: &Snapshot) -> usize {
    let printed = |row: crate::system::SocketRow<'_>| {
        let _ = (row.timer(), row.details(), row.no_process(), row.workload());
        let peer = row.peer().map(|peer| peer.to_string());
        row.local().to_string().len() + peer.map_or(0, |peer| peer.len())
    };
    snapshot.iter().map(printed).sum()
}

proptest! {
    #[test]
    fn any_datagram_is_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for protocol in Protocol::ALL {
            walk(&Snapshot::from_netlink(protocol, &bytes));
        }
    }

    /// Whole messages of any body and attributes.
    #[test]
    fn any_body_is_read(
        body in prop::collection::vec(any::<u8>(), 0..100),
        attributes in prop::collection::vec((0_u16..24, prop::collection::vec(any::<u8>(), 0..50)), 0..5),
    ) {
        let attributes: Vec<(u16, &[u8])> =
            attributes.iter().map(|(kind, payload)| (*kind, &payload[..])).collect();
        let bytes = message(&body, &attributes);
        for protocol in Protocol::ALL {
            let mut snapshot = Snapshot::from_netlink(protocol, &bytes);
            unix::name_peers(&mut snapshot);
            walk(&snapshot);
            prop_assert_eq!(snapshot.len() + snapshot.coverage().malformed, 1);
        }
    }
}
