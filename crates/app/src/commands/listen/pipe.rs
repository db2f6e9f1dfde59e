//! The TCP pipe: one connection; it to standard output, standard input to it.

mod accept;
mod conversation;
mod ending;
mod idle;
mod in_hand;
mod socket;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use ports_core::Transport;
use sockets_tcp::TlsError;
use sockets_tcp::rustls::ServerConfig;
use stats::{ErrorKind, Role};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::args::LimitArgs;
use crate::commands::conversation::crowd::{Crowd, What};
use crate::commands::conversation::events::no_session;
use crate::commands::conversation::session::Session;
use crate::output::EventLine;
use conversation::Conversation;
use wire::Wire;

/// Its one client's number in the events.
const CLIENT: u64 = 1;

/// Accepts one connection, with its TLS handshake where there is TLS, closes the listeners, and serves it to its end.
pub(super) async fn run(
    listeners: Vec<std::net::TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    limits: &LimitArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let listeners = listeners
        .into_iter()
        .map(TcpListener::from_std)
        .collect::<io::Result<Vec<_>>>()
        .context("cannot register a listener with the runtime")?;
    // Their connections have it from the first byte.
    listeners.iter().for_each(wire::keep_urgent_in_line);
    let mut crowd = Crowd::default();
    let first = first(&listeners, tls, &mut crowd, session);
    let first = session.stop.run_until_cancelled(first).await;
    if let Some(note) = crowd.rest() {
        session.terminal.warn(&note);
    }
    let Some((stream, peer)) = first else { return Ok(()) };
    if let Some(idle) = limits.keepalive {
        wire::keep_alive(stream.tcp(), idle);
    }
    drop(listeners);
    session.terminal.note(&format!("connected by {peer}"));
    session.events.send(EventLine::Connected { client: Some(CLIENT), peer }).await;
    Conversation::new(peer, session).hold(stream, limits).await
}

/// The first connection that comes as far as to carry data. Handshakes are one after the other: a
/// peer that says nothing keeps the next one waiting for as long as one may take.
async fn first(
    listeners: &[TcpListener],
    tls: Option<Arc<ServerConfig>>,
    crowd: &mut Crowd,
    session: &Session,
) -> (Wire, SocketAddr) {
    loop {
        let (tcp, peer) = accept::accept(listeners, session).await;
        wire::keep_urgent_in_line(&tcp);
        let Some(config) = tls.clone() else { return (tcp.into(), peer) };
        match wire::handshake(tcp, config).await {
            Ok(wire) => return (wire, peer),
            Err(error) => {
                let fault = TlsError::of_io(&error).map(TlsError::fault);
                let error = error.to_string();
                let (before, is_said) = crowd.hear(What::NoSession, Instant::now());
                let text = no_session(peer, &error, fault);
                for note in before.iter().chain(is_said.then_some(&text)) {
                    session.terminal.warn(note);
                }
                session.stats.error(Transport::Tcp, Role::Server, ErrorKind::Handshake);
                session.events.send(EventLine::HandshakeFailed { peer, error }).await;
            }
        }
    }
}
