//! Opens the listening sockets, and says where they are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener};

use anyhow::Context;
use ports_core::{Endpoint, Host, Scheme};
use socket2::{Domain, Protocol, Socket, Type};
use sockets_tcp::{Handler, TcpServerBuilder};
use sockets_udp::{BindError, Interface, UdpSocket, UdpSocketBuilder};

use super::memberships::Group;
use crate::args::Place;
use crate::commands::conversation::resolve::{addresses, interface};
use crate::commands::conversation::session::Session;
use crate::commands::conversation::ways::with_ways;

/// The sockets that were passed to this process.
#[cfg(target_os = "linux")]
pub(crate) type Passed = Vec<sockets_tcp::InheritedListener>;
/// No sockets are passed elsewhere than on Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) type Passed = [TcpListener; 0];

/// Takes the sockets that were passed, if any of the places is one. To be called before the process
/// opens anything: what it opened itself would be taken for what was announced and is not there.
#[cfg(target_os = "linux")]
pub(crate) fn passed(places: &[Place]) -> anyhow::Result<Passed> {
    let inherits = places.iter().any(|place| place.endpoint().is_none());
    Ok(if inherits { sockets_tcp::inherited_listeners()? } else { Passed::new() })
}

/// See [`Passed`].
#[cfg(not(target_os = "linux"))]
pub(crate) fn passed(places: &[Place]) -> anyhow::Result<Passed> {
    let inherits = places.iter().any(|place| place.endpoint().is_none());
    anyhow::ensure!(!inherits, "sockets that were passed are taken on Linux only");
    Ok([])
}

/// How many of the passed sockets a place names.
#[cfg(target_os = "linux")]
pub(in crate::commands) fn named(place: &Place, passed: &Passed) -> usize {
    passed.iter().filter(|socket| is_named(place, socket.name.as_deref())).count()
}

/// See [`Passed`].
#[cfg(not(target_os = "linux"))]
pub(in crate::commands) fn named(_: &Place, _: &Passed) -> usize {
    0
}

#[cfg(target_os = "linux")]
fn is_named(place: &Place, name: Option<&str>) -> bool {
    match place {
        Place::Endpoint(_) => false,
        Place::Inherited { name: None, .. } => true,
        Place::Inherited { name: wanted, .. } => wanted.as_deref() == name,
    }
}

/// The sockets, all open.
pub(in crate::commands) struct Bound {
    pub(in crate::commands) tcp: Vec<Listener>,
    pub(in crate::commands) udp: Vec<UdpSocket>,
    /// What the UDP sockets are to tell.
    telling: UdpTelling,
    /// Those of the UDP sockets that hear a group.
    pub(in crate::commands) groups: Vec<Group>,
    /// Where they listen, with the kernel's ports.
    pub(in crate::commands) endpoints: Vec<Endpoint>,
}

/// What UDP sockets tell by events.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct UdpTelling {
    /// Each datagram.
    pub(in crate::commands) datagrams: bool,
    /// That one did not arrive, with whom it was for.
    pub(in crate::commands) peer_errors: bool,
}

/// A TCP socket that listens.
pub(in crate::commands) struct Listener {
    pub(in crate::commands) socket: TcpListener,
    /// Others may hold it, too: who still waits on it at the end is theirs to serve.
    is_passed: bool,
}

impl Listener {
    pub(in crate::commands) fn give_to<H: Handler>(
        self,
        builder: TcpServerBuilder<H>,
    ) -> TcpServerBuilder<H> {
        if self.is_passed {
            builder.listener(self.socket)
        } else {
            builder.exclusive_listener(self.socket)
        }
    }
}

/// Why an endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(in crate::commands) enum ListenError {
    #[error(
        "cannot listen on {endpoint}: the port is in use (`ports who {}` says by whom); take another \
         one, or 0 for any",
        .endpoint.port()
    )]
    InUse { endpoint: Endpoint, source: io::Error },
    #[error("cannot listen on {endpoint}: {before} of this command has the port there already")]
    Twice { endpoint: Endpoint, before: Box<Endpoint> },
    #[error(
        "cannot listen on {endpoint}: the port needs privilege; take one from 1024 up, or grant \
         CAP_NET_BIND_SERVICE"
    )]
    Privileged { endpoint: Endpoint, source: io::Error },
    #[error("cannot listen on {endpoint}: not an address of this machine")]
    NotHere { endpoint: Endpoint, source: io::Error },
    #[error("cannot listen on {endpoint}")]
    Io { endpoint: Endpoint, source: io::Error },
    #[error(transparent)]
    Udp(BindError),
    #[error(transparent)]
    Join(sockets_udp::JoinError),
    #[error(transparent)]
    Interface(sockets_udp::InterfaceError),
}

impl ListenError {
    fn of_io(endpoint: Endpoint, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { endpoint, source },
            io::ErrorKind::PermissionDenied
                if sockets_sys::is_privileged_port(endpoint.port().number()) =>
            {
                Self::Privileged { endpoint, source }
            }
            io::ErrorKind::AddrNotAvailable => Self::NotHere { endpoint, source },
            _ => Self::Io { endpoint, source },
        }
    }

    fn of_udp(endpoint: Endpoint, error: BindError) -> Self {
        match error {
            BindError::AddressInUse { source, .. }
            | BindError::Privileged { source, .. }
            | BindError::AddressNotAvailable { source, .. } => Self::of_io(endpoint, source),
            error => Self::Udp(error),
        }
    }
}

/// All of them or none; of a name, every address that this machine has.
pub(in crate::commands) async fn open(
    places: &[Place],
    passed: Passed,
    telling: UdpTelling,
    session: &Session,
) -> anyhow::Result<Bound> {
    let mut bound = Bound {
        tcp: Vec::new(),
        udp: Vec::new(),
        telling,
        groups: Vec::new(),
        endpoints: Vec::new(),
    };
    bound.inherit(places, passed)?;
    for endpoint in places.iter().filter_map(Place::endpoint) {
        let mut elsewhere = None;
        let before = bound.endpoints.len();
        for address in addresses(endpoint).await? {
            match bound.add(endpoint, address, session) {
                Err(error @ ListenError::NotHere { .. }) => {
                    if let Some(last) = elsewhere.replace(error) {
                        session.terminal.note(&last.to_string());
                    }
                }
                Err(ListenError::InUse { endpoint, source }) => {
                    return Err(bound.in_use(endpoint, source).into());
                }
                Err(ListenError::Join(error)) => return Err(with_ways(error.into())),
                result => result?,
            }
        }
        match elsewhere {
            Some(error) if bound.endpoints.len() == before => return Err(error.into()),
            Some(error) => session.terminal.note(&error.to_string()),
            None => {}
        }
    }
    Ok(bound)
}

impl Bound {
    /// Takes in those of the passed sockets that the places name.
    #[cfg(target_os = "linux")]
    fn inherit(&mut self, places: &[Place], passed: Passed) -> anyhow::Result<()> {
        for place in places.iter().filter(|place| place.endpoint().is_none()) {
            let names = passed.iter().map(|socket| socket.name.as_deref().unwrap_or("unnamed"));
            let names = names.collect::<Vec<_>>().join(", ");
            anyhow::ensure!(
                named(place, &passed) > 0,
                "cannot listen on `{place}`: no such socket was passed to this process (LISTEN_FDS, \
                 LISTEN_PID; passed were: {})",
                if names.is_empty() { "none" } else { &names }
            );
        }
        for socket in passed {
            let Some(place) = places.iter().find(|place| is_named(place, socket.name.as_deref()))
            else {
                continue;
            };
            socket.listener.set_nonblocking(true).context("a socket that was passed")?;
            let local = socket.listener.local_addr().context("a socket that was passed")?;
            self.endpoints.push(Endpoint::from((place.scheme(), local)));
            self.tcp.push(Listener { socket: socket.listener, is_passed: true });
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn inherit(&mut self, _: &[Place], _: Passed) -> anyhow::Result<()> {
        Ok(())
    }

    /// Whose the port is that is in use: where it is this command's own, nobody else is to be looked
    /// for.
    fn in_use(&self, endpoint: Endpoint, source: io::Error) -> ListenError {
        let before = self.endpoints.iter().find(|before| overlap(before, &endpoint)).cloned();
        match before {
            Some(before) => ListenError::Twice { endpoint, before: Box::new(before) },
            None => ListenError::InUse { endpoint, source },
        }
    }

    fn add(
        &mut self,
        endpoint: &Endpoint,
        address: SocketAddr,
        session: &Session,
    ) -> Result<(), ListenError> {
        let result = self.add_at(endpoint, address, session);
        match result {
            // Every address is `[::]`, or `0.0.0.0` where the machine has no IPv6.
            Err(ListenError::Io { .. } | ListenError::NotHere { .. })
                if *endpoint.host() == Host::Any =>
            {
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                self.add_at(endpoint, any, session)
            }
            result => result,
        }
    }

    fn add_at(
        &mut self,
        endpoint: &Endpoint,
        address: SocketAddr,
        session: &Session,
    ) -> Result<(), ListenError> {
        let scheme = endpoint.scheme();
        let asked = Endpoint::from((scheme, address)).with_options(endpoint.options().clone());
        let local = if scheme == Scheme::Udp {
            let builder = UdpSocket::builder()
                .stats(session.stats.clone())
                .datagram_events(self.telling.datagrams)
                .peer_errors(self.telling.peer_errors);
            let (socket, group) = udp(&asked, address, builder)?;
            let local = socket.local_addr();
            self.udp.push(socket);
            self.groups.extend(group);
            local
        } else {
            let (listener, local) =
                tcp(address).map_err(|source| ListenError::of_io(asked.clone(), source))?;
            self.tcp.push(Listener { socket: listener, is_passed: false });
            local
        };
        self.endpoints.push(asked.with_port(local.port().into()));
        Ok(())
    }
}

/// Whether no two sockets can have both, one's address being that of the other or every one.
fn overlap(a: &Endpoint, b: &Endpoint) -> bool {
    let (Some(a_at), Some(b_at)) = (a.socket_addr(), b.socket_addr()) else { return false };
    let (a_ip, b_ip) = (a_at.ip().to_canonical(), b_at.ip().to_canonical());
    (a.transport(), a_at.port()) == (b.transport(), b_at.port())
        && (a_ip == b_ip || takes_in(a_ip, b_ip) || takes_in(b_ip, a_ip))
}

/// Whether `all` is every address of a kind that `one` is of: `[::]` is listened at dual-stack.
pub(in crate::commands) fn takes_in(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

/// A listener that the server takes over, or the pipe closes after its one connection.
fn tcp(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A listener can be started again while connections of the last one are in TIME-WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    let backlog = TcpServerBuilder::DEFAULT_BACKLOG;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// A socket; for a group, one that is bound to the group and has joined it.
fn udp(
    asked: &Endpoint,
    address: SocketAddr,
    builder: UdpSocketBuilder,
) -> Result<(UdpSocket, Option<Group>), ListenError> {
    let failed = |error| ListenError::of_udp(asked.clone(), error);
    if !address.ip().is_multicast() {
        return builder.bind(address).open().map(|socket| (socket, None)).map_err(failed);
    }
    let interface = match address {
        SocketAddr::V6(group) if group.scope_id() != 0 => Interface::from(group.scope_id()),
        _ => interface(asked),
    };
    let address = match address {
        // An address of the link's own needs the link (RFC 4007 section 6).
        SocketAddr::V6(group) if group.scope_id() == 0 => {
            let scope = interface.index().map_err(ListenError::Interface)?;
            SocketAddrV6::new(*group.ip(), group.port(), 0, scope).into()
        }
        address => address,
    };
    // Other programs may listen to the group, too.
    let socket = builder.bind(address).reuse_address(true).open().map_err(failed)?;
    let group = Group::join(&socket, asked.options().source(), interface);
    let group = group.map_err(ListenError::Join)?;
    Ok((socket, Some(group)))
}
