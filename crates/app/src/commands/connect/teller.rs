//! What a client's events say: to the lines, and to the user.

use std::net::SocketAddr;
use std::sync::Weak;

use sockets_tcp::rustls::ProtocolVersion;
use sockets_tcp::{ClientEvent, CloseReason, Events, Received, TcpClient};

use crate::output::{EventLine, EventSender, Terminal};

/// See the module's first line.
pub(super) struct Teller {
    pub(super) client: Weak<TcpClient>,
    pub(super) log: EventSender,
    pub(super) terminal: Terminal,
    pub(super) reconnect: bool,
}

/// What is known at the end.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Why the last connection ended.
    pub(super) reason: Option<CloseReason>,
    /// How many tries in a row there were, where no more follow.
    pub(super) gave_up: Option<u32>,
}

impl Teller {
    /// Until the last event.
    pub(super) async fn tell(self, mut events: Events<ClientEvent>) -> Told {
        let mut told = Told::default();
        while let Some(received) = events.recv().await {
            if let Received::Event(event) = &received {
                self.say(event);
                match event {
                    ClientEvent::Connected { .. } => told.reason = None,
                    ClientEvent::Disconnected { reason, .. } => told.reason = Some(*reason),
                    ClientEvent::GaveUp { attempts } => told.gave_up = Some(*attempts),
                    _ => {}
                }
            }
            if let Some(line) = line(received) {
                self.log.send(line).await;
            }
        }
        told
    }

    fn say(&self, event: &ClientEvent) {
        let terminal = self.terminal;
        match event {
            ClientEvent::Connected { peer, .. } => terminal.note(&self.connected(*peer)),
            ClientEvent::Reconnecting { attempt, delay } => {
                let delay = delay.as_millis();
                terminal.warn(&format!("not connected; try {attempt} follows in {delay} ms"));
            }
            ClientEvent::Kept { bytes, .. } => {
                terminal.note(&format!("{bytes} bytes of input wait for the next connection"));
            }
            // Without another connection to come, the end of the command says it.
            ClientEvent::Dropped { bytes, .. } if self.reconnect => {
                terminal.warn(&format!("{bytes} bytes of input were lost with the connection"));
            }
            ClientEvent::Error { failure } => terminal.note(&failure.to_string()),
            _ => {}
        }
    }

    fn connected(&self, peer: SocketAddr) -> String {
        let version = self.client.upgrade().and_then(|client| client.tls_version());
        match version.as_ref().and_then(ProtocolVersion::as_str) {
            Some(version) => format!("connected to {peer} by {}", version.replace('_', ".")),
            None => format!("connected to {peer}"),
        }
    }
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
        ClientEvent::Cut { sent, unsent } => {
            EventLine::Cut { sent: sent as u64, unsent: unsent as u64 }
        }
        ClientEvent::Kept { messages, bytes } => {
            EventLine::Kept { messages: messages as u64, bytes: bytes as u64 }
        }
        ClientEvent::Dropped { messages, bytes } => EventLine::Dropped {
            client: None,
            messages: messages as u64,
            bytes: Some(bytes as u64),
        },
        ClientEvent::Reconnecting { attempt, delay } => {
            EventLine::Reconnecting { attempt, delay_ms: delay.as_millis() as u64 }
        }
        ClientEvent::GaveUp { attempts } => EventLine::GaveUp { attempts },
        ClientEvent::Error { failure } => EventLine::Error {
            client: None,
            operation: failure.operation().name(),
            error: failure.text().to_owned(),
        },
        _ => return None,
    })
}
