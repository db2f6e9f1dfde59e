//! TCP: a connection to the target for each client.

use std::time::Duration;

use bytes::BytesMut;
use ports_core::Endpoint;
use sockets_tcp::{
    ClientEvent, CloseReason, Connection, ConnectionReader, ConnectionWriter, Handler,
    HandlerError, Received, TcpClient, TcpServer,
};
use stats::SocketStats;

use crate::args::ForwardArgs;
use crate::commands::connect::session::Session;
use crate::commands::listen::{events, services};
use crate::output::{EventLine, EventSender};

/// The most that is read at once. The buffer exists only while there is something to read.
const CHUNK: usize = 64 * 1024;

pub(super) async fn run(
    listeners: Vec<std::net::TcpListener>,
    args: &ForwardArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let forward = Forward {
        target: args.target.clone(),
        connect_timeout: args.connect_timeout,
        stats: session.stats.clone(),
        events: session.events.clone(),
    };
    let mut builder = TcpServer::builder()
        .stats(session.stats.clone())
        .early_data_events(session.events.is_on())
        .handler(forward);
    for listener in listeners {
        builder = builder.listener(listener);
    }
    if let Some(most) = args.max_connections {
        builder = builder.max_connections(usize::try_from(most).unwrap_or(usize::MAX));
    }
    if let Some(timeout) = args.idle_timeout {
        builder = builder.idle_timeout(timeout);
    }
    let server = builder.start().await?;
    let telling = session
        .events
        .is_on()
        .then(|| tokio::spawn(events::tell_tcp(server.events(), session.events.clone())));
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
    target: Endpoint,
    connect_timeout: Option<Duration>,
    stats: SocketStats,
    events: EventSender,
}

impl Handler for Forward {
    async fn handle(&self, connection: Connection) -> Result<(), HandlerError> {
        let client = connection.id().number();
        let (mut reader, mut writer) = connection.into_split();
        let mut builder = TcpClient::builder(&self.target).stats(self.stats.clone());
        if let Some(timeout) = self.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        let result = match builder.connect().await {
            Ok(target) => both_ways(&mut reader, &mut writer, &target).await,
            Err(error) => Err(Broken { operation: "connect", source: error.into() }),
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
    // An error of one direction drops the other, and with it the connection to the target, which
    // that resets.
    tokio::try_join!(to_target(reader, target), to_client(writer, target)).map(|_| ())
}

async fn to_target(reader: &mut ConnectionReader, target: &TcpClient) -> Result<(), Broken> {
    loop {
        reader.readable().await;
        let mut buffer = BytesMut::zeroed(CHUNK);
        let read = reader.read(&mut buffer).await.map_err(Broken::receiving)?;
        if read == 0 {
            return target.finish().await.map_err(Broken::sending);
        }
        buffer.truncate(read);
        target.send(buffer.freeze()).await.map_err(Broken::sending)?;
    }
}

async fn to_client(writer: &mut ConnectionWriter, target: &TcpClient) -> Result<(), Broken> {
    while let Some(bytes) = target.recv().await {
        writer.write_all(&bytes).await.map_err(Broken::sending)?;
    }
    match broken_off(target).await {
        None => writer.finish().await.map_err(Broken::sending),
        Some(reason) => {
            Err(Broken::sending(TargetBrokeOff { target: target.target().to_string(), reason }))
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

/// The target ended its stream by anything but an end.
#[derive(Debug, thiserror::Error)]
#[error("the connection to {target} broke off: {reason}")]
struct TargetBrokeOff {
    target: String,
    reason: CloseReason,
}
