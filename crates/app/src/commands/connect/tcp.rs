//! A TCP conversation with standard input and output.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use ports_core::{Endpoint, SocketState, Transport};
use sockets_tcp::{
    ClientEvent, ClientSendError, CloseReason, Events, Received, Reconnect, TcpClient,
};
use stats::Role;
use tokio_util::sync::CancellationToken;

use super::session::{GRACE, Session};
use super::streams::{Input, InputReader, Output, STREAM_CHUNK};
use crate::output::{EventLine, EventSender, Terminal};

/// How long a connection must have stood for the pauses to begin small again: a server that accepts
/// and hangs up is not asked ever faster.
const STABLE_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn run(
    endpoint: &Endpoint,
    reconnect: bool,
    session: &Session,
) -> anyhow::Result<()> {
    let builder = TcpClient::builder(endpoint)
        .stats(session.stats.clone())
        .close_grace(GRACE)
        .early_data_events(session.events.is_on());
    let client = if reconnect {
        builder.reconnect(Reconnect::new().unlimited().stable_after(STABLE_AFTER)).start()
    } else {
        match session.stop.run_until_cancelled(builder.connect()).await {
            Some(Ok(client)) => client,
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(()),
        }
    };
    // The first subscription sees everything from the beginning.
    let told = client.events();
    let state = client.events();
    let telling = tokio::spawn(tell(told, session.events.clone(), session.terminal, reconnect));
    let talk = Talk {
        client: &client,
        reconnect,
        session,
        peer_ended: CancellationToken::new(),
        in_hand: Cell::new(0),
    };
    let ended = tokio::select! {
        result = talk.both_ways(state) => Some(result),
        () = session.grace_over() => None,
    };
    let in_hand = talk.in_hand.get();
    let result = if let Some(result) = ended {
        client.close().await;
        result
    } else {
        // Closing in order would take its own time once more.
        drop(client);
        Err(anyhow::anyhow!(
            "not done {} s after the signal: {endpoint} or standard output takes nothing",
            GRACE.as_secs()
        ))
    };
    let reason = telling.await?;
    let counted = session.stats.snapshot().counters(Transport::Tcp, Role::Client);
    let lost = counted.dropped_bytes + in_hand;
    if result.is_err() && lost > 0 {
        session.terminal.warn(&format!("{lost} bytes of input did not get to {endpoint}"));
    }
    result?;
    anyhow::ensure!(lost == 0, "{lost} bytes of input did not get to {endpoint}");
    anyhow::ensure!(
        reason != Some(CloseReason::Reset),
        "the connection to {endpoint} was reset: what it carried may be incomplete"
    );
    Ok(())
}

/// One conversation.
struct Talk<'a> {
    client: &'a TcpClient,
    reconnect: bool,
    session: &'a Session,
    /// Cancelled once nothing more comes from the peer.
    peer_ended: CancellationToken,
    /// Bytes read from standard input that the client has not accepted.
    in_hand: Cell<u64>,
}

impl Talk<'_> {
    async fn both_ways(&self, state: Events<ClientEvent>) -> anyhow::Result<()> {
        tokio::try_join!(self.receive(), self.send(state)).map(|((), ())| ())
    }

    async fn receive(&self) -> anyhow::Result<()> {
        let mut output = Output::new();
        while let Some(bytes) = self.client.recv().await {
            output.write(&bytes).await?;
        }
        self.peer_ended.cancel();
        Ok(())
    }

    async fn send(&self, mut state: Events<ClientEvent>) -> anyhow::Result<()> {
        let mut input = InputReader::new(STREAM_CHUNK);
        let session = self.session;
        loop {
            // Input waits while there is no connection.
            if !self.connected(&mut state).await {
                break;
            }
            match input.next(&self.peer_ended, &session.stop).await? {
                Input::Chunk(chunk) => {
                    self.in_hand.set(chunk.len() as u64);
                    if !self.deliver(chunk, &mut state).await {
                        break;
                    }
                    self.in_hand.set(0);
                }
                Input::End => return self.finish(&mut state).await,
                Input::Silent => {
                    session.terminal.note("the peer ended its stream, and input is silent: done");
                    break;
                }
                Input::Stopped => break,
            }
        }
        // What is queued goes out; the receiving side ends with it.
        self.client.close().await;
        Ok(())
    }

    /// Waits for a connection; false where there will be none, or the command is to stop.
    async fn connected(&self, state: &mut Events<ClientEvent>) -> bool {
        loop {
            match self.client.info().state() {
                SocketState::Connected | SocketState::Closing => return true,
                // Without reconnection, what was received may still wait to be written.
                SocketState::Closed => return false,
                _ if !self.reconnect => return false,
                _ => {}
            }
            tokio::select! {
                received = state.recv() => if received.is_none() { return false },
                () = self.session.stop.cancelled() => return false,
            }
        }
    }

    /// One chunk, on this connection or, where the chunk found none, on the next. False where
    /// there will be none.
    async fn deliver(&self, chunk: Bytes, state: &mut Events<ClientEvent>) -> bool {
        loop {
            match self.client.send(chunk.clone()).await {
                Ok(()) => return true,
                Err(ClientSendError::NotConnected { .. })
                    if self.reconnect && self.connected(state).await => {}
                Err(error) => {
                    tracing::debug!(%error, "input was not sent");
                    return false;
                }
            }
        }
    }

    /// The end of input. Where it finds no connection, the next one gets it.
    async fn finish(&self, state: &mut Events<ClientEvent>) -> anyhow::Result<()> {
        while let Err(ClientSendError::NotConnected { .. }) = self.client.finish().await {
            if !self.reconnect || !self.connected(state).await {
                break;
            }
        }
        Ok(())
    }
}

/// Writes what happens to the events, and what the user should know to standard error. Returns why
/// the last connection ended.
async fn tell(
    mut events: Events<ClientEvent>,
    log: EventSender,
    terminal: Terminal,
    reconnect: bool,
) -> Option<CloseReason> {
    let mut last = None;
    while let Some(received) = events.recv().await {
        match &received {
            Received::Event(ClientEvent::Connected { peer, .. }) => {
                last = None;
                terminal.note(&format!("connected to {peer}"));
            }
            Received::Event(ClientEvent::Disconnected { reason, .. }) => last = Some(*reason),
            Received::Event(ClientEvent::Reconnecting { attempt, delay }) => {
                let delay = delay.as_millis();
                terminal.warn(&format!("not connected; try {attempt} follows in {delay} ms"));
            }
            // Without another connection to come, the end of the command says it.
            Received::Event(ClientEvent::Dropped { bytes, .. }) if reconnect => {
                terminal.warn(&format!("{bytes} bytes of input were lost with the connection"));
            }
            Received::Event(ClientEvent::Error { failure }) => {
                terminal.note(&failure.to_string());
            }
            Received::Event(_) | Received::Lagged(_) => {}
        }
        if let Some(line) = line(received) {
            log.send(line).await;
        }
    }
    last
}

fn line(received: Received<ClientEvent>) -> Option<EventLine> {
    let event = match received {
        Received::Event(event) => event,
        Received::Lagged(missed) => return Some(EventLine::Lagged { missed }),
    };
    Some(match event {
        ClientEvent::Connected { peer, .. } => EventLine::Connected { client: None, peer },
        ClientEvent::Data { len } => EventLine::Data { client: None, peer: None, len },
        ClientEvent::HalfClosed => EventLine::HalfClosed { client: None },
        ClientEvent::Disconnected { peer, reason, bytes_in, bytes_out } => {
            let reason = reason.name();
            EventLine::Disconnected { client: None, peer, reason, bytes_in, bytes_out }
        }
        ClientEvent::Dropped { messages, bytes } => EventLine::Dropped {
            client: None,
            messages: messages as u64,
            bytes: Some(bytes as u64),
        },
        ClientEvent::Reconnecting { attempt, delay } => {
            EventLine::Reconnecting { attempt, delay_ms: delay.as_millis() as u64 }
        }
        ClientEvent::Error { failure } => EventLine::Error {
            client: None,
            operation: failure.operation().name(),
            error: failure.text().to_owned(),
        },
        _ => return None,
    })
}
