//! Sending and receiving.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::task::Poll;

use stats::ErrorKind;

use crate::datagram::{Datagram, Received, RecvError};
use crate::event::{Event, Operation, in_words};
use crate::incoming::Ask;
use crate::open_socket::{Blame, OpenSocket, blame};
use crate::registered::Registered;
use crate::send::{Outgoing, SendError};
use crate::socket::{Cost, Stopped, UdpSocket};

impl UdpSocket {
    /// Sends one datagram. The kernel has all of it when this returns; whether it arrives, nobody
    /// knows. Waits while the kernel's send buffer is full.
    ///
    /// An ICMP error about an earlier datagram is not this one's: it becomes
    /// [`Event::PeerUnreachable`], and this datagram is sent all the same. The kernel tells of them
    /// only a socket that was [handed in](crate::UdpSocketBuilder::socket) connected.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing was sent then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if it is dropped before it is ready, nothing was sent.
    pub async fn send_to(&self, data: &[u8], target: SocketAddr) -> Result<(), SendError> {
        self.send(&Outgoing::new(data, target)).await
    }

    /// Sends one datagram as [`Outgoing`] says: from an address, by an interface.
    ///
    /// # Errors
    ///
    /// As [`send_from`](Self::send_from).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`send_to`](Self::send_to).
    pub async fn send(&self, datagram: &Outgoing<'_>) -> Result<(), SendError> {
        self.send_reported(datagram, None, Cost::ONE).await
    }

    /// Sends one datagram from an address of this machine, whatever the routes would choose: an
    /// answer should come from where the question went to, [`Datagram::local`]. The port is the
    /// socket's own. A link-local address is known by its link only: give the target a zone, or name
    /// the interface by [`Outgoing::interface`] and [`send`](Self::send) that.
    ///
    /// # Errors
    ///
    /// [`SendError::SourceNotAvailable`] where the address is none of this machine's; otherwise as
    /// [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`send_to`](Self::send_to).
    pub async fn send_from(
        &self,
        data: &[u8],
        target: SocketAddr,
        from: IpAddr,
    ) -> Result<(), SendError> {
        self.send(&Outgoing::new(data, target).source(from)).await
    }

    /// Sends one datagram to every machine on the link: IPv4's limited broadcast, 255.255.255.255
    /// (RFC 919 section 7). It goes where the routes lead; see
    /// [`broadcast_everywhere`](Self::broadcast_everywhere).
    ///
    /// # Errors
    ///
    /// [`SendError::BroadcastNotEnabled`] where the socket was opened without
    /// [`broadcast`](crate::UdpSocketBuilder::broadcast); otherwise as [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`send_to`](Self::send_to).
    pub async fn broadcast(&self, data: &[u8], port: u16) -> Result<(), SendError> {
        self.broadcast_to(data, SocketAddrV4::new(Ipv4Addr::BROADCAST, port)).await
    }

    /// Sends one datagram to every machine of a network by its directed broadcast address, such as
    /// 192.168.1.255 of 192.168.1.0/24 (RFC 919 section 7).
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`send_to`](Self::send_to).
    pub async fn broadcast_to(&self, data: &[u8], target: SocketAddrV4) -> Result<(), SendError> {
        self.send(&Outgoing::new(data, target.into()).broadcast()).await
    }

    /// Receives one datagram, whole. Waits until there is one.
    ///
    /// That nobody listens at the peer of a connected socket does not end the wait, as somebody may
    /// listen there soon: it is [`Event::PeerUnreachable`], at once.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] once the socket is closed; what the kernel still held is gone then.
    /// [`RecvError::PeerUnreachable`] where
    /// [`return_peer_errors`](crate::UdpSocketBuilder::return_peer_errors) asks for it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a datagram is taken from the kernel only when it is returned.
    pub async fn recv(&self) -> Result<Datagram, RecvError> {
        let events = &self.inner.events;
        self.receive(Cost::ONE, |open| open.receive(Ask::WhenReady, events)).await
    }

    /// Receives one datagram into `buffer`, without allocating. What does not fit is lost, and
    /// [`Received`] says how much that was.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a datagram is taken from the kernel only when this returns.
    pub async fn recv_into(&self, buffer: &mut [u8]) -> Result<Received, RecvError> {
        let events = &self.inner.events;
        self.receive(Cost::ONE, |open| open.receive_into(buffer, events)).await
    }

    /// Receives one datagram if the kernel holds one now, whatever the runtime has seen so far.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<Datagram>, RecvError> {
        self.receive_now(|open| open.receive(Ask::AtOnce, &self.inner.events))
    }

    pub(crate) fn receive_now<T>(
        &self,
        attempt: impl FnOnce(&OpenSocket) -> std::io::Result<Poll<T>>,
    ) -> Result<Option<T>, RecvError> {
        let open = self.open();
        let result = match &*open {
            Some(open) => {
                let result = attempt(open);
                self.share_rest(open);
                result.map_err(Stopped::Failed)
            }
            None => Err(Stopped::Closed),
        };
        drop(open);
        self.inner.events.log_kernel_drops();
        match result {
            Ok(Poll::Ready(value)) => Ok(Some(value)),
            Ok(Poll::Pending) => Ok(None),
            Err(stopped) => Err(self.receive_error(stopped)),
        }
    }

    pub(crate) async fn receive<T>(
        &self,
        cost: Cost,
        mut attempt: impl FnMut(&OpenSocket) -> std::io::Result<Poll<T>>,
    ) -> Result<T, RecvError> {
        let attempt = |open: &OpenSocket| {
            let result = attempt(open);
            self.share_rest(open);
            result
        };
        let result =
            self.drive(cost, &self.inner.readable, Registered::poll_recv_ready, attempt).await;
        self.inner.events.log_kernel_drops();
        result.map_err(|stopped| self.receive_error(stopped))
    }

    /// Wakes who waits for a datagram that came along with another: the kernel does not.
    fn share_rest(&self, open: &OpenSocket) {
        if self.inner.gro && open.has_rest() {
            self.inner.readable.wake();
        }
    }

    fn receive_error(&self, stopped: Stopped) -> RecvError {
        let local = self.inner.local;
        let source = match stopped {
            Stopped::Closed => return RecvError::Closed { local },
            // Counted and told already.
            Stopped::Failed(source)
                if self.inner.returns_peer_errors
                    && matches!(blame(&source), Blame::Peer | Blame::Unclear) =>
            {
                return RecvError::PeerUnreachable { local, source };
            }
            Stopped::Failed(source) => source,
        };
        let kind = source.kind();
        let error = RecvError::Io { local, source };
        if let Some(open) = &*self.open() {
            open.account.error(ErrorKind::Read);
            self.inner.events.emit(|| Event::Error {
                operation: Operation::Receive,
                kind,
                text: in_words(&error),
            });
        }
        error
    }

    /// Counts and tells an error that the caller gets.
    pub(crate) fn report_send_error(&self, error: &SendError) {
        if let Some(open) = &*self.open() {
            open.account.error(ErrorKind::Write);
            self.inner.events.emit(|| Event::Error {
                operation: Operation::Send,
                kind: error.kind(),
                text: in_words(error),
            });
        }
    }
}
