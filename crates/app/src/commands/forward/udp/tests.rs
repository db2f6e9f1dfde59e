//! The forwarding over UDP, where clients churn, and where their ways back are stuck.

use std::net::Ipv4Addr;

use ports_core::Transport;
use serde_json::Value;
use sockets_tcp::ClientNumbers;
use tempfile::NamedTempFile;

use super::super::mapping::Ending;
use super::*;
use crate::args::{ColorWhen, EventTarget};
use crate::output::{EventLog, Terminal};

/// A forwarding whose events are read at the end, and its target.
struct Lab {
    target: std::net::UdpSocket,
    stats: SocketStats,
    telling: JoinSet<()>,
    log: EventLog,
    file: NamedTempFile,
}

impl Lab {
    fn new(most: usize) -> (Self, Forward) {
        let target = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        target.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let (stats, file) = (SocketStats::new(), NamedTempFile::new().unwrap());
        let events = EventTarget::File(file.path().to_owned());
        let log = EventLog::open(Some(&events), CancellationToken::new()).unwrap();
        let mut telling = JoinSet::new();
        let quiet = Terminal::new(ColorWhen::Never, true, 0);
        let teller = Teller::start(&log.sender(), quiet, &mut telling);
        let socket = UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        let way = WayBack {
            listener: socket.clone(),
            lanes: Arc::new(Lanes::new()),
            idle: Duration::from_mins(2),
            teller: teller.clone(),
            said: Arc::new(Said::new(quiet)),
            stats: stats.clone(),
        };
        let forward = Forward {
            socket,
            target: Target { address: target.local_addr().unwrap(), source: None },
            mappings: Mappings::new(most, ClientNumbers::new()),
            serving: JoinSet::new(),
            way,
            grace: Duration::from_mins(1),
            stats: stats.clone(),
            teller,
            unserved: 0,
            in_hand: Loss::default(),
        };
        (Self { target, stats, telling, log, file }, forward)
    }

    /// Two answers to what the client said, there before anything here looks.
    fn answer_twice(&self) {
        let (_, from) = self.target.recv_from(&mut [0; 16]).unwrap();
        for _ in 0..2 {
            self.target.send_to(b"answer", from).unwrap();
        }
    }

    /// More answers to what the client said than any buffer for receiving has room for.
    fn flood(&self) {
        let (_, from) = self.target.recv_from(&mut [0; 16]).unwrap();
        while kernel_drops(from, self.target.local_addr().unwrap()) == 0 {
            for _ in 0..100 {
                self.target.send_to(&[0; 10_000], from).unwrap();
            }
        }
    }

    /// All lines but the last; the forwarding is gone.
    async fn lines(mut self) -> Vec<Value> {
        while self.telling.join_next().await.is_some() {}
        self.log.finish(self.stats.snapshot()).await.unwrap();
        let text = std::fs::read_to_string(self.file.path()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["type"] != "stats").collect()
    }
}

/// How many datagrams of `to` the kernel dropped on the socket with this port: the last column of
/// proc(5), /proc/net/udp.
fn kernel_drops(socket: SocketAddr, to: SocketAddr) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let [here, there] = [socket, to].map(|address| format!(":{:04X}", address.port()));
    let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut lines = columns.filter(|row| row[1].ends_with(&here) && row[2].ends_with(&there));
    // While other sockets come and go a row may be left out.
    lines.next().map_or(0, |row| row.last().unwrap().parse().unwrap())
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["type"].as_str().unwrap()).collect()
}

/// So many clients, each at an address of its own, with nobody there.
async fn paths(count: u16) -> Vec<ReturnPath> {
    /// Discard (RFC 863).
    const PORT: u16 = 9;
    let socket = client();
    socket.send_to(b"", socket.local_addr()).await.unwrap();
    let mut datagram = socket.recv().await.unwrap();
    let path_of = |number: u16| {
        let [high, low] = number.to_be_bytes();
        datagram.source = (Ipv4Addr::new(127, 77, high, low), PORT).into();
        datagram.return_path()
    };
    (1..=count).map(path_of).collect()
}

fn client() -> UdpSocket {
    UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap()
}

/// Waits until it is so, giving the other tasks their turns.
async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now().await;
    }
}

impl Forward {
    async fn take_in_hand(&mut self, datagrams: &[(ReturnPath, &[u8])]) {
        for (_, data) in datagrams {
            self.in_hand.messages += 1;
            self.in_hand.bytes += data.len() as u64;
        }
        self.forward(datagrams.iter().copied()).await;
    }
}

#[tokio::test]
async fn clients_that_come_and_go_are_bounded_with_those_that_end() {
    const CLIENTS: u16 = 2000;
    let (lab, mut forward) = Lab::new(4);
    let clients = paths(CLIENTS).await;
    let datagrams: Vec<_> = clients.into_iter().map(|path| (path, &b"?"[..])).collect();
    for some in datagrams.chunks(50) {
        forward.take_in_hand(some).await;
        assert!(forward.mappings.len() <= forward.mappings.bound());
        assert!(forward.serving.len() <= forward.mappings.bound(), "{}", forward.serving.len());
    }
    assert_eq!(forward.mappings.admitted() + forward.unserved, u64::from(CLIENTS));
    assert_eq!(forward.in_hand, Loss::default());
    let sockets = lab.stats.snapshot().transport(Transport::Udp);
    // Those of the clients, and none of those that are over and had their turn.
    assert!(sockets.active <= forward.mappings.bound() as u64, "{}", sockets.active);
}

#[tokio::test]
async fn who_finds_no_room_beside_those_that_end_is_not_served_and_counted() {
    let (lab, mut forward) = Lab::new(1);
    let lanes = Arc::clone(&forward.way.lanes);
    let held = lanes.block().await;
    let room = forward.mappings.bound();
    let clients = paths(room as u16 + 3).await;
    for path in &clients {
        forward.take_in_hand(&[(*path, b"?")]).await;
        let Some(mapping) = forward.mappings.find(*path) else { continue };
        // Each has answers in hand that do not go on.
        lab.answer_twice();
        until(|| mapping.in_hand().messages == 2).await;
    }
    assert_eq!((forward.mappings.admitted(), forward.unserved), (room as u64, 3));
    drop(held);
    until(|| forward.forget_ended().is_ok() && forward.serving.len() == 1).await;
    forward.take_in_hand(&[(clients[0], b"?")]).await;
    assert_eq!(forward.unserved, 3, "there is room again");
    let counted = lab.stats.snapshot().transport(Transport::Udp);
    assert_eq!((counted.dropped_messages, counted.dropped_bytes), (3, 3));
    assert_eq!(counted.errors.count(ErrorKind::Connect), 3);
    drop(forward);
    let lines = lab.lines().await;
    assert_eq!(kinds(&lines).iter().filter(|kind| **kind == "error").count(), 3);
}

#[tokio::test]
async fn a_client_whose_mapping_ends_under_its_datagrams_gets_one_new_one() {
    let (lab, mut forward) = Lab::new(4);
    let path = paths(1).await[0];
    forward.take_in_hand(&[(path, b"0")]).await;
    let (_, before) = lab.target.recv_from(&mut [0; 16]).unwrap();
    let first = forward.mappings.find(path).unwrap();
    forward.in_hand = Loss { messages: 3, bytes: 3 };
    let ending = [&b"1"[..], b"2", b"3"].into_iter().enumerate().map(|(index, data)| {
        if index == 1 {
            first.end(Ending::Idle);
        }
        (path, data)
    });
    forward.forward(ending).await;
    assert_eq!(forward.mappings.admitted(), 2);
    assert_eq!(forward.in_hand, Loss::default());
    let mut from = Vec::new();
    for expected in [b"1", b"2", b"3"] {
        let mut buffer = [0; 16];
        let (len, address) = lab.target.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], expected);
        from.push(address);
    }
    // Of the one that is over, no answer would come back.
    assert!(from.iter().all(|address| *address == from[0] && *address != before), "{from:?}");
}

#[tokio::test]
async fn the_end_of_a_client_is_told_after_its_last_answer() {
    let (lab, mut forward) = Lab::new(1);
    let held = Arc::clone(&forward.way.lanes);
    let held = held.block().await;
    let (one, two) = (client(), client());
    let mut clients = Vec::new();
    for client in [&one, &two] {
        client.send_to(b"?", forward.socket.local_addr()).await.unwrap();
        clients.push(forward.socket.recv().await.unwrap().return_path());
    }
    forward.take_in_hand(&[(clients[0], b"?")]).await;
    lab.answer_twice();
    let mapping = forward.mappings.find(clients[0]).unwrap();
    until(|| mapping.in_hand().messages == 2).await;
    // It makes room.
    forward.take_in_hand(&[(clients[1], b"?")]).await;
    assert_eq!(mapping.ending(), Some(Ending::Evicted));
    drop(held);
    for _ in 0..2 {
        assert_eq!(one.recv().await.unwrap().data, "answer");
    }
    let stop = CancellationToken::new();
    stop.cancel();
    forward.run(&stop).await.unwrap();
    let lines = lab.lines().await;
    let gone: Vec<_> = lines.iter().filter(|line| line["type"] == "disconnected").collect();
    assert_eq!(gone.len(), 2, "{lines:?}");
    let told = (&gone[0]["client"], &gone[0]["reason"], &gone[0]["bytes_out"]);
    assert_eq!(told, (&1.into(), &"evicted".into(), &12.into()));
}

/// A kernel that takes nothing more looks like this, too.
#[tokio::test]
async fn the_way_out_is_bounded_and_what_is_not_sent_is_told() {
    let (lab, mut forward) = Lab::new(4);
    forward.grace = Duration::from_millis(10);
    let lanes = Arc::clone(&forward.way.lanes);
    let held = lanes.block().await;
    let path = paths(1).await[0];
    forward.take_in_hand(&[(path, b"question")]).await;
    lab.answer_twice();
    let mapping = forward.mappings.find(path).unwrap();
    until(|| mapping.in_hand().messages == 2).await;
    let stop = CancellationToken::new();
    stop.cancel();
    forward.run(&stop).await.unwrap();
    drop(held);
    let counted = lab.stats.snapshot().transport(Transport::Udp);
    assert_eq!((counted.dropped_messages, counted.dropped_bytes), (2, 12));
    let lines = lab.lines().await;
    assert_eq!(kinds(&lines), ["connected", "data", "dropped", "disconnected"]);
    let lost = (&lines[2]["client"], &lines[2]["messages"], &lines[2]["bytes"]);
    assert_eq!(lost, (&1.into(), &2.into(), &12.into()));
    let gone = (&lines[3]["reason"], &lines[3]["bytes_in"], &lines[3]["bytes_out"]);
    assert_eq!(gone, (&"shutdown".into(), &8.into(), &0.into()));
}

/// The way back is stuck while the target floods it, so that the kernel drops what comes: most often no
/// datagram tells of it any more.
#[tokio::test]
async fn what_the_kernel_dropped_is_told_by_the_end_of_a_client() {
    for is_cut in [false, true] {
        let (lab, mut forward) = Lab::new(4);
        forward.grace = if is_cut { Duration::ZERO } else { forward.grace };
        let lanes = Arc::clone(&forward.way.lanes);
        let held = lanes.block().await;
        let path = paths(1).await[0];
        forward.take_in_hand(&[(path, b"question")]).await;
        let mapping = forward.mappings.find(path).unwrap();
        lab.flood();
        until(|| mapping.in_hand().messages == 2).await;
        let stop = CancellationToken::new();
        stop.cancel();
        if is_cut {
            forward.run(&stop).await.unwrap();
            drop(held);
        } else {
            drop(held);
            forward.run(&stop).await.unwrap();
        }
        let dropped = lab.stats.snapshot().transport(Transport::Udp).dropped_received;
        let lines = lab.lines().await;
        let told = lines.iter().filter(|line| line["type"] == "dropped" && line["bytes"].is_null());
        let told = told.inspect(|line| assert_eq!(line["client"], 1, "{lines:?}"));
        let told: u64 = told.map(|line| line["messages"].as_u64().unwrap()).sum();
        assert!(dropped > 0 && told == dropped, "{dropped} dropped: {lines:?}");
        assert_eq!(lines.last().unwrap()["type"], "disconnected", "{lines:?}");
    }
}

#[tokio::test]
async fn that_nobody_is_at_the_target_is_one_line_however_much_is_sent() {
    let (lab, mut forward) = Lab::new(4);
    // Connected to itself it refuses what others send.
    lab.target.connect(lab.target.local_addr().unwrap()).unwrap();
    let path = paths(1).await[0];
    let errors = || lab.stats.snapshot().transport(Transport::Udp).errors;
    while errors().count(ErrorKind::Unreachable) < 4 * KEPT_EVENTS as u64 {
        // One by one: most have an answer then.
        forward.take_in_hand(&[(path, b"?")]).await;
    }
    let stop = CancellationToken::new();
    stop.cancel();
    forward.run(&stop).await.unwrap();
    let lines = lab.lines().await;
    let told = lines.iter().filter(|line| line["type"] != "data");
    let told: Vec<_> = told.map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["connected", "error", "disconnected"]);
}

#[tokio::test]
async fn answers_that_cannot_go_back_are_told_once_and_counted() {
    let (lab, mut forward) = Lab::new(4);
    let asking = client();
    asking.send_to(b"", asking.local_addr()).await.unwrap();
    let mut datagram = asking.recv().await.unwrap();
    datagram.source.set_port(0);
    forward.take_in_hand(&[(datagram.return_path(), b"?")]).await;
    let (_, from) = lab.target.recv_from(&mut [0; 16]).unwrap();
    let stats = lab.stats.clone();
    let dropped = || stats.snapshot().counters(Transport::Udp, Role::Peer).dropped_messages;
    for told in 1..=4 {
        lab.target.send_to(b"answer", from).unwrap();
        until(|| dropped() == told).await;
    }
    let stop = CancellationToken::new();
    stop.cancel();
    forward.run(&stop).await.unwrap();
    let lines = lab.lines().await;
    let told: Vec<_> = lines.iter().filter(|line| line["type"] == "error").collect();
    let why = "cannot send to udp 127.0.0.1:0: 0 is not a port to send to";
    assert_eq!((told.len(), &told[0]["client"], &told[0]["error"]), (1, &1.into(), &why.into()));
    let dropped = lines.iter().find(|line| line["type"] == "dropped").unwrap();
    assert_eq!((&dropped["messages"], &dropped["bytes"]), (&4.into(), &24.into()), "{lines:?}");
}
