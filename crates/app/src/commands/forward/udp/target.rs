//! Where the datagrams go: chosen and tried once, before the command listens.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};

use anyhow::Context;
use sockets_udp::UdpSocket;
use stats::SocketStats;

use super::super::many;
use super::KEPT_EVENTS;
use crate::args::ForwardArgs;
use crate::commands::conversation::options::is_of_many;

/// The target, and the address to send from, where one is given.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Target {
    pub(in super::super) address: SocketAddr,
    pub(super) source: Option<IpAddr>,
}

impl Target {
    /// The first address that can be sent to from the source. What would fail each client alike is an
    /// error here; what may come yet, as a route, is not.
    pub(in super::super) fn choose(
        resolved: &[SocketAddr],
        args: &ForwardArgs,
    ) -> anyhow::Result<Self> {
        let endpoint = &args.target;
        let source = args.source.or(endpoint.options().source());
        let fits = |address: &SocketAddr| source.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
        let address = resolved.iter().copied().find(fits);
        let address = address
            .with_context(|| format!("{endpoint} has no address of the family of the source"))?;
        let target = Self { address, source };
        let socket = target.bind().with_context(|| match source {
            Some(source) => format!("cannot send to udp {address} from {source}"),
            None => format!("cannot open a socket to udp {address}"),
        })?;
        if is_of_many(address.ip()) || is_broadcast(&socket, address) {
            return Err(many(endpoint).into());
        }
        Ok(target)
    }

    /// A client's socket. Only a connected one is told that nobody listens at its peer, and takes nothing
    /// from others.
    pub(super) fn connect(self, stats: &SocketStats) -> anyhow::Result<UdpSocket> {
        let failed = || format!("cannot open a socket to udp {}", self.address);
        let socket = self.bind().with_context(failed)?;
        socket.connect(self.address).with_context(failed)?;
        UdpSocket::builder()
            .socket(socket)
            .stats(stats.clone())
            .datagram_events(false)
            .event_capacity(KEPT_EVENTS)
            .open()
            .with_context(failed)
    }

    fn bind(self) -> io::Result<StdSocket> {
        let any = match self.address {
            SocketAddr::V4(_) => IpAddr::from([0; 4]),
            SocketAddr::V6(_) => IpAddr::from([0u16; 8]),
        };
        StdSocket::bind((self.source.unwrap_or(any), 0))
    }
}

/// Whether it is the broadcast address of a network of this machine, which only the routes tell: the
/// kernel refuses it to a socket that did not ask for broadcasts (`EACCES`, ip(7)). What a route
/// prohibits it refuses to those, too.
fn is_broadcast(socket: &StdSocket, address: SocketAddr) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    socket.connect(address).is_err_and(refused)
        && socket.set_broadcast(true).is_ok()
        && socket.connect(address).is_ok()
}
