//! Who sent datagrams: UDP has no connections, so peers are remembered, and not too many.

use std::collections::VecDeque;

use sockets_udp::ReturnPath;

use crate::output::Terminal;

/// How many peers are remembered; the one not heard of for longest is forgotten first.
const MOST_PEERS: usize = 256;

/// The peers, each with the way to it as it was last heard, the latest heard last. With `-v` it is said
/// who is new and who is forgotten.
#[derive(Debug)]
pub(in crate::commands) struct Peers {
    paths: VecDeque<ReturnPath>,
    terminal: Terminal,
}

impl Peers {
    pub(in crate::commands) fn new(terminal: Terminal) -> Self {
        Self { paths: VecDeque::new(), terminal }
    }

    pub(in crate::commands) fn heard(&mut self, path: ReturnPath) {
        if self.paths.back() == Some(&path) {
            return;
        }
        if let Some(position) = self.paths.iter().position(|known| known.peer() == path.peer()) {
            self.paths.remove(position);
        } else {
            if self.paths.len() == MOST_PEERS
                && let Some(forgotten) = self.paths.pop_front()
            {
                self.say(&forgotten, "is forgotten: others were heard since");
            }
            self.say(&path, "is new");
        }
        self.paths.push_back(path);
    }

    fn say(&self, path: &ReturnPath, what: &str) {
        if self.terminal.is_verbose() {
            self.terminal.note(&format!("udp peer {} {what}", path.peer()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sockets_udp::UdpSocket;

    use super::*;
    use crate::args::ColorWhen;

    #[tokio::test]
    async fn the_peer_not_heard_of_for_longest_is_forgotten() {
        let open = || UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        let socket = open();
        let mut paths = Vec::new();
        // All stay open: each has a port of its own.
        let clients: Vec<_> = (0..=MOST_PEERS).map(|_| open()).collect();
        for client in &clients {
            client.send_to(b"", socket.local_addr()).await.unwrap();
            // Whoever had this port before may still be sent to.
            let path = loop {
                let path = socket.recv().await.unwrap().return_path();
                if path.peer() == client.local_addr() {
                    break path;
                }
            };
            paths.push(path);
        }
        let mut peers = Peers::new(Terminal::new(ColorWhen::Never, true, 0));
        paths[..MOST_PEERS].iter().for_each(|path| peers.heard(*path));
        peers.heard(paths[0]);
        let last = paths[MOST_PEERS];
        peers.heard(last);
        assert_eq!(peers.paths.len(), MOST_PEERS);
        assert!(peers.paths.contains(&paths[0]) && !peers.paths.contains(&paths[1]));
    }
}
