//! Where the datagrams go: chosen and tried once, before the command listens.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use sockets_udp::{BindError, SendError, UdpSocket};
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
        if is_of_many(address.ip()) {
            return Err(many(endpoint).into());
        }
        match target.connect(&SocketStats::new()) {
            Err(BindError::Connect(SendError::BroadcastNotEnabled { .. })) => {
                Err(many(endpoint).into())
            }
            Err(error @ BindError::Connect(SendError::SourceNotAvailable { .. })) => {
                Err(error.into())
            }
            _ => Ok(target),
        }
    }

    /// A client's socket. Only a connected one is told that nobody listens at its peer, and takes nothing
    /// from others.
    pub(super) fn connect(self, stats: &SocketStats) -> Result<UdpSocket, BindError> {
        UdpSocket::builder()
            .bind(self.local())
            .connect(self.address)
            .stats(stats.clone())
            .datagram_events(false)
            .event_capacity(KEPT_EVENTS)
            .open()
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
