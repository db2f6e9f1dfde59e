//! Lines as kernels write them, and any bytes.

use proptest::prelude::*;

use super::*;
use crate::system::SocketRow;

const TCP: Dump = Dump::Inet { protocol: Protocol::Tcp, family: Family::Ipv4 };

fn parsed(dump: Dump, text: &[u8]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    parse(dump, text, &Query::all(), &mut Told::new(), &mut snapshot);
    snapshot
}

fn word(ip: [u8; 4]) -> String {
    format!("{:08X}", u32::from_ne_bytes(ip))
}

#[test]
fn a_listening_socket_and_one_that_nobody_holds() {
    let text = format!(
        "  sl  local_address rem_address\n   \
         0: {0}:0016 00000000:0000 0A 00000000:00000001 00:00000000 00000000  1000        0 4711 1 0 100 0\n   \
         1: {0}:0016 {0}:C350 06 00000000:00000000 03:00000064 00000000     0        0 0 3 0\n",
        word([127, 0, 0, 1])
    );
    let snapshot = parsed(TCP, text.as_bytes());
    let rows: Vec<SocketRow<'_>> = snapshot.iter().collect();
    assert_eq!(rows[0].local().to_string(), "127.0.0.1:22");
    assert_eq!((rows[0].state(), rows[0].peer()), (State::Listen, None));
    assert_eq!((rows[0].uid(), rows[0].inode()), (Some(1000), Some(4711)));
    assert_eq!((rows[0].receive_queue(), rows[0].send_queue()), (Some(1), None));
    assert_eq!((rows[1].receive_queue(), rows[1].send_queue()), (Some(0), Some(0)));
    assert_eq!((rows[1].state(), rows[1].uid(), rows[1].inode()), (State::TimeWait, None, None));
    assert_eq!(rows[1].peer_addr(), Some("127.0.0.1:50000".parse().unwrap()));
    assert_eq!(rows[1].timer().unwrap().1.as_millis(), 1000);
    assert_eq!(snapshot.coverage().malformed, 0);
}

#[test]
fn a_socket_that_is_told_twice_is_one() {
    let line = format!(
        " 0: {0}:0016 {0}:C350 01 00000000:00000000 00:00000000 00000000 0 0 4711 1\n",
        word([127, 0, 0, 1])
    );
    let other = line.replace("4711", "4712");
    let snapshot = parsed(TCP, format!("heading\n{line}{other}").as_bytes());
    assert_eq!((snapshot.len(), snapshot.coverage().interrupted), (2, false));
    let snapshot = parsed(TCP, format!("heading\n{line}{other}{line}").as_bytes());
    assert_eq!((snapshot.len(), snapshot.coverage().interrupted), (2, true));
}

#[test]
fn an_ipv6_address_is_four_words() {
    let words = word([0, 0, 0, 0]).repeat(3) + &word([0, 0, 0, 1]);
    let field = format!("{words}:0050");
    assert_eq!(end(field.as_bytes()), Some("[::1]:80".parse().unwrap()));
}

#[test]
fn names_of_unix_sockets_may_have_blanks() {
    let text = "Num RefCount Protocol Flags Type St Inode Path\n\
        0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a b.sock\n\
        0000000000000000: 00000002 00000000 00000000 0002 01 12346 @bus\n\
        0000000000000000: 00000003 00000000 00000000 0005 03 12347\n";
    let snapshot = parsed(Dump::Unix, text.as_bytes());
    let rows: Vec<_> = snapshot
        .iter()
        .map(|row| format!("{} {} {}", row.protocol(), row.state(), row.local()))
        .collect();
    assert_eq!(
        rows,
        [
            "unix-stream LISTEN /run/a b.sock 12345",
            "unix-dgram UNCONN @bus 12346",
            "unix-seqpacket ESTAB * 12347"
        ]
    );
    // They are not told.
    assert!(snapshot.iter().all(|row| row.receive_queue().or(row.send_queue()).is_none()));
}

#[test]
fn what_is_no_socket_is_counted() {
    let snapshot = parsed(TCP, b"heading\nnonsense\n 0: 7F:1 0:0 0A\n");
    assert_eq!((snapshot.len(), snapshot.coverage().malformed), (0, 2));
}

proptest! {
    #[test]
    fn any_text_is_read(text in "[ 0-9A-F:\n@]{0,300}") {
        for dump in [TCP, Dump::Unix] {
            let snapshot = parsed(dump, text.as_bytes());
            let lines = text.lines().skip(1).filter(|line| !line.is_empty()).count();
            let read = snapshot.len() + snapshot.coverage().malformed;
            // UNIX sockets that are not accepted yet are left out.
            prop_assert!(read == lines || dump == Dump::Unix && read < lines);
        }
    }
}
