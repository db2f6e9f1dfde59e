//! The UDP prober: datagrams that the service of a port is likely to answer. Needs no privilege.

mod asked;
mod driver;
mod drops;
mod icmp_limit;
mod icmp_meaning;
mod question;
mod send_error;
mod socket;
mod socket_name;
mod sockets;

use std::net::IpAddr;
use std::time::Duration;

use driver::UdpDriver;

use crate::connect::DriverConfig;
use crate::connect::own::OwnSockets;
use crate::engine::Engine;
use crate::event::Method;
use crate::links::Links;
use crate::prober::{ProbeError, Prober, WorkSource, Worked};

/// How much longer than the round-trip time a service may take: it may have to look something up
/// before it answers, unlike a handshake.
pub(crate) const MIN_TIMEOUT: Duration = Duration::from_millis(300);
/// Ports under way at once: each costs memory, but no socket.
pub(crate) const MAX_IN_FLIGHT: usize = 65_536;

/// Asks by datagram.
#[derive(Debug)]
pub(crate) struct UdpProber {
    config: DriverConfig,
}

impl UdpProber {
    /// From `source` and by `interface`, or where `None` as the system chooses.
    pub(crate) fn new(links: Links, source: Option<IpAddr>, interface: Option<&str>) -> Self {
        Self { config: DriverConfig::new(OwnSockets::default(), links, source, interface) }
    }
}

impl Prober for UdpProber {
    fn method(&self) -> Method {
        Method::Udp
    }

    fn run(&self, mut engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        engine.ask_in_turn(|port| question::questions(port).len() as u32);
        UdpDriver::new(engine, self.config.clone())
            .run(source)
            .map_err(ProbeError::of("wait for sockets"))
    }

    fn may_defer(&self, address: IpAddr) -> bool {
        self.config.links.is_local(address)
    }
}

#[cfg(test)]
mod tests;
