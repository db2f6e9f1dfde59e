//! Events of servers and sockets, as lines.

use std::net::SocketAddr;

use sockets_tcp::{Events, ServerEvent, TcpServer, TcpServerBuilder, TlsFault};
use sockets_udp::{Event, Operation};
use tokio::time::{Instant, sleep_until};

use super::accepting::Accepting;
use super::crowd::{Crowd, What};
use super::session::Session;
use super::unreachable::Unreachable;
use crate::args::LimitArgs;
use crate::commands::tls::{End, advice};
use crate::output::{EventLine, EventSender, Terminal, bytes, counted};

/// The events of a server that somebody wants to know: all where they are written, else without those
/// of every read.
pub(in crate::commands) fn of_server(server: &TcpServer, log: &EventSender) -> Events<ServerEvent> {
    if log.is_on() { server.events() } else { server.events_without_data() }
}

/// How many events of a server may wait to be told. All clients may end in one moment, that of a stop,
/// each with what it lost and why.
pub(in crate::commands) fn capacity(limits: &LimitArgs, session: &Session) -> usize {
    const OF_EACH: usize = 4;
    let least = TcpServerBuilder::DEFAULT_EVENT_CAPACITY;
    if !session.tells() {
        return least;
    }
    let clients = limits.most_clients().unwrap_or(TcpServerBuilder::DEFAULT_MAX_CONNECTIONS);
    clients.saturating_mul(OF_EACH).max(least)
}

/// Tells a server's events: to the log, to standard error what keeps clients from being served, and with
/// `-v` what concerns single ones.
pub(in crate::commands) struct ServerTeller {
    log: EventSender,
    terminal: Terminal,
    accepting: Accepting,
    crowd: Crowd,
}

impl ServerTeller {
    pub(in crate::commands) fn new(log: EventSender, terminal: Terminal) -> Self {
        Self { log, terminal, accepting: Accepting::default(), crowd: Crowd::default() }
    }

    /// All of them until the last.
    pub(in crate::commands) async fn tell_all(mut self, mut events: Events<ServerEvent>) {
        while let Some(received) = self.next(&mut events).await {
            self.tell(received).await;
        }
    }

    /// The next event, to be told by [`tell`](Self::tell). Meanwhile it says what had to wait.
    pub(in crate::commands) async fn next(
        &mut self,
        events: &mut Events<ServerEvent>,
    ) -> Option<ServerEvent> {
        loop {
            let (accepting, crowd) = (until(self.accepting.due()), until(self.crowd.due()));
            tokio::select! {
                received = events.recv() => {
                    if received.is_none() {
                        self.say_rest();
                    }
                    return received;
                }
                () = accepting => {
                    if let Some(note) = self.accepting.note(Instant::now()) {
                        self.terminal.warn(&note);
                    }
                }
                () = crowd => {
                    if let Some(note) = self.crowd.rest() {
                        self.terminal.note(&note);
                    }
                }
            }
        }
    }

    /// After the last event.
    pub(in crate::commands) fn say_rest(&mut self) {
        if let Some(note) = self.accepting.rest() {
            self.terminal.warn(&note);
        }
        if let Some(note) = self.crowd.rest() {
            self.terminal.note(&note);
        }
    }

    pub(in crate::commands) async fn tell(&mut self, event: ServerEvent) {
        self.say(&event);
        if let Some(line) = tcp_line(event) {
            self.log.send(line).await;
        }
    }

    /// Says with `-v` what happened to a client.
    pub(in crate::commands) fn say_of_client(&mut self, what: What, text: &str) {
        if self.terminal.is_verbose() {
            let (before, is_said) = self.crowd.hear(what, Instant::now());
            for note in before.as_deref().into_iter().chain(is_said.then_some(text)) {
                self.terminal.note(note);
            }
        }
    }

    fn say(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::Error { client: None, failure } => self.accepting.begins(failure.text()),
            ServerEvent::AcceptResumed { refused, lasted } => {
                self.accepting.ends(*refused, *lasted);
            }
            event => {
                if self.terminal.is_verbose()
                    && let Some(text) = tcp_note(event)
                {
                    self.say_of_client(event.into(), &text);
                }
                return;
            }
        }
        if let Some(note) = self.accepting.note(Instant::now()) {
            self.terminal.warn(&note);
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Writes a socket's events until its last; with `-v`, what failed to standard error as well.
pub(in crate::commands) async fn tell_udp(
    mut events: sockets_udp::Events,
    log: EventSender,
    terminal: Terminal,
) {
    while let Some(event) = events.recv().await {
        tell_one_udp(&event, &log, terminal).await;
    }
}

/// As [`tell_udp`], to the events only: what failed ends the command, which says it.
pub(in crate::commands) async fn tell_quietly(mut events: sockets_udp::Events, log: EventSender) {
    while let Some(event) = events.recv().await {
        if let Some(line) = udp_line(&event) {
            log.send(line).await;
        }
    }
}

/// As [`tell_udp`], without what could not be sent: that is told with the client whom it was for.
pub(in crate::commands) async fn tell_listener(
    mut events: sockets_udp::Events,
    log: EventSender,
    terminal: Terminal,
) {
    while let Some(event) = events.recv().await {
        if !matches!(event, Event::Error { operation: Operation::Send, .. }) {
            tell_one_udp(&event, &log, terminal).await;
        }
    }
}

async fn tell_one_udp(event: &Event, log: &EventSender, terminal: Terminal) {
    if let Event::Error { text, .. } = event
        && terminal.is_verbose()
    {
        terminal.note(text);
    }
    if let Some(line) = udp_line(event) {
        log.send(line).await;
    }
}

fn tcp_note(event: &ServerEvent) -> Option<String> {
    Some(match event {
        ServerEvent::Connected { client, peer } => format!("client {client} connected: {peer}"),
        ServerEvent::Disconnected { client, peer, reason, bytes_in, bytes_out, discarded } => {
            let unread = match discarded {
                0 => String::new(),
                discarded => format!(", {discarded} not read"),
            };
            format!(
                "client {client} is gone: {peer}, {reason}, {} in, {bytes_out} out{unread}",
                bytes(*bytes_in)
            )
        }
        ServerEvent::Dropped { client, messages, bytes } => {
            let messages = counted(*messages, "message", "messages");
            format!("client {client}: {messages} dropped, {}", counted(*bytes, "byte", "bytes"))
        }
        ServerEvent::Full { max_connections } => {
            let clients = counted(*max_connections, "client", "clients");
            format!("{clients} connected, the most there may be: others wait")
        }
        ServerEvent::Refused { peer, reason } => format!("{peer} was refused: {reason}"),
        ServerEvent::HandshakeFailed { peer, failure } => {
            no_session(*peer, failure.text(), failure.tls())
        }
        ServerEvent::Error { client: Some(client), failure } => {
            format!("client {client}: {failure}")
        }
        _ => return None,
    })
}

/// That a client began no TLS session: why, and what can be done.
pub(in crate::commands) fn no_session(
    peer: SocketAddr,
    why: &str,
    fault: Option<TlsFault>,
) -> String {
    let text = format!("{peer} began no TLS session: {why}");
    match fault.and_then(|fault| advice(fault, End::Listener)) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// `listening` is left out: it is written where the endpoint is known as the user gave it.
fn tcp_line(event: ServerEvent) -> Option<EventLine> {
    Some(match event {
        ServerEvent::Lagged { missed } => EventLine::Lagged { missed },
        ServerEvent::Connected { client, peer } => {
            EventLine::Connected { client: Some(client.number()), peer }
        }
        ServerEvent::Data { client, len } => {
            EventLine::Data { client: Some(client.number()), peer: None, len }
        }
        ServerEvent::HalfClosed { client } => {
            EventLine::HalfClosed { client: Some(client.number()) }
        }
        ServerEvent::Disconnected { client, peer, reason, bytes_in, bytes_out, discarded } => {
            let (client, reason) = (Some(client.number()), reason.name());
            EventLine::Disconnected { client, peer, reason, bytes_in, bytes_out, discarded }
        }
        ServerEvent::Dropped { client, messages, bytes } => EventLine::Dropped {
            client: Some(client.number()),
            messages: messages as u64,
            bytes: Some(bytes as u64),
        },
        ServerEvent::Error { client, failure } => EventLine::Error {
            client: client.map(sockets_tcp::ClientId::number),
            operation: failure.operation().name(),
            error: failure.text().to_owned(),
        },
        ServerEvent::Full { max_connections } => {
            EventLine::Full { max_connections: max_connections as u64 }
        }
        ServerEvent::Refused { peer, reason } => EventLine::Refused { peer, reason: reason.name() },
        ServerEvent::HandshakeFailed { peer, failure } => {
            EventLine::HandshakeFailed { peer, error: failure.text().to_owned() }
        }
        ServerEvent::AcceptResumed { refused, lasted } => {
            EventLine::AcceptResumed { refused, lasted_ms: lasted.as_millis() as u64 }
        }
        _ => return None,
    })
}

fn udp_line(event: &Event) -> Option<EventLine> {
    let error = |operation, text: &str| EventLine::Error {
        client: None,
        operation,
        error: text.to_owned(),
    };
    Some(match *event {
        Event::Received { len, source } => {
            EventLine::Data { client: None, peer: Some(source), len }
        }
        Event::Dropped { datagrams } => {
            EventLine::Dropped { client: None, messages: datagrams.into(), bytes: None }
        }
        Event::AnswerDropped { len, .. } => {
            EventLine::Dropped { client: None, messages: 1, bytes: Some(len as u64) }
        }
        Event::PeerUnreachable { peer, kind } => {
            error("send", &Unreachable { peer, kind }.in_words())
        }
        Event::Error { operation: Operation::Send, ref text, .. } => error("send", text),
        Event::Error { operation: Operation::Receive, ref text, .. } => error("receive", text),
        Event::MembershipLost { group, .. } => EventLine::Error {
            client: None,
            operation: "receive",
            error: format!("the interface of {group} is gone"),
        },
        Event::Lagged { missed } => EventLine::Lagged { missed },
        _ => return None,
    })
}
