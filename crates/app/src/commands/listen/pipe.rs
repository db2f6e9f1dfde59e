//! The TCP pipe: one connection; it to standard output, standard input to it.

mod conversation;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};

use crate::commands::connect::session::Session;
use crate::output::EventLine;
use conversation::Conversation;

/// Its one client's number in the events.
const CLIENT: u64 = 1;

/// Accepts one connection, closes the listeners, and serves it to its end.
pub(super) async fn run(
    listeners: Vec<std::net::TcpListener>,
    idle_timeout: Option<Duration>,
    session: &Session,
) -> anyhow::Result<()> {
    let listeners = listeners
        .into_iter()
        .map(TcpListener::from_std)
        .collect::<io::Result<Vec<_>>>()
        .context("cannot register a listener with the runtime")?;
    let Some(accepted) = session.stop.run_until_cancelled(accept(&listeners)).await else {
        return Ok(());
    };
    let (stream, peer) = accepted.context("cannot accept a connection")?;
    drop(listeners);
    session.terminal.note(&format!("connected by {peer}"));
    session.events.send(EventLine::Connected { client: Some(CLIENT), peer }).await;
    Conversation::new(peer, session).hold(stream, idle_timeout).await
}

async fn accept(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        let accepted = poll_fn(|context| {
            listeners
                .iter()
                .map(|listener| listener.poll_accept(context))
                .find(Poll::is_ready)
                .unwrap_or(Poll::Pending)
        })
        .await;
        match accepted {
            // A connection that was gone before it was accepted: another may come.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::Interrupted
                ) => {}
            result => return result,
        }
    }
}
