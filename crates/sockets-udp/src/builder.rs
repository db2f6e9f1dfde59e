//! The settings of a socket, and opening it.

mod options;

use std::net::{Ipv4Addr, SocketAddr};

use ports_core::{Owner, PortRegistry, Transport};
use stats::{ErrorKind, Role, SocketStats};

use crate::bind::{self, BindError, BoundSocket};
use crate::connection;
use crate::interface::Interface;
use crate::multicast_source::MulticastSource;
use crate::registered::Registered;
use crate::socket::{Opening, UdpSocket};

/// Settings of a [`UdpSocket`]; from [`UdpSocket::builder`].
///
/// What is not set has the default named at its setter.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "settings that are each on or off")]
#[must_use = "nothing is opened before `open`"]
pub struct UdpSocketBuilder {
    address: SocketAddr,
    socket: Option<std::net::UdpSocket>,
    peer: Option<SocketAddr>,
    registry: Option<PortRegistry>,
    owner: Owner,
    stats: Option<SocketStats>,
    broadcast: bool,
    reuse_address: bool,
    multicast_ttl: u8,
    multicast_loop: bool,
    multicast_interface: Interface,
    receive_buffer: Option<usize>,
    send_buffer: Option<usize>,
    event_capacity: usize,
    datagram_events: bool,
    gro: bool,
    dont_fragment: bool,
    peer_errors: bool,
    return_peer_errors: bool,
}

impl UdpSocketBuilder {
    /// Where a socket is bound that is not told: any IPv4 address, a port the kernel chooses.
    pub const DEFAULT_ADDRESS: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    /// The label of the claim on the port.
    pub const DEFAULT_OWNER: &'static str = "udp socket";
    /// How far multicast goes: 1, not past this link (RFC 1112 section 6.1).
    pub const DEFAULT_MULTICAST_TTL: u8 = 1;
    /// How many events are kept for a slow subscriber.
    pub const DEFAULT_EVENT_CAPACITY: usize = 1024;
    /// How many may be, at most: each takes about 100 bytes, all of them from the first subscription
    /// on.
    pub const MAX_EVENT_CAPACITY: usize = 1 << 16;

    pub(crate) fn new() -> Self {
        Self {
            address: Self::DEFAULT_ADDRESS,
            socket: None,
            peer: None,
            registry: None,
            owner: Self::DEFAULT_OWNER.into(),
            stats: None,
            broadcast: false,
            reuse_address: false,
            multicast_ttl: Self::DEFAULT_MULTICAST_TTL,
            multicast_loop: true,
            multicast_interface: Interface::Default,
            receive_buffer: None,
            send_buffer: None,
            event_capacity: Self::DEFAULT_EVENT_CAPACITY,
            datagram_events: true,
            gro: false,
            dont_fragment: false,
            peer_errors: false,
            return_peer_errors: false,
        }
    }

    /// The local address; port 0 lets the kernel choose. Default: [`Self::DEFAULT_ADDRESS`].
    ///
    /// `[::]` is dual stack: the socket speaks IPv4, too. To receive from a multicast group, bind
    /// to the wildcard or to the group's own address.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// A socket that is bound already, instead of [`bind`](Self::bind). It is made non-blocking;
    /// [`reuse_address`](Self::reuse_address) comes too late for it, the other settings apply from now
    /// on. What has come before is as the socket was then: of a group that another socket joined, or
    /// without the address it was sent to; and what did not fit into its buffer is gone.
    ///
    /// One that is connected is as if [`connect`](Self::connect) had been said.
    pub fn socket(mut self, socket: std::net::UdpSocket) -> Self {
        self.socket = Some(socket);
        self
    }

    /// Connects it to a peer: from then on it receives from that peer only, and the kernel tells it when
    /// nobody listens there ([`Event::PeerUnreachable`](crate::Event::PeerUnreachable)). Nothing is sent
    /// by this, and [`send_to`](UdpSocket::send_to) takes any target as before. What came before it was
    /// connected is received, from whomever. Default: none.
    ///
    /// [`UdpSocket::local_addr`] then has the address that the routes choose.
    pub const fn connect(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Claims the port there, for as long as the socket is open. Default: no claim.
    pub fn registry(mut self, registry: PortRegistry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Who holds the claim, for people. Default: [`Self::DEFAULT_OWNER`].
    pub fn owner(mut self, owner: impl Into<Owner>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Counts the socket and its datagrams there. Default: nothing is counted.
    pub fn stats(mut self, stats: SocketStats) -> Self {
        self.stats = Some(stats);
        self
    }

    /// Whether broadcasts may be sent (`SO_BROADCAST`). Default: no.
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.broadcast = allowed;
        self
    }

    /// Whether other sockets may bind to the same address and port (`SO_REUSEADDR`). Default: no.
    ///
    /// Meant for several receivers of one multicast group: each gets a copy of what is sent to the
    /// group, but a unicast datagram goes to the last one bound only. A registry does not share a
    /// port: the second claim of this program is refused all the same.
    pub const fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// How many hops multicast may take; 0 keeps it on this machine. Default:
    /// [`Self::DEFAULT_MULTICAST_TTL`].
    pub const fn multicast_ttl(mut self, hops: u8) -> Self {
        self.multicast_ttl = hops;
        self
    }

    /// Whether this machine gets its own multicast, too. Default: yes. What is sent by the loopback
    /// interface comes back whatever this says.
    pub const fn multicast_loop(mut self, on: bool) -> Self {
        self.multicast_loop = on;
        self
    }

    /// The interface that multicast is sent from. Default: the one the routes choose.
    ///
    /// Given as an address, that is also where multicast of its family comes from (`IP_MULTICAST_IF`
    /// in ip(7); for IPv6, packet info with each datagram). An address that the socket is bound to, or
    /// that a datagram is sent [from](crate::Outgoing::source), goes before it.
    pub fn multicast_interface(mut self, interface: Interface) -> Self {
        self.multicast_interface = interface;
        self
    }

    /// The kernel's receive buffer to ask for, in bytes (`SO_RCVBUF`). Default: the system's.
    ///
    /// The kernel gives no more than `net.core.rmem_max` and takes its bookkeeping from it:
    /// [`UdpSocket::receive_buffer`] says what came of it.
    pub const fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// The kernel's send buffer to ask for, in bytes (`SO_SNDBUF`). Default: the system's; see
    /// [`UdpSocket::send_buffer`].
    pub const fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = Some(bytes);
        self
    }

    /// Whether the kernel may hand over several datagrams of one sender and one length as one
    /// (`UDP_GRO`), which makes receiving bulk much cheaper. They are parted again here: what is
    /// received is the same. Default: no. [`UdpSocket::gro`] says what came of it.
    ///
    /// The kernel then counts what it drops in such pieces of up to 64 datagrams, not in datagrams:
    /// [`UdpSocket::kernel_drops`] is a lower bound.
    pub const fn gro(mut self, on: bool) -> Self {
        self.gro = on;
        self
    }

    /// Whether datagrams that are longer than the path's MTU are refused instead of sent in fragments,
    /// and those sent marked so that no router parts them (the DF bit; `IP_PMTUDISC_DO`). Default:
    /// no; as the system says, which by default is to fragment on this machine where it has to be.
    pub const fn dont_fragment(mut self, on: bool) -> Self {
        self.dont_fragment = on;
        self
    }

    /// Whether the kernel tells a socket that is not connected, too, of ICMP messages about what it sent, and
    /// whom each is about: [`Event::PeerUnreachable`](crate::Event::PeerUnreachable) (`IP_RECVERR` in
    /// ip(7)). Default: no.
    ///
    /// That costs two or three system calls for each message. The kernel then also says `ENOBUFS` for what
    /// its own queue to the link drops, which it is silent about otherwise: an error of the datagram.
    pub const fn peer_errors(mut self, on: bool) -> Self {
        self.peer_errors = on;
        self
    }

    /// Whether a receive, on a connected socket or one with [`peer_errors`](Self::peer_errors), ends with [`RecvError::PeerUnreachable`] when an ICMP
    /// message says that an earlier datagram did not arrive, as std's and tokio's do; so does a
    /// [`Service`](crate::Service). Default: no; it is an event, and who waits goes on waiting.
    ///
    /// [`RecvError::PeerUnreachable`]: crate::RecvError::PeerUnreachable
    pub const fn return_peer_errors(mut self, on: bool) -> Self {
        self.return_peer_errors = on;
        self
    }

    /// How many events are kept for a slow subscriber, at least 1 and at most
    /// [`Self::MAX_EVENT_CAPACITY`]; the channel rounds up to a power of two. Default:
    /// [`Self::DEFAULT_EVENT_CAPACITY`].
    pub const fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events;
        self
    }

    /// Whether each datagram is an event (`Received`, `Truncated`, `Sent`). Without them, what is rare
    /// reaches a subscriber however much comes and goes. Default: yes.
    pub const fn datagram_events(mut self, on: bool) -> Self {
        self.datagram_events = on;
        self
    }

    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// [`BindError`] names what was tried on which address. A port that turns out to be held by
    /// another process is marked as foreign in the registry, and the claim is given back.
    ///
    /// # Panics
    ///
    /// Inside a tokio runtime that was built without I/O.
    pub fn open(self) -> Result<UdpSocket, BindError> {
        let stats = self.stats.clone();
        let opened = self.try_open();
        if let (Err(_), Some(stats)) = (&opened, &stats) {
            stats.error(Transport::Udp, Role::Peer, ErrorKind::Bind);
        }
        opened
    }

    fn try_open(mut self) -> Result<UdpSocket, BindError> {
        let address = self.address;
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(BindError::NoRuntime { address });
        }
        let registry = self.registry.as_ref().map(|registry| (registry, self.owner.clone()));
        let link = self
            .multicast_interface
            .index()
            .map_err(|source| BindError::MulticastInterface { address, source })?;
        let bound = match self.socket.take() {
            Some(socket) => {
                let bound = bind::take_over(socket.into(), registry)?;
                self.set_options(&bound.socket, bound.local, bound.family, link)?;
                bound
            }
            None => bind::bind(address, registry, &|socket, family| {
                if self.reuse_address {
                    socket.set_reuse_address(true).map_err(|source| BindError::Option {
                        address,
                        option: "SO_REUSEADDR",
                        source,
                    })?;
                }
                self.set_options(socket, address, family, link)
            })
            .map_err(|error| match self.peer {
                Some(peer) => connection::not_bound(error, peer),
                None => error,
            })?,
        };
        let BoundSocket { socket, claim, local, family } = bound;
        let local = match self.peer {
            Some(peer) => connection::connect(&socket, peer, local, family, self.broadcast)?,
            None => local,
        };
        let multicast_source = MulticastSource::of(local, &self.multicast_interface, link);
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
        let peer = peer.map(crate::arrival::canonical);
        let option = |option| move |source| BindError::Option { address: local, option, source };
        let receive_buffer = socket.recv_buffer_size().map_err(option("SO_RCVBUF"))?;
        let send_buffer = socket.send_buffer_size().map_err(option("SO_SNDBUF"))?;
        let gro = crate::arrival::join_datagrams(&socket, self.gro);
        crate::arrival::cut_nothing(&socket);
        socket.set_nonblocking(true).map_err(option("O_NONBLOCK"))?;
        let socket = Registered::new(socket.into()).map_err(|source| BindError::Io {
            address: local,
            operation: "register with the runtime",
            source,
        })?;
        Ok(UdpSocket::new(Opening {
            socket,
            claim,
            local,
            family,
            stats: self.stats,
            broadcast: self.broadcast,
            receive_buffer,
            send_buffer,
            gro,
            event_capacity: self.event_capacity,
            datagram_events: self.datagram_events,
            peer,
            peer_errors: self.peer_errors,
            return_peer_errors: self.return_peer_errors,
            multicast_source,
            group_link: link,
        }))
    }
}
