//! Whom a UDP relay sends to: the rule, with the time passed in.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::unanswerable::can_be_answered;
use sockets_tcp::ClientNumbers;
use sockets_udp::ReturnPath;
use tokio::time::Instant;

/// How many clients are remembered; the one not heard of for longest is forgotten first.
pub(super) const MOST: usize = 256;

/// Somebody who has sent a datagram, and gets those of the others.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) number: u64,
    /// The way to it as it was last heard.
    pub(super) path: ReturnPath,
    heard: Instant,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// The clients, the latest heard last. What is sent to a client does not keep it: whoever is named as
/// the sender of one datagram, and is not, hears of the others no longer than the idle time.
#[derive(Debug)]
pub(super) struct Clients {
    idle: Duration,
    numbers: ClientNumbers,
    by_silence: VecDeque<Client>,
}

impl Clients {
    pub(super) fn new(idle: Duration, numbers: ClientNumbers) -> Self {
        Self { idle, numbers, by_silence: VecDeque::new() }
    }

    /// Who makes room for whoever sends by this path, if anybody has to.
    pub(super) fn in_the_way_of(&self, path: &ReturnPath) -> bool {
        self.by_silence.len() >= MOST && can_be_answered(path) && self.find(path.peer()).is_none()
    }

    /// Takes out the one not heard of for longest.
    pub(super) fn evict(&mut self) -> Option<Client> {
        self.by_silence.pop_front()
    }

    /// Whoever sent so many bytes, and whether it is new; `None` where nothing can be sent to it.
    pub(super) fn hear(
        &mut self,
        path: ReturnPath,
        bytes: usize,
        now: Instant,
    ) -> Option<(&Client, bool)> {
        if !can_be_answered(&path) {
            return None;
        }
        let known = self.find(path.peer()).and_then(|at| self.by_silence.remove(at));
        let is_new = known.is_none();
        let mut client = known.unwrap_or_else(|| {
            let number = self.numbers.draw().number();
            Client { number, path, heard: now, bytes_in: 0, bytes_out: 0 }
        });
        client.path = path;
        client.heard = now;
        client.bytes_in += bytes as u64;
        self.by_silence.push_back(client);
        self.by_silence.back().map(|client| (client, is_new))
    }

    /// All but whoever has this address.
    pub(super) fn others(&self, peer: SocketAddr) -> impl Iterator<Item = &Client> {
        self.by_silence.iter().filter(move |client| client.path.peer() != peer)
    }

    /// So many bytes went to a client.
    pub(super) fn note_sent(&mut self, number: u64, bytes: usize) {
        let client = self.by_silence.iter_mut().find(|client| client.number == number);
        if let Some(client) = client {
            client.bytes_out += bytes as u64;
        }
    }

    /// When the next one has been silent for too long, unless it is heard before.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.by_silence.front().map(|client| client.heard + self.idle)
    }

    /// Takes out one that has been silent for too long.
    pub(super) fn take_silent(&mut self, now: Instant) -> Option<Client> {
        let is_silent = self.next_end().is_some_and(|end| end <= now);
        is_silent.then(|| self.by_silence.pop_front()).flatten()
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Client> {
        std::mem::take(&mut self.by_silence).into_iter()
    }

    fn find(&self, peer: SocketAddr) -> Option<usize> {
        self.by_silence.iter().position(|client| client.path.peer() == peer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sockets_udp::UdpSocket;

    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    /// Ways back to as many ports as are asked for, from 0 on.
    async fn paths(count: u16) -> Vec<ReturnPath> {
        let socket = UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        socket.send_to(b"", socket.local_addr()).await.unwrap();
        let mut datagram = socket.recv().await.unwrap();
        let path_of = |port| {
            datagram.source.set_port(port);
            datagram.return_path()
        };
        (0..count).map(path_of).collect()
    }

    #[tokio::test]
    async fn the_client_not_heard_of_for_longest_is_forgotten() {
        let paths = paths(MOST as u16 + 2).await;
        let (begin, mut clients) = (Instant::now(), Clients::new(IDLE, ClientNumbers::new()));
        for path in &paths[1..=MOST] {
            assert!(!clients.in_the_way_of(path));
            assert!(clients.hear(*path, 1, begin).unwrap().1);
        }
        // The first one is heard again, and the second one is the next to go.
        let (first, is_new) = clients.hear(paths[1], 2, begin).unwrap();
        assert_eq!((first.number, first.bytes_in, is_new), (1, 3, false));
        let last = paths[MOST + 1];
        assert!(clients.in_the_way_of(&last) && !clients.in_the_way_of(&paths[5]));
        assert_eq!(clients.evict().unwrap().number, 2);
        clients.hear(last, 1, begin).unwrap();
        assert_eq!(clients.others(last.peer()).count(), MOST - 1);
    }

    #[tokio::test]
    async fn who_is_silent_is_forgotten_whatever_is_sent_to_it() {
        let paths = paths(3).await;
        let (begin, mut clients) = (Instant::now(), Clients::new(IDLE, ClientNumbers::new()));
        assert_eq!(clients.next_end(), None);
        clients.hear(paths[1], 1, begin);
        clients.hear(paths[2], 1, begin + IDLE / 2);
        clients.note_sent(1, 7);
        assert_eq!(clients.next_end(), Some(begin + IDLE));
        assert!(clients.take_silent(begin + IDLE / 2).is_none());
        let gone = clients.take_silent(begin + IDLE).unwrap();
        assert_eq!((gone.number, gone.bytes_in, gone.bytes_out), (1, 1, 7));
        assert!(clients.take_silent(begin + IDLE).is_none());
        // It is another one when it comes back.
        assert_eq!(clients.hear(paths[1], 1, begin + IDLE).unwrap().0.number, 3);
    }

    #[tokio::test]
    async fn nobody_is_at_port_0() {
        let paths = paths(2).await;
        let mut clients = Clients::new(IDLE, ClientNumbers::new());
        assert!(clients.hear(paths[0], 1, Instant::now()).is_none());
        assert!(clients.hear(paths[1], 1, Instant::now()).is_some());
        assert_eq!(clients.others(paths[1].peer()).count(), 0);
    }
}
