//! TCP: a connection to the target for each client.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{
    ClientRecvError, Connection, ConnectionReader, ConnectionWriter, Handler, HandlerError,
    Keepalive, TcpClient, TcpClientBuilder, TcpServer, TlsError, TlsFault,
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
        let (mut reader, writer) = connection.into_split();
        let mut ends = Ends { writer, target: None, is_client_gone: false, are_over: false };
        let result = match self.targets.0.clone().connect().await {
            Ok(target) => {
                both_ways(&mut reader, &mut ends.writer, ends.target.insert(target)).await
            }
            Err(error) => {
                let text = format!("{:#}", tls::with_advice(error));
                self.said.say(&text);
                Err(Broken::OfTarget { operation: "connect", source: Unreached(text).into() })
            }
        };
        match result {
            Ok(over) => {
                ends.are_over = over == Over::Whole;
                ends.is_client_gone = true;
                Ok(())
            }
            // The server tells of it.
            Err(Broken::OfClient(error)) => {
                ends.is_client_gone = error.kind() == ErrorKind::ConnectionReset;
                Err(error.into())
            }
            Err(Broken::OfTarget { operation, source }) => {
                let error = source.to_string();
                drop(ends);
                self.events.send(EventLine::Error { client: Some(client), operation, error }).await;
                Err(source)
            }
        }
    }
}

/// Both connections of a client. Where their streams are not over, whatever the reason, they end in
/// resets: neither side must take what it got for the whole.
struct Ends {
    writer: ConnectionWriter,
    target: Option<TcpClient>,
    /// There is nobody to reset, or its stream is whole.
    is_client_gone: bool,
    are_over: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if self.are_over {
            return;
        }
        if !self.is_client_gone {
            self.writer.abort();
        }
        if let Some(target) = &self.target {
            target.abort();
        }
    }
}

/// What ended a client's forwarding before its streams had ended.
enum Broken {
    OfClient(std::io::Error),
    OfTarget { operation: &'static str, source: HandlerError },
}

impl Broken {
    fn sending(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::OfTarget { operation: "send", source: error.into() }
    }
}

/// How a client's forwarding came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Both streams ended.
    Whole,
    /// The target's stream ended; that of the client was cut by a shutdown.
    Cut,
}

async fn both_ways(
    reader: &mut ConnectionReader,
    writer: &mut ConnectionWriter,
    target: &TcpClient,
) -> Result<Over, Broken> {
    let is_answered = AtomicBool::new(false);
    let up = async {
        let over = to_target(reader, target).await?;
        if over == Over::Cut && is_answered.load(Ordering::Relaxed) {
            // The target may take what is under way, until the server's patience ends.
            std::future::pending::<()>().await;
        }
        Ok(over)
    };
    let down = async {
        to_client(writer, target).await?;
        is_answered.store(true, Ordering::Relaxed);
        Ok(())
    };
    // An error of one direction gives up the other.
    tokio::try_join!(up, down).map(|(over, ())| over)
}

async fn to_target(reader: &mut ConnectionReader, target: &TcpClient) -> Result<Over, Broken> {
    loop {
        let chunk = reader.read_chunk().await.map_err(Broken::OfClient)?;
        if chunk.is_empty() {
            if !reader.peer_ended() {
                return Ok(Over::Cut);
            }
            return target.finish().await.map(|()| Over::Whole).map_err(Broken::sending);
        }
        let message = Bytes::copy_from_slice(&chunk);
        // Its buffer serves others while this client waits.
        drop(chunk);
        target.send(message).await.map_err(Broken::sending)?;
    }
}

async fn to_client(writer: &mut ConnectionWriter, target: &TcpClient) -> Result<(), Broken> {
    loop {
        match target.recv().await {
            Ok(Some(bytes)) => writer.write_all(&bytes).await.map_err(Broken::OfClient)?,
            Ok(None) => return writer.finish().await.map_err(Broken::OfClient),
            Err(error) => {
                let (target, reason) = (target.target().to_string(), in_words(error));
                return Err(Broken::sending(TargetBrokeOff { target, reason }));
            }
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

fn in_words(error: ClientRecvError) -> String {
    let ClientRecvError::Broken { source, .. } = error else { return error.to_string() };
    match TlsError::of_io(&source).map(TlsError::fault) {
        Some(TlsFault::Alert(alert)) => format!("it ended the TLS session: {alert}"),
        _ => source.to_string(),
    }
}
