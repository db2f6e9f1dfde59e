//! TCP: a connection to the target for each client.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{
    Connection, Handler, HandlerError, Keepalive, TcpClient, TcpClientBuilder, TcpServer,
};

use super::ends::{Ends, Forwarding, IsOver};
use super::ledger::Ledger;
use super::said::Said;
use super::streams::{Broken, Over, UNBOUNDED, both_ways, last_bytes};
use crate::args::ForwardArgs;
use crate::commands::conversation::bind::Listener;
use crate::commands::conversation::events;
use crate::commands::conversation::session::{GRACE, Session};
use crate::commands::tls;

pub(super) async fn run(
    listeners: Vec<Listener>,
    tls: Option<Arc<ServerConfig>>,
    targets: Targets,
    args: &ForwardArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let said = Said::new(session.terminal);
    let ledger = Ledger::new(args.target.clone(), session);
    let forward = Forward { targets, ledger: Arc::clone(&ledger), said };
    let mut builder = TcpServer::builder()
        .stats(session.stats.clone())
        .early_data_events(session.events.is_on())
        .client_numbers(session.clients.clone())
        .event_capacity(events::capacity(&args.limits, session))
        .handler(forward);
    for listener in listeners {
        builder = listener.give_to(builder);
    }
    if let Some(config) = tls {
        builder = builder.tls(config);
    }
    let server = Arc::new(args.limits.apply(builder).start().await?);
    reset_at_second(&server, &ledger, session);
    let told = events::of_server(&server, &session.events);
    let telling = tokio::spawn(Arc::clone(&ledger).tell(told));
    session.stop.cancelled().await;
    let report = server.shutdown(GRACE).await;
    session.unless_cut().await;
    ledger.say(&report);
    drop(server);
    telling.await?;
    Ok(())
}

/// The second signal resets both sides of each forwarding that is not over.
fn reset_at_second(server: &Arc<TcpServer>, ledger: &Arc<Ledger>, session: &Session) {
    let (server, ledger, terminal) =
        (Arc::downgrade(server), Arc::downgrade(ledger), session.terminal);
    session.at_second(move || {
        let (Some(server), Some(ledger)) = (server.upgrade(), ledger.upgrade()) else { return };
        if let Some(lost) = ledger.cut_all(|| server.cut_off()) {
            terminal.warn(&format!("stopped at once: {lost}"));
        }
    });
}

/// Serves a client by a connection of its own to the target.
struct Forward {
    targets: Targets,
    ledger: Arc<Ledger>,
    said: Said,
}

/// How connections to the target are made.
pub(super) struct Targets(TcpClientBuilder);

impl Targets {
    pub(super) fn new(args: &ForwardArgs, session: &Session) -> anyhow::Result<Self> {
        let mut builder =
            TcpClient::builder(&args.target).stats(session.stats.clone()).close_grace(UNBOUNDED);
        let opening = session.opening(&args.tls);
        let tls = tls::client(&args.tls, &args.target, session.terminal)?;
        drop(opening);
        if let Some((config, name)) = tls {
            builder = builder.tls(config, name);
        }
        if let Some(timeout) = args.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(source) = args.source {
            builder = builder.source(source);
        }
        if let Some(idle) = args.limits.keepalive {
            builder = builder.keepalive(Keepalive::new().idle(idle));
        }
        Ok(Self(builder))
    }
}

impl Handler for Forward {
    async fn handle(&self, connection: Connection) -> Result<(), HandlerError> {
        let client = (connection.id().number(), connection.peer_addr());
        let stop = connection.shutdown_token().clone();
        let (mut reader, writer) = connection.into_split();
        let mut ends = Ends::open(writer, client, Arc::clone(&self.ledger));
        let result = match self.targets.0.clone().connect().await {
            Ok(target) => {
                let Forwarding { progress, target: slot, .. } = &*ends.forwarding;
                let target = slot.get_or_init(|| target);
                both_ways(&mut reader, &ends.writer, target, progress, &stop).await
            }
            Err(error) => {
                let text = format!("{:#}", tls::with_advice(error));
                self.said.say(&text);
                Err(Broken::OfTarget { operation: "connect", source: Unreached(text).into() })
            }
        };
        match result {
            Ok(over) => {
                ends.is_over = match over {
                    Over::Whole => IsOver::Yes,
                    Over::Cut => IsOver::OfClient,
                    Over::Quiet => IsOver::Quiet,
                };
                if let (Over::Whole, Some(target)) = (over, ends.forwarding.target.get()) {
                    ends.forwarding.is_over.store(true, Relaxed);
                    last_bytes(target, &ends.writer).await;
                }
                Ok(())
            }
            // The server tells of it.
            Err(Broken::OfClient(error)) => {
                if error.kind() == ErrorKind::ConnectionReset {
                    ends.is_over = IsOver::OfClient;
                }
                Err(error.into())
            }
            // The second signal broke it, and has the server end this client next, for that reason.
            Err(Broken::OfTarget { .. }) if ends.forwarding.is_cut() => {
                std::future::pending().await
            }
            Err(Broken::OfTarget { operation, source }) => {
                ends.error = Some((operation, source.to_string()));
                Err(source)
            }
        }
    }
}

/// Why there is no connection to the target, in full.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreached(String);

#[cfg(test)]
mod tests;
