//! What a client receives: bytes, the ends of streams, and the end of all.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::mpsc::{self, OwnedPermit};

use super::Target;

/// What comes in, in order.
#[derive(Debug)]
pub enum Arrival {
    /// Received.
    Bytes(Bytes),
    /// The end of one connection's stream.
    End {
        peer: SocketAddr,
        /// The proper one, or how it broke off.
        result: io::Result<()>,
        /// No other connection follows.
        last: bool,
    },
    /// Nothing comes any more. Again and again.
    Over {
        /// The last stream came to its proper end, and none was to follow.
        whole: bool,
    },
}

/// The place where a client's bytes are taken.
#[derive(Debug)]
pub(super) struct Receiver {
    queue: mpsc::Receiver<Arrival>,
    whole: bool,
}

impl Receiver {
    pub(super) fn new(queue: mpsc::Receiver<Arrival>) -> Self {
        Self { queue, whole: false }
    }

    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.queue.recv().await {
            Some(arrival) => {
                self.whole = matches!(arrival, Arrival::End { result: Ok(()), last: true, .. });
                arrival
            }
            None => Arrival::Over { whole: self.whole },
        }
    }
}

/// Where one connection's bytes go, and its end behind them.
///
/// The queue has one place more than there are reads to hold: a stream takes a place for its end
/// before it takes any for bytes, so that its end is told whether or not anybody receives. One that
/// found no place for its end has brought nothing; then the end before it is still in the queue, and
/// there is nothing between the two.
pub(super) struct Inlet {
    peer: SocketAddr,
    queue: Option<mpsc::Sender<Arrival>>,
    end: Option<OwnedPermit<Arrival>>,
}

impl Inlet {
    pub(super) fn new(peer: SocketAddr, queue: mpsc::Sender<Arrival>) -> Self {
        Self { peer, queue: Some(queue), end: None }
    }

    /// A place for what is read next: what is read is never without one. `None`: nobody receives
    /// any more.
    pub(super) async fn reserve(&mut self) -> Option<mpsc::Permit<'_, Arrival>> {
        let queue = self.queue.as_ref()?;
        if self.end.is_none() {
            self.end = Some(queue.clone().reserve_owned().await.ok()?);
        }
        queue.reserve().await.ok()
    }

    /// Tells how the stream ended, once.
    pub(super) fn end(&mut self, result: io::Result<()>, last: bool) {
        self.queue = None;
        if let Some(place) = self.end.take() {
            place.send(Arrival::End { peer: self.peer, result, last });
        }
    }
}

/// Why a client receives nothing now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientRecvError {
    /// The server ended its stream in order, and the client is to connect again: what comes next is
    /// the beginning of another stream. Only with
    /// [`reconnect`](crate::TcpClientBuilder::reconnect).
    #[error("the stream from {peer} ended; what comes next is another one")]
    Ended {
        /// The server's address.
        peer: SocketAddr,
    },
    /// The stream broke off: a reset, a TLS session without its end, a connection that is gone.
    /// What came of it is not the whole, and its last bytes may be missing. With
    /// [`reconnect`](crate::TcpClientBuilder::reconnect) another stream may follow.
    #[error("the stream from {peer} broke off")]
    Broken {
        /// The server's address.
        peer: SocketAddr,
        /// How.
        source: io::Error,
    },
    /// Nothing comes any more, and the last thing was not a stream's proper end: the client was
    /// closed from this side, gave up, or its stream broke off, which was told before.
    #[error("nothing comes from {target} any more: the client is closed")]
    Closed {
        /// Whom it connected to.
        target: Target,
    },
}

impl ClientRecvError {
    /// Whether nothing comes after it. Else another stream may: what comes next, if anything, is
    /// the beginning of one.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
