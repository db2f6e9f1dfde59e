//! The connection of a pipe: the first that comes, however long accepting is not possible.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use ports_core::Transport;
use stats::{ErrorKind, Role};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::commands::conversation::session::Session;
use crate::output::EventLine;

/// The pauses between tries, as a server makes them.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The next connection of any of the listeners. What `accept` has against it is told once, and tried
/// again: descriptors come back, and another connection may be a good one.
pub(super) async fn accept(
    listeners: &[TcpListener],
    session: &Session,
) -> (TcpStream, SocketAddr) {
    let mut pause = FIRST_PAUSE;
    let mut since = None;
    loop {
        match once(listeners).await {
            Ok(accepted) => {
                if let Some(since) = since {
                    let lasted_ms = Instant::now().duration_since(since).as_millis() as u64;
                    let resumed = EventLine::AcceptResumed { refused: 0, lasted_ms };
                    session.events.send(resumed).await;
                }
                return accepted;
            }
            Err(error) if was_gone(&error) => {}
            Err(error) => {
                if since.is_none() {
                    since = Some(Instant::now());
                    tell(&error, session).await;
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn once(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        listeners
            .iter()
            .map(|listener| listener.poll_accept(context))
            .find(Poll::is_ready)
            .unwrap_or(Poll::Pending)
    })
    .await
}

/// A connection that was gone before it was accepted.
fn was_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn tell(error: &io::Error, session: &Session) {
    session.terminal.warn(&format!("cannot accept a connection: {error}; trying on"));
    let (kind, error) = (ErrorKind::Accept, error.to_string());
    session.stats.error(Transport::Tcp, Role::Server, kind);
    let operation = kind.name();
    session.events.send(EventLine::Error { client: None, operation, error }).await;
}
