//! Looks and ends that are made up.

use super::*;

/// A connection to port 80 from a port of its own; nobody has it where the inode is 0.
fn row(cookie: u64, port: u16, state: State, inode: u64) -> Row {
    let mut row = Row::new(Protocol::Tcp, state, ends(port));
    (row.cookie, row.inode) = (cookie, inode);
    row
}

fn ends(port: u16) -> (SocketAddr, SocketAddr) {
    ((Ipv4Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, 80).into())
}

fn ended(cookie: u64, port: u16, bytes: u64) -> EndedSocket {
    let (local, peer) = ends(port);
    let tcp =
        TcpDetails { bytes_received: Some(bytes), bytes_acked: Some(1), ..TcpDetails::default() };
    EndedSocket {
        protocol: Protocol::Tcp,
        local,
        peer,
        interface: None,
        cookie: Some(cookie),
        heard: SystemTime::now(),
        tcp: Some(tcp),
    }
}

#[test]
fn each_socket_is_given_as_it_was_at_the_last_poll() {
    let mut watch = SocketWatch::new(Query::tcp());
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    watch.poll_beside(|_, _| panic!("nothing was there before the first look")).unwrap();
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    let [first, second] = [&first, &second].map(|it| it.local_addr().unwrap().to_string());
    let mut given = Vec::new();
    let note = |socket: SocketRow<'_>, before: Option<SocketRow<'_>>| {
        if socket.state() == State::Listen {
            given.push((socket.local().to_string(), before.is_some()));
        }
    };
    watch.poll_beside(note).unwrap();
    given.retain(|(local, _)| [&first, &second].contains(&local));
    given.sort_by_key(|(_, was_there)| *was_there);
    assert_eq!(given, [(second, false), (first, true)]);
}

/// What is told of looks that are made up, one line each: `-1 ESTAB 70` is a socket closed with its
/// cookie, its last state, and the bytes that it received.
fn told(looks: &[(&[Row], &[EndedSocket])]) -> Vec<Vec<String>> {
    let mut watch = SocketWatch::new(Query::tcp());
    // So that it counts on hearing of each end.
    watch.hear_endings().unwrap();
    let mut before = Snapshot::new();
    let mut lines = Vec::new();
    for (rows, heard) in looks {
        let mut now = Snapshot::new();
        now.rows = rows.to_vec();
        watch.heard = heard.to_vec();
        let (time, at) = (now.taken(), now.taken_at());
        let mut poll = Poll { time, at, capacity: 100, found: SocketEvents::default() };
        watch.report(&now.changes_since(&before), (&before, &now), &mut poll);
        lines.push(poll.found.events.iter().map(line).collect());
        before = now;
    }
    lines
}

fn line(event: &SocketEvent) -> String {
    let cookie = event.socket.cookie.unwrap_or_default();
    let state = event.socket.state.map_or("-", State::name);
    match event.kind {
        SocketEventKind::Opened => format!("+{cookie} {state}"),
        SocketEventKind::Changed { from } => format!("{cookie} {from}>{state}"),
        SocketEventKind::Closed { bytes_received, .. } => {
            format!("-{cookie} {state} {}", bytes_received.unwrap_or_default())
        }
    }
}

#[test]
fn an_end_that_is_heard_late_is_told_once() {
    let open = [row(1, 1000, State::Established, 9)];
    let lines = told(&[(&open, &[]), (&[], &[]), (&[], &[ended(1, 1000, 70)])]);
    assert_eq!(lines, [vec!["+1 ESTAB"], vec!["-1 ESTAB 0"], vec![]]);
    let lines = told(&[(&open, &[]), (&[], &[ended(1, 1000, 70)])]);
    assert_eq!(lines, [vec!["+1 ESTAB"], vec!["-1 ESTAB 70"]]);
}

#[test]
fn what_was_heard_before_a_poll_failed_is_told_by_the_next_one() {
    let listener = lone_listener();
    let query = at(std::slice::from_ref(&listener));
    let mut watch = SocketWatch::new(query);
    watch.poll().unwrap();
    let mut ended = ended(u64::MAX, 1000, 70);
    ended.local = listener.local_addr().unwrap();
    // As a poll leaves it that could not hear on.
    watch.heard.push(ended);
    let events = watch.poll().unwrap().events;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), [format!("-{} - 70", u64::MAX)]);
    assert!(watch.poll().unwrap().events.is_empty());
}

#[test]
fn ends_that_are_awaited_are_bounded_and_counted_and_not_by_time() {
    let mut awaited = lives::Awaited::default();
    let most = SocketWatch::MOST_AWAITED as u64;
    (0..most).for_each(|cookie| awaited.insert(cookie));
    assert_eq!(awaited.forgotten, 0);
    assert!(awaited.remove(0) && !awaited.remove(0));
    awaited.insert(most);
    assert_eq!(awaited.forgotten, most / 2 - 1);
    assert!(!awaited.remove(1) && awaited.remove(most / 2) && awaited.remove(most));
}

#[test]
fn where_the_source_is_another_the_watch_begins_anew() {
    let _nobody_starts = nobody_starts();
    let listener = lone_listener();
    let query = at(std::slice::from_ref(&listener));
    let mut watch = SocketWatch::new(query.clone().source(Source::Proc));
    assert!(!watch.poll().unwrap().restarted);
    watch.query = query.source(Source::Netlink);
    let found = watch.poll().unwrap();
    assert!(found.restarted && found.events.is_empty(), "{found:?}");
    let found = watch.poll().unwrap();
    assert!(!found.restarted && found.events.is_empty(), "{found:?}");
    drop(listener);
    assert_eq!(watch.poll().unwrap().events.len(), 1);
}

#[test]
fn what_was_heard_of_a_connection_belongs_to_its_time_wait() {
    let open = [row(1, 1000, State::Established, 9)];
    let waits = [row(1, 1000, State::TimeWait, 0)];
    let heard = [ended(1, 1000, 70)];
    let expected = [vec!["+1 ESTAB"], vec!["1 ESTAB>TIME-WAIT"], vec![], vec!["-1 TIME-WAIT 70"]];
    // In time, late, and before it was seen to change.
    assert_eq!(told(&[(&open, &[]), (&waits, &heard), (&waits, &[]), (&[], &[])]), expected);
    assert_eq!(told(&[(&open, &[]), (&waits, &[]), (&waits, &heard), (&[], &[])]), expected);
    assert_eq!(told(&[(&open, &heard), (&waits, &[]), (&waits, &[]), (&[], &[])]), expected);
}

#[test]
fn one_that_was_seen_only_when_it_was_over_is_told_once() {
    let waits = [row(2, 1000, State::TimeWait, 0)];
    let heard = [ended(1, 1000, 70)];
    let expected = [vec!["+2 TIME-WAIT"], vec![], vec!["-2 TIME-WAIT 70"]];
    assert_eq!(told(&[(&waits, &heard), (&waits, &[]), (&[], &[])]), expected);
    assert_eq!(told(&[(&waits, &[]), (&waits, &heard), (&[], &[])]), expected);
    // Its end may be heard just before it is seen.
    let looks: [(&[Row], &[EndedSocket]); 4] =
        [(&[], &heard), (&waits, &[]), (&[], &[]), (&[], &[])];
    assert_eq!(told(&looks), [vec!["-1 - 70"], vec![], vec![], vec![]]);
    // The next one with the same ends is another one.
    let next = [ended(1, 1000, 70), ended(3, 1000, 5)];
    assert_eq!(told(&[(&waits, &next)]), [vec!["-3 - 5", "+2 TIME-WAIT"]]);
}

#[test]
fn ends_come_before_beginnings() {
    let before = [row(1, 1000, State::Established, 9), row(2, 1001, State::Established, 8)];
    let after = [row(5, 1002, State::SynSent, 7), row(2, 1001, State::CloseWait, 8)];
    let lines = told(&[(&before, &[]), (&after, &[ended(4, 1002, 3), ended(1, 1000, 70)])]);
    let expected = ["-1 ESTAB 70", "-4 - 3", "+5 SYN-SENT", "2 ESTAB>CLOSE-WAIT"];
    assert_eq!(lines[1], expected);
}

#[test]
fn what_an_aborted_connection_had_moved_is_kept_from_the_last_look() {
    let _nobody_starts = nobody_starts();
    let listener = lone_listener();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    let port = Port::new(client.local_addr().unwrap().port());
    let query = Query::tcp().local_ports(PortSet::from([port])).traffic(true);
    // Only connections to that address: the kernel gives one port to connections to several places.
    let mut watch = SocketWatch::new(query.address(address.ip()));
    watch.hear_endings().unwrap();
    // Acknowledged by now, or in a moment.
    loop {
        watch.poll().unwrap();
        let row = watch.snapshot().and_then(|snapshot| snapshot.row(0)).unwrap();
        if row.traffic().map(|traffic| traffic.acknowledged) == Some(6) {
            break;
        }
    }
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let events = watch.poll().unwrap().events;
    let [SocketEvent { kind: SocketEventKind::Closed { bytes_acknowledged, .. }, .. }] = events[..]
    else {
        panic!("{events:?}")
    };
    // The kernel counts the SYN, too.
    assert_eq!(bytes_acknowledged, Some(6));
}
