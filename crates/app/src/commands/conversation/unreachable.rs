//! That a datagram did not get to whom it was for, as ICMP messages say.

use std::io::ErrorKind;
use std::net::SocketAddr;

use sockets_udp::{Event, Events, UdpSocket};
use tokio::sync::mpsc;

/// How many wait for who says them. Most say the same again.
const KEPT: usize = 64;

/// What an ICMP message said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Unreachable {
    /// Whom the datagram was for, where that is known.
    pub(in crate::commands) peer: Option<SocketAddr>,
    pub(in crate::commands) kind: ErrorKind,
}

impl Unreachable {
    pub(in crate::commands) fn in_words(self) -> String {
        let why = match self.kind {
            ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            kind => kind.to_string(),
        };
        match self.peer {
            Some(peer) => format!("udp {peer} is unreachable: {why}"),
            None => format!("a datagram did not arrive: {why}"),
        }
    }
}

/// What such messages say of the datagrams of these sockets from now on, as it comes.
pub(in crate::commands) fn watch(sockets: &[UdpSocket]) -> mpsc::Receiver<Unreachable> {
    let (sender, receiver) = mpsc::channel(KEPT);
    for socket in sockets {
        tokio::spawn(pass_on(socket.events(), sender.clone()));
    }
    receiver
}

/// Until the socket is closed, or nobody wants to know.
async fn pass_on(mut events: Events, sender: mpsc::Sender<Unreachable>) {
    while let Some(event) = events.recv().await {
        if let Event::PeerUnreachable { peer, kind } = event
            && sender.send(Unreachable { peer, kind }).await.is_err()
        {
            return;
        }
    }
}
