//! What a client's events say: to the lines, and to the user.

use std::net::SocketAddr;
use std::sync::Weak;
use std::time::Duration;

use sockets_tcp::rustls::ProtocolVersion;
use sockets_tcp::{ClientEvent, CloseReason, Events, Failure, Operation, TcpClient};

use crate::output::{EventLine, EventSender, Terminal, counted};

/// See the module's first line.
pub(super) struct Teller {
    pub(super) client: Weak<TcpClient>,
    pub(super) log: EventSender,
    pub(super) terminal: Terminal,
    pub(super) reconnect: bool,
    /// Why there is no connection, as far as it is not said yet.
    pub(super) unsaid: Unsaid,
}

/// Why there is no connection: said once, and again where it changes.
#[derive(Debug, Default)]
pub(super) struct Unsaid {
    why: String,
    said: String,
}

/// That no more tries follow.
#[derive(Debug)]
pub(super) struct GaveUp {
    pub(super) attempts: u32,
    pub(super) lasted: Duration,
    pub(super) permanent: bool,
    pub(super) failure: Failure,
}

/// What is known at the end.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Why the last connection ended.
    pub(super) reason: Option<CloseReason>,
    /// Where no more tries follow.
    pub(super) gave_up: Option<GaveUp>,
}

impl Teller {
    /// Until the last event.
    pub(super) async fn tell(mut self, mut events: Events<ClientEvent>) -> Told {
        let mut told = Told::default();
        while let Some(event) = events.recv().await {
            self.say(&event);
            match &event {
                ClientEvent::Connected { .. } => told.reason = None,
                ClientEvent::Disconnected { reason, .. } => told.reason = Some(*reason),
                ClientEvent::GaveUp { attempts, lasted, permanent, failure } => {
                    let (attempts, lasted, permanent) = (*attempts, *lasted, *permanent);
                    let failure = failure.clone();
                    told.gave_up = Some(GaveUp { attempts, lasted, permanent, failure });
                }
                _ => {}
            }
            if let Some(line) = line(event) {
                self.log.send(line).await;
            }
        }
        told
    }

    fn say(&mut self, event: &ClientEvent) {
        let terminal = self.terminal;
        match event {
            ClientEvent::Connected { peer, .. } => {
                self.unsaid.said.clear();
                terminal.note(&self.connected(*peer));
            }
            ClientEvent::Disconnected { peer, reason, .. } => {
                self.unsaid.why = match reason {
                    CloseReason::TlsAlert(alert) => format!("{peer} refused: {alert}"),
                    reason => format!("the connection to {peer} ended: {reason}"),
                };
            }
            ClientEvent::Reconnecting { attempt, delay } => {
                let delay = delay.as_millis();
                let why = self.unsaid.take();
                terminal.warn(&format!("not connected; try {attempt} follows in {delay} ms{why}"));
            }
            ClientEvent::Kept { bytes, .. } => {
                terminal.note(&format!(
                    "kept for the next connection: {} of input",
                    counted(*bytes, "byte", "bytes")
                ));
            }
            // Without another connection to come, the end of the command says it.
            ClientEvent::Dropped { bytes, .. } if self.reconnect => {
                terminal.warn(&format!(
                    "at least {} of input lost with the connection",
                    counted(*bytes, "byte", "bytes")
                ));
            }
            ClientEvent::Error { failure } if failure.operation() == Operation::Connect => {
                if self.reconnect {
                    failure.text().clone_into(&mut self.unsaid.why);
                } else {
                    terminal.note(&failure.to_string());
                }
            }
            // What TLS has against it, the end of the connection says.
            ClientEvent::Error { failure } if failure.tls().is_none() => {
                terminal.note(&failure.to_string());
            }
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

impl Unsaid {
    /// What is to be put behind the news that there is no connection.
    fn take(&mut self) -> String {
        let why = std::mem::take(&mut self.why);
        if why.is_empty() || why == self.said {
            return String::new();
        }
        self.said = why;
        format!(": {}", self.said)
    }
}

fn line(event: ClientEvent) -> Option<EventLine> {
    Some(match event {
        ClientEvent::Lagged { missed } => EventLine::Lagged { missed },
        ClientEvent::Connected { peer, .. } => EventLine::Connected { client: None, peer },
        ClientEvent::Data { len } => EventLine::Data { client: None, peer: None, len },
        ClientEvent::HalfClosed => EventLine::HalfClosed { client: None },
        ClientEvent::Disconnected { peer, reason, bytes_in, bytes_out, discarded } => {
            let reason = reason.name();
            EventLine::Disconnected { client: None, peer, reason, bytes_in, bytes_out, discarded }
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
        ClientEvent::GaveUp { attempts, lasted, permanent, failure } => EventLine::GaveUp {
            attempts,
            lasted_ms: lasted.as_millis() as u64,
            permanent,
            error: failure.text().to_owned(),
        },
        ClientEvent::Error { failure } => EventLine::Error {
            client: None,
            operation: failure.operation().name(),
            error: failure.text().to_owned(),
        },
        _ => return None,
    })
}
