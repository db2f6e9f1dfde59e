//! The socket: a handle that looks the open socket up for each operation, and closing it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll};

use ports_core::{PortClaim, SocketInfo, SocketState, Transport};
use stats::SocketStats;
use tokio::task::coop;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::builder::UdpSocketBuilder;
use crate::event::{Event, EventSource, Events};
use crate::incoming::Receiver;
use crate::multicast_source::MulticastSource;
use crate::open_socket::OpenSocket;
use crate::outgoing::Senders;
use crate::registered::{Readiness, Registered};
use crate::segmentation::Segmentation;
use crate::send::Family;
use crate::waiters::Waiters;

/// A UDP socket. Cheap to clone; all clones are one socket, so that one task receives while others
/// send. It is closed by [`close`](Self::close), or when the last clone is dropped.
///
/// Every operation takes `&self`. Of several tasks that receive, each datagram reaches one.
#[derive(Clone)]
pub struct UdpSocket {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// `None` once closed. A reader holds the lock for a few non-blocking system calls on this very
    /// socket, and never across an await, a look-up or a log line, so that `close` waits no longer
    /// than that, and no event comes after the last.
    open: RwLock<Option<OpenSocket>>,
    pub(crate) local: SocketAddr,
    pub(crate) family: Family,
    pub(crate) broadcast: bool,
    pub(crate) multicast_source: Option<MulticastSource>,
    /// The index of the interface that multicast goes by; 0 where the routes choose.
    pub(crate) group_link: u32,
    receive_buffer: usize,
    send_buffer: usize,
    pub(crate) gro: bool,
    pub(crate) segmentation: Segmentation,
    pub(crate) returns_peer_errors: bool,
    pub(crate) readable: Waiters,
    pub(crate) writable: Waiters,
    pub(crate) events: EventSource,
    closed: CancellationToken,
}

/// What the builder hands over.
#[expect(clippy::struct_excessive_bools, reason = "settings that are each on or off")]
pub(crate) struct Opening {
    pub(crate) socket: Registered,
    pub(crate) claim: Option<PortClaim>,
    pub(crate) local: SocketAddr,
    pub(crate) family: Family,
    pub(crate) stats: Option<SocketStats>,
    pub(crate) broadcast: bool,
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
    pub(crate) gro: bool,
    pub(crate) event_capacity: usize,
    pub(crate) datagram_events: bool,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) peer_errors: bool,
    pub(crate) return_peer_errors: bool,
    pub(crate) multicast_source: Option<MulticastSource>,
    pub(crate) group_link: u32,
}

/// The budget that tokio lets a task use up before the others get their turn.
const UNITS_PER_TURN: usize = 128;
/// How many datagrams of a batch are one unit of it: a task that never has to wait gives way each
/// 2,048 datagrams, every millisecond or two.
const DATAGRAMS_PER_UNIT: usize = 16;

/// What an operation takes of the task's budget.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    units: usize,
}

/// Why an operation stopped waiting.
pub(crate) enum Stopped {
    Closed,
    Failed(io::Error),
}

impl UdpSocket {
    /// Settings for a socket.
    pub fn builder() -> UdpSocketBuilder {
        UdpSocketBuilder::new()
    }

    /// The address the socket is bound to, with the port the kernel chose; after closing, the one
    /// it had.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// The socket's address and state: bound, or closed.
    pub fn info(&self) -> SocketInfo {
        let mut info = SocketInfo::new(Transport::Udp, self.inner.local);
        if !self.is_closed() {
            // A new `SocketInfo` is closed, which may always become bound.
            let _ = info.become_state(SocketState::Bound);
        }
        info
    }

    /// The kernel's receive buffer at opening, in bytes, its bookkeeping included (Linux doubles what
    /// is asked for: socket(7), `SO_RCVBUF`).
    pub fn receive_buffer(&self) -> usize {
        self.inner.receive_buffer
    }

    /// The kernel's send buffer at opening, in bytes, its bookkeeping included.
    pub fn send_buffer(&self) -> usize {
        self.inner.send_buffer
    }

    /// Whether the kernel hands over several datagrams as one, as asked for by
    /// [`gro`](UdpSocketBuilder::gro).
    pub fn gro(&self) -> bool {
        self.inner.gro
    }

    /// How many datagrams the kernel has dropped that had reached this socket, because its receive
    /// buffer was full or a checksum was wrong. Asked of the kernel now; after closing, what it was
    /// then. Before Linux 4.12: up to the last datagram received.
    pub fn kernel_drops(&self) -> u64 {
        if let Some(open) = &*self.open() {
            open.refresh_drops(&self.inner.events);
        }
        self.inner.events.log_kernel_drops();
        self.inner.events.kernel_drops()
    }

    /// Asks the kernel now whether an ICMP message says that an earlier datagram did not arrive; if so,
    /// it is [`Event::PeerUnreachable`]. Without this it is seen by whoever waits for a datagram, or by
    /// the next call that sends or receives something. Only a connected socket is told (udp(7), `SO_ERROR`
    /// in socket(7)), or one with [`peer_errors`](UdpSocketBuilder::peer_errors).
    pub fn check_peer(&self) -> bool {
        match &*self.open() {
            Some(open) => open.check_peer(&self.inner.events),
            None => false,
        }
    }

    /// How many such messages were seen so far: as many as there were [`Event::PeerUnreachable`]. The kernel
    /// limits how many are sent, and may keep only the last: a lower bound of what did not arrive.
    pub fn peer_errors(&self) -> u64 {
        self.inner.events.peer_errors()
    }

    /// A subscription to what happens from now on; it begins with [`Event::Bound`], or on a
    /// closed socket with [`Event::Closed`].
    pub fn events(&self) -> Events {
        let open = self.open();
        let first = match *open {
            Some(_) => Event::Bound { local: self.inner.local },
            None => Event::Closed,
        };
        self.inner.events.subscribe(first)
    }

    /// Closes the socket, at once and for all clones: when this returns, the port is free, its claim
    /// given back and the socket counted as closed. Datagrams that the kernel holds for the program
    /// are gone; those it has taken to send are sent. Operations that wait end with their `Closed`
    /// error.
    ///
    /// Whether this call closed it: a second one does nothing.
    pub fn close(&self) -> bool {
        let open = self.inner.open.write().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.finish(open)
    }

    /// Whether the socket is closed.
    pub fn is_closed(&self) -> bool {
        self.open().is_none()
    }

    /// Waits until the socket is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    pub async fn closed(&self) {
        self.inner.closed.cancelled().await;
    }

    pub(crate) fn new(opening: Opening) -> Self {
        let segmentation = Segmentation::of(&opening.socket);
        let open = OpenSocket {
            account: Account::open(opening.stats.as_ref(), opening.local),
            socket: opening.socket,
            claim: opening.claim,
            receiver: Mutex::new(Receiver::new(opening.gro)),
            peer: opening.peer,
            keeps_peer_errors: opening.peer_errors,
            returns_peer_errors: opening.return_peer_errors,
            senders: Senders::default(),
            memberships: Mutex::default(),
        };
        tracing::debug!(local = %opening.local, "udp socket bound");
        Self {
            inner: Arc::new(Inner {
                open: RwLock::new(Some(open)),
                local: opening.local,
                family: opening.family,
                broadcast: opening.broadcast,
                multicast_source: opening.multicast_source,
                group_link: opening.group_link,
                receive_buffer: opening.receive_buffer,
                send_buffer: opening.send_buffer,
                gro: opening.gro,
                segmentation,
                returns_peer_errors: opening.return_peer_errors,
                readable: Waiters::default(),
                writable: Waiters::default(),
                events: EventSource::new(opening.event_capacity, opening.datagram_events),
                closed: CancellationToken::new(),
            }),
        }
    }

    /// The open socket, kept open while the guard lives. Not across an await.
    pub(crate) fn open(&self) -> RwLockReadGuard<'_, Option<OpenSocket>> {
        self.inner.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `attempt` until it is ready, between calls waiting for the runtime to say that the
    /// socket is, or for the socket to be closed.
    pub(crate) async fn drive<T>(
        &self,
        cost: Cost,
        waiters: &Waiters,
        poll_ready: fn(&Registered, &mut Context<'_>) -> Poll<io::Result<Readiness>>,
        mut attempt: impl FnMut(&OpenSocket) -> io::Result<Poll<T>>,
    ) -> Result<T, Stopped> {
        // A task whose attempts always succeed lets the others run, too.
        cost.pay().await;
        // Most sockets are ready: nothing is made ready to wait before it is known that one is not.
        if let Poll::Ready(value) = self.try_once(&mut attempt)? {
            return Ok(value);
        }
        loop {
            // Before the attempt: a wake-up between the two is not lost.
            let woken = waiters.woken();
            let stuck = {
                let open = self.open();
                let Some(open) = &*open else { return Err(Stopped::Closed) };
                if let Poll::Ready(value) = attempt(open).map_err(Stopped::Failed)? {
                    return Ok(value);
                }
                match waiters.poll(|context| poll_ready(&open.socket, context)) {
                    Poll::Ready(Ok(Readiness::MayBe)) => continue,
                    Poll::Ready(Ok(Readiness::Stuck(registration))) => Some(registration),
                    Poll::Ready(Err(error)) => return Err(Stopped::Failed(error)),
                    Poll::Pending => None,
                }
            };
            if let Some(registration) = stuck {
                self.register_again(registration)?;
                continue;
            }
            // Without budget the runtime was not asked, and where nothing schedules the task, as in
            // `block_on`, the waiters are woken at once: only giving way for certain ends the turn.
            if coop::has_budget_remaining() {
                woken.await;
            } else {
                coop::consume_budget().await;
            }
        }
    }

    /// Has the runtime know the socket anew. Who waits is woken, and looks at what it says now.
    fn register_again(&self, registration: u64) -> Result<(), Stopped> {
        let mut open = self.inner.open.write().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *open else { return Err(Stopped::Closed) };
        if open.socket.register_again(registration).map_err(Stopped::Failed)? {
            self.inner.readable.wake();
            self.inner.writable.wake();
        }
        Ok(())
    }

    fn try_once<T>(
        &self,
        attempt: &mut impl FnMut(&OpenSocket) -> io::Result<Poll<T>>,
    ) -> Result<Poll<T>, Stopped> {
        match &*self.open() {
            Some(open) => attempt(open).map_err(Stopped::Failed),
            None => Err(Stopped::Closed),
        }
    }
}

impl Cost {
    pub(crate) const ONE: Self = Self::of(0);
    /// Paid for by the caller, or to be.
    pub(crate) const PAID: Self = Self { units: 0 };

    /// What so many datagrams cost: a turn at most, since one call is not parted.
    pub(crate) const fn of(datagrams: usize) -> Self {
        let units = 1 + datagrams / DATAGRAMS_PER_UNIT;
        Self { units: if units < UNITS_PER_TURN { units } else { UNITS_PER_TURN } }
    }

    pub(crate) async fn pay(self) {
        for _ in 0..self.units {
            coop::consume_budget().await;
        }
    }
}

impl Inner {
    fn finish(&self, open: Option<OpenSocket>) -> bool {
        let Some(open) = open else { return false };
        open.refresh_drops(&self.events);
        open.close();
        self.events.log_kernel_drops();
        tracing::debug!(local = %self.local, "udp socket closed");
        self.events.emit(|| Event::Closed);
        self.readable.wake();
        self.writable.wake();
        self.closed.cancel();
        true
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.finish(open);
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UdpSocket").field(&format_args!("{}", self.info())).finish()
    }
}
