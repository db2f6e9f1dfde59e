//! The connect prober: TCP's own handshake, which needs no privilege.

mod driver;
mod driver_config;
pub(crate) mod error_queue;
pub(crate) mod neighbours;
pub(crate) mod outcome;
pub(crate) mod own;
mod socket;

use std::net::IpAddr;

use driver::ConnectDriver;
pub(crate) use driver_config::DriverConfig;
use own::OwnSockets;

use crate::engine::Engine;
use crate::event::Method;
use crate::links::Links;
use crate::prober::{ProbeError, Prober, WorkSource, Worked};

/// Asks by `connect`.
#[derive(Debug)]
pub(crate) struct ConnectProber {
    config: DriverConfig,
}

impl ConnectProber {
    /// From `source` and by `interface`, or where `None` as the system chooses.
    pub(crate) fn new(links: Links, source: Option<IpAddr>, interface: Option<&str>) -> Self {
        let own = OwnSockets::new(links.own_addresses().chain(source));
        Self { config: DriverConfig::new(own, links, source, interface) }
    }
}

impl Prober for ConnectProber {
    fn method(&self) -> Method {
        Method::Connect
    }

    fn run(&self, engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        let driver = ConnectDriver::new(engine, self.config.clone())
            .map_err(ProbeError::of("make a poller"))?;
        let engine = driver.run(source).map_err(ProbeError::of("wait for sockets"))?;
        Ok(Worked { engine, kernel_drops: 0 })
    }

    fn may_defer(&self, address: IpAddr) -> bool {
        self.config.own.has_address(address)
    }
}
