//! The UDP pipe: datagrams to standard output, standard input to the latest sender.

use ports_core::Transport;
use sockets_udp::{Datagram, MAX_PAYLOAD_V4, ReturnPath, UdpSocket};
use stats::{Role, SocketStats};
use tokio_util::sync::CancellationToken;

use super::peers::Peers;
use super::unanswerable::can_be_answered;
use crate::commands::conversation::drain::{drain, more_came};
use crate::commands::conversation::events::tell_udp;
use crate::commands::conversation::incoming::Incoming;
use crate::commands::conversation::session::{Session, too_slow};
use crate::commands::conversation::streams::{Input, InputReader, Output};
use crate::commands::conversation::unreachable;
use crate::output::{EventLine, EventSender, Terminal, counted};

/// Runs until the command is stopped; `others` are the further addresses of the same name.
pub(super) async fn run(
    socket: UdpSocket,
    others: Vec<UdpSocket>,
    session: &Session,
) -> anyhow::Result<()> {
    let mut sockets = others;
    sockets.push(socket);
    let telling: Vec<_> = sockets
        .iter()
        .filter(|_| session.tells())
        .map(|socket| {
            tokio::spawn(tell_udp(socket.events(), session.events.clone(), session.terminal))
        })
        .collect();
    let result = tokio::select! {
        result = pipe(&sockets, session) => result,
        () = session.grace_over() => {
            Err(too_slow())
        }
    };
    for socket in &sockets {
        socket.close();
    }
    for telling in telling {
        telling.await?;
    }
    result
}

async fn pipe(sockets: &[UdpSocket], session: &Session) -> anyhow::Result<()> {
    let (mut input, mut output) = (InputReader::new(MAX_PAYLOAD_V4), Output::new());
    let incoming = Incoming::begin();
    let stop = &session.stop;
    // Whom standard input goes to; it is not read before there is somebody who can be answered, nor
    // after its end.
    let mut latest: Option<(&UdpSocket, ReturnPath)> = None;
    let mut input_ended = false;
    let mut peers = Peers::new(session.terminal);
    let mut unreachable = unreachable::watch(sockets);
    // That it is was said since it was last heard.
    let mut said = None;
    let mut answers = Answers::new(session);
    loop {
        tokio::select! {
            (socket, datagram) = receive(sockets) => {
                let datagram = datagram?;
                let path = datagram.return_path();
                peers.heard(path);
                said = said.filter(|said| *said != path.peer());
                output.write(&datagram.data).await?;
                if can_be_answered(&path) {
                    latest = Some((socket, path));
                }
            }
            next = input.next(incoming.unread(), stop), if latest.is_some() && !input_ended => match next? {
                Input::Chunk(chunk) => if let Some((socket, path)) = latest {
                    answers.send(socket, &path, &chunk).await;
                },
                Input::End => input_ended = true,
                Input::Silent => {
                    incoming.tell_silence(session.terminal);
                    break;
                }
                Input::Stopped => break,
            },
            Some(error) = unreachable.recv() => {
                if error.peer.is_some() && error.peer != said {
                    said = error.peer;
                    session.terminal.warn(&error.in_words());
                }
            }
            // There is nobody to send to, or nothing more.
            () = incoming.unread(), if latest.is_none() || input_ended => break,
            () = stop.cancelled() => break,
        }
    }
    answers.say_lost();
    for socket in sockets {
        let write = async |datagram: Datagram| output.write(&datagram.data).await;
        if drain(socket, write).await? {
            session.terminal.warn(&more_came());
        }
    }
    Ok(())
}

/// What standard input says to whoever sent last. Whoever cannot be reached is no reason to end: what
/// was for it is lost, and the next sender may be another one.
struct Answers {
    stop: CancellationToken,
    stats: SocketStats,
    events: EventSender,
    terminal: Terminal,
    lost: u64,
}

impl Answers {
    fn new(session: &Session) -> Self {
        let Session { stop, stats, events, terminal, .. } = session;
        let (stop, stats, events) = (stop.clone(), stats.clone(), events.clone());
        Self { stop, stats, events, terminal: *terminal, lost: 0 }
    }

    async fn send(&mut self, socket: &UdpSocket, path: &ReturnPath, chunk: &[u8]) {
        let why = tokio::select! {
            biased;
            sent = socket.send_back(chunk, path) => match sent {
                Ok(()) => return,
                // The socket's events tell of it, too: with `-v` each one.
                Err(error) if !self.terminal.is_verbose() => Some(anyhow::Error::from(error)),
                Err(_) => None,
            },
            () = self.stop.cancelled() => Some(anyhow::anyhow!("the socket takes no more")),
        };
        if self.lost == 0
            && let Some(why) = why
        {
            self.terminal.warn(&format!("{why:#}; what was for it is lost"));
        }
        self.lost += 1;
        let bytes = chunk.len() as u64;
        self.stats.dropped(Transport::Udp, Role::Peer, 1, bytes);
        self.events
            .send(EventLine::Dropped { client: None, messages: 1, bytes: Some(bytes) })
            .await;
    }

    fn say_lost(&self) {
        if self.lost > 0 {
            let datagrams = counted(self.lost, "datagram", "datagrams");
            self.terminal.warn(&format!("{datagrams} could not be sent"));
        }
    }
}

/// The next datagram of any socket.
async fn receive(sockets: &[UdpSocket]) -> (&UdpSocket, Result<Datagram, sockets_udp::RecvError>) {
    let receiving =
        sockets.iter().map(|socket| Box::pin(async move { (socket, socket.recv().await) }));
    let mut receiving: Vec<_> = receiving.collect();
    std::future::poll_fn(|context| {
        receiving
            .iter_mut()
            .map(|future| future.as_mut().poll(context))
            .find(std::task::Poll::is_ready)
            .unwrap_or(std::task::Poll::Pending)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::args::ColorWhen;
    use crate::output::EventLog;

    /// None of the failing datagrams gets as far as the kernel.
    #[tokio::test]
    async fn who_cannot_be_reached_costs_what_was_for_it_and_nothing_else() {
        let open = || UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        let (here, there) = (open(), open());
        there.send_to(b"?", here.local_addr()).await.unwrap();
        let datagram = here.recv().await.unwrap();
        let (mut without_port, mut elsewhere) = (datagram.clone(), datagram.clone());
        without_port.source.set_port(0);
        elsewhere.source.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let stop = CancellationToken::new();
        let events = EventLog::open(None, stop.clone()).unwrap().sender();
        let (stats, terminal) = (SocketStats::new(), Terminal::new(ColorWhen::Never, true, 0));
        let mut answers = Answers { stop, stats: stats.clone(), events, terminal, lost: 0 };
        for unreachable in [without_port, elsewhere] {
            assert!(here.send_back(b"!", &unreachable.return_path()).await.is_err());
            answers.send(&here, &unreachable.return_path(), b"lost").await;
        }
        answers.send(&here, &datagram.return_path(), b"answer").await;
        assert_eq!(there.recv().await.unwrap().data, "answer");
        assert_eq!(answers.lost, 2);
        let counted = stats.snapshot().transport(Transport::Udp);
        assert_eq!((counted.dropped_messages, counted.dropped_bytes), (2, 8));
    }
}
