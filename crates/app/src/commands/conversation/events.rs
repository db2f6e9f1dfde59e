//! Events of servers and sockets, as lines.

use std::net::SocketAddr;

use sockets_tcp::{Received, ServerEvent, TlsFault};
use sockets_udp::{Event, Operation};

use super::unreachable::Unreachable;
use crate::commands::tls::{End, advice};
use crate::output::{EventLine, EventSender, Terminal, bytes, counted};

/// Writes a server's events until its last; with `-v`, what concerns its clients to standard error
/// as well.
pub(in crate::commands) async fn tell_tcp(
    mut events: sockets_tcp::Events<ServerEvent>,
    log: EventSender,
    terminal: Terminal,
) {
    while let Some(received) = events.recv().await {
        tell_one(received, &log, terminal).await;
    }
}

/// One of them.
pub(in crate::commands) async fn tell_one(
    received: Received<ServerEvent>,
    log: &EventSender,
    terminal: Terminal,
) {
    if let Received::Event(event) = &received
        && terminal.is_verbose()
        && let Some(text) = tcp_note(event)
    {
        terminal.note(&text);
    }
    if let Some(line) = tcp_line(received) {
        log.send(line).await;
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
        ServerEvent::Disconnected { client, peer, reason, bytes_in, bytes_out } => {
            format!(
                "client {client} is gone: {peer}, {reason}, {} in, {bytes_out} out",
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
        ServerEvent::Error { client: None, failure } => failure.to_string(),
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
fn tcp_line(received: Received<ServerEvent>) -> Option<EventLine> {
    let event = match received {
        Received::Event(event) => event,
        Received::Lagged(missed) => return Some(EventLine::Lagged { missed }),
    };
    Some(match event {
        ServerEvent::Connected { client, peer } => {
            EventLine::Connected { client: Some(client.number()), peer }
        }
        ServerEvent::Data { client, len } => {
            EventLine::Data { client: Some(client.number()), peer: None, len }
        }
        ServerEvent::HalfClosed { client } => {
            EventLine::HalfClosed { client: Some(client.number()) }
        }
        ServerEvent::Disconnected { client, peer, reason, bytes_in, bytes_out } => {
            let (client, reason) = (Some(client.number()), reason.name());
            EventLine::Disconnected { client, peer, reason, bytes_in, bytes_out }
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
