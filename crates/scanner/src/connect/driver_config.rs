//! What is asked of the kernel, and how much of it: the same for all drivers of a scan.

use std::net::IpAddr;
use std::sync::Arc;

use super::neighbours;
use super::own::OwnSockets;
use crate::links::Links;

/// What all drivers of a scan share, where the kernel finds the way.
#[derive(Clone, Debug)]
pub(crate) struct DriverConfig {
    pub(crate) own: Arc<OwnSockets>,
    pub(crate) links: Arc<Links>,
    pub(crate) neighbours: neighbours::Shared,
    /// The source address asked for.
    pub(crate) source: Option<IpAddr>,
    /// The interface asked for.
    pub(crate) interface: Option<Arc<str>>,
}

impl DriverConfig {
    /// From `source` and by `interface`, or where `None` as the system chooses.
    pub(crate) fn new(
        own: OwnSockets,
        links: Links,
        source: Option<IpAddr>,
        interface: Option<&str>,
    ) -> Self {
        Self {
            own: Arc::new(own),
            links: Arc::new(links),
            neighbours: neighbours::Shared::new(source, interface),
            source,
            interface: interface.map(Arc::from),
        }
    }
}
