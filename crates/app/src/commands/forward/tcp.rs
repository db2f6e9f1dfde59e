//! TCP: a connection to the target for each client.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{
    ClientEvent, CloseReason, Connection, ConnectionReader, ConnectionWriter, Handler,
    HandlerError, Keepalive, Received, TcpClient, TcpClientBuilder, TcpServer,
};

use crate::args::ForwardArgs;
use crate::commands::connect::session::Session;
use crate::commands::listen::{events, services};
use crate::commands::tls;
use crate::output::{EventLine, EventSender, Terminal};

pub(super) async fn run(
    listeners: Vec<std::net::TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    targets: Targets,
    args: &ForwardArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let said = Said { terminal: session.terminal, last: Mutex::default() };
    let forward = Forward { targets, events: session.events.clone(), said };
    let mut builder = TcpServer::builder()
        .stats(session.stats.clone())
        .early_data_events(session.events.is_on())
        .handler(forward);
    for listener in listeners {
        builder = builder.listener(listener);
    }
    if let Some(config) = tls {
        builder = builder.tls(config);
    }
    let server = args.limits.apply(builder).start().await?;
    let telling = session.tells().then(|| {
        let (events, terminal) = (session.events.clone(), session.terminal);
        tokio::spawn(events::tell_tcp(server.events(), events, terminal))
    });
    session.stop.cancelled().await;
    services::shut_down(&server, session.terminal).await;
    drop(server);
    if let Some(telling) = telling {
        telling.await?;
    }
    Ok(())
}

/// Serves a client by a connection of its own to the target.
struct Forward {
    targets: Targets,
    events: EventSender,
    said: Said,
}

/// Why the target cannot be reached, for the user: once, and again where it is another reason.
struct Said {
    terminal: Terminal,
    last: Mutex<String>,
}

impl Said {
    fn say(&self, why: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != why {
            self.terminal.warn(&format!("{why} (said once; --events tells of each client)"));
            why.clone_into(&mut last);
        }
    }
}

/// How connections to the target are made.
pub(super) struct Targets(TcpClientBuilder);

impl Targets {
    pub(super) fn new(args: &ForwardArgs, session: &Session) -> anyhow::Result<Self> {
        let mut builder = TcpClient::builder(&args.target).stats(session.stats.clone());
        if let Some((config, name)) = tls::client(&args.tls, &args.target, session.terminal)? {
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
        let client = connection.id().number();
        let (mut reader, mut writer) = connection.into_split();
        let result = match self.targets.0.clone().connect().await {
            Ok(target) => {
                let result = both_ways(&mut reader, &mut writer, &target).await;
                if result.is_err() {
                    // Nor must the target.
                    target.abort();
                }
                result
            }
            Err(error) => {
                let text = format!("{:#}", tls::with_advice(error));
                self.said.say(&text);
                Err(Broken { operation: "connect", source: Unreached(text).into() })
            }
        };
        if let Err(Broken { operation, source }) = result {
            // The client must not take what it got for the whole stream.
            writer.abort();
            let error = source.to_string();
            self.events.send(EventLine::Error { client: Some(client), operation, error }).await;
            return Err(source);
        }
        Ok(())
    }
}

/// What ended a client's forwarding before its streams had ended.
struct Broken {
    operation: &'static str,
    source: HandlerError,
}

impl Broken {
    fn receiving(error: std::io::Error) -> Self {
        Self { operation: "receive", source: error.into() }
    }

    fn sending(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { operation: "send", source: error.into() }
    }
}

async fn both_ways(
    reader: &mut ConnectionReader,
    writer: &mut ConnectionWriter,
    target: &TcpClient,
) -> Result<(), Broken> {
    // An error of one direction gives up the other.
    tokio::try_join!(to_target(reader, target), to_client(writer, target)).map(|_| ())
}

async fn to_target(reader: &mut ConnectionReader, target: &TcpClient) -> Result<(), Broken> {
    loop {
        let chunk = reader.read_chunk().await.map_err(Broken::receiving)?;
        if chunk.is_empty() {
            return target.finish().await.map_err(Broken::sending);
        }
        let message = Bytes::copy_from_slice(&chunk);
        // Its buffer serves others while this client waits.
        drop(chunk);
        target.send(message).await.map_err(Broken::sending)?;
    }
}

async fn to_client(writer: &mut ConnectionWriter, target: &TcpClient) -> Result<(), Broken> {
    while let Some(bytes) = target.recv().await {
        writer.write_all(&bytes).await.map_err(Broken::sending)?;
    }
    match broken_off(target).await {
        None => writer.finish().await.map_err(Broken::sending),
        Some(reason) => {
            let (target, reason) = (target.target().to_string(), in_words(reason));
            Err(Broken::sending(TargetBrokeOff { target, reason }))
        }
    }
}

/// Why the target's stream is over, where that was not its end.
async fn broken_off(target: &TcpClient) -> Option<CloseReason> {
    // The first subscription begins with what happened before.
    let mut events = target.events();
    loop {
        match events.recv().await? {
            Received::Event(ClientEvent::HalfClosed) => return None,
            Received::Event(ClientEvent::Disconnected { reason, .. }) => {
                return (reason != CloseReason::PeerClosed).then_some(reason);
            }
            Received::Event(_) | Received::Lagged(_) => {}
        }
    }
}

/// Why there is no connection to the target, in full.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreached(String);

/// The target ended its stream by anything but an end.
#[derive(Debug, thiserror::Error)]
#[error("the connection to {target} broke off: {reason}")]
struct TargetBrokeOff {
    target: String,
    reason: String,
}

fn in_words(reason: CloseReason) -> String {
    match reason {
        CloseReason::TlsAlert(alert) => format!("it ended the TLS session: {alert}"),
        reason => reason.to_string(),
    }
}
