//! Who is told what happens on a connection: the server's subscribers, or the client's.

use std::io;

use crate::client::ClientEvent;
use crate::events::Publisher;
use crate::failure::{Failure, Operation};
use crate::outbox::{Cut, Loss};
use crate::server::{ClientId, ServerEvent};

/// See the module's first line.
pub(crate) enum Observer {
    /// A connection that a server accepted.
    Server(ClientId, Publisher<ServerEvent>),
    /// A connection that a client made.
    Client(Publisher<ClientEvent>),
}

impl Observer {
    pub(crate) fn data(&self, len: usize) {
        match self {
            Self::Server(client, events) => {
                events.publish_if_heard(|| ServerEvent::Data { client: *client, len });
            }
            Self::Client(events) => events.publish_if_heard(|| ClientEvent::Data { len }),
        }
    }

    pub(crate) fn half_closed(&self) {
        match self {
            Self::Server(client, events) => {
                events.publish(ServerEvent::HalfClosed { client: *client });
            }
            Self::Client(events) => events.publish(ClientEvent::HalfClosed),
        }
    }

    pub(crate) fn cut(&self, cut: Option<Cut>) {
        // A server's messages are told by their loss alone.
        if let (Self::Client(events), Some(Cut { sent, unsent })) = (self, cut) {
            events.publish(ClientEvent::Cut { sent, unsent });
        }
    }

    pub(crate) fn dropped(&self, loss: Loss) {
        let Loss { messages, bytes } = loss;
        if loss.is_none() {
            return;
        }
        match self {
            Self::Server(client, events) => {
                events.publish(ServerEvent::Dropped { client: *client, messages, bytes });
            }
            Self::Client(events) => events.publish(ClientEvent::Dropped { messages, bytes }),
        }
    }

    pub(crate) fn read_failed(&self, error: &io::Error) {
        self.failed(Failure::of_io(Operation::Read, error));
    }

    pub(crate) fn write_failed(&self, error: &io::Error) {
        self.failed(Failure::of_io(Operation::Write, error));
    }

    pub(crate) fn failed(&self, failure: Failure) {
        match self {
            Self::Server(client, events) => {
                events.publish(ServerEvent::Error { client: Some(*client), failure });
            }
            Self::Client(events) => events.publish(ClientEvent::Error { failure }),
        }
    }
}
