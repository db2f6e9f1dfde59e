//! Where the datagrams go: chosen and tried once, before the command listens.

use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};

use anyhow::Context;
use sockets_udp::{Interface, UdpSocket};
use stats::SocketStats;

use super::super::{is_of_many, many};
use super::KEPT_EVENTS;
use crate::args::ForwardArgs;

/// The target, and the address to send from, where one is given.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) source: Option<IpAddr>,
}

impl Target {
    /// The first address that can be sent to from the source. What would fail each client alike is an
    /// error here; what may come yet, as a route, is not.
    pub(in super::super) fn choose(
        resolved: Vec<SocketAddr>,
        args: &ForwardArgs,
    ) -> anyhow::Result<Self> {
        let endpoint = &args.target;
        let source = args.source.or(endpoint.options().source());
        let fits = |address: &SocketAddr| source.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
        let address = resolved.into_iter().find(fits);
        let address = address
            .with_context(|| format!("{endpoint} has no address of the family of the source"))?;
        let target = Self { address, source };
        let failed = || match source {
            Some(source) => format!("cannot send to udp {address} from {source}"),
            None => format!("cannot open a socket to udp {address}"),
        };
        StdSocket::bind(target.local()).with_context(failed)?;
        let is_broadcast = match address.ip().to_canonical() {
            IpAddr::V4(ip) => sockets_udp::is_broadcast(ip, source, &Interface::Default),
            IpAddr::V6(_) => Ok(false),
        };
        if is_of_many(address.ip()) || is_broadcast.with_context(failed)? {
            return Err(many(endpoint).into());
        }
        Ok(target)
    }

    /// A client's socket. Only a connected one is told that nobody listens at its peer, and takes nothing
    /// from others.
    pub(super) fn connect(self, stats: &SocketStats) -> anyhow::Result<UdpSocket> {
        let socket = UdpSocket::builder()
            .bind(self.local())
            .connect(self.address)
            .stats(stats.clone())
            .datagram_events(false)
            .event_capacity(KEPT_EVENTS)
            .open()?;
        Ok(socket)
    }

    /// Where a client's socket is bound.
    fn local(self) -> SocketAddr {
        let any = match self.address {
            SocketAddr::V4(_) => IpAddr::from([0; 4]),
            SocketAddr::V6(_) => IpAddr::from([0u16; 8]),
        };
        SocketAddr::new(self.source.unwrap_or(any), 0)
    }
}
