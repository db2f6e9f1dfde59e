//! The scanner's own sockets on this machine's own addresses, so that none is taken for a service.
//!
//! A connect from port P of an address to port P of the same address connects to itself, and two
//! probes that aim at each other's source port open each other (simultaneous open, RFC 9293 section
//! 3.5). Both need the source address to be the target. There every probe socket is bound, and its
//! port is entered here; only then is the probe's target looked up, and none is sent to a port that
//! stands here. Of two sockets that could open each other, the one that looked later has seen the
//! port of the other, so the pair cannot meet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ports_core::{Port, PortSet};

/// The bound ports by address, shared by all workers of a scan.
#[derive(Debug, Default)]
pub(crate) struct OwnSockets {
    by_address: Mutex<HashMap<IpAddr, PortSet>>,
}

impl OwnSockets {
    /// Knows `addresses` as this machine's own.
    pub(crate) fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let entries = addresses.into_iter().map(|address| (address, PortSet::new()));
        Self { by_address: Mutex::new(entries.collect()) }
    }

    /// Learns that probes to `address` leave from that very address.
    pub(super) fn add_address(&self, address: IpAddr) {
        self.lock().entry(address).or_default();
    }

    /// Whether probes to `address` leave from that very address.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.lock().contains_key(&address)
    }

    /// Whether one of the scan's own sockets is bound to `port` of `address`.
    pub(crate) fn has_socket(&self, address: IpAddr, port: Port) -> bool {
        self.lock().get(&address).is_some_and(|bound| bound.contains(port))
    }

    fn bind(&self, address: IpAddr, port: Port) {
        self.lock().entry(address).or_default().insert(port);
    }

    fn release(&self, address: IpAddr, port: Port) {
        if let Some(bound) = self.lock().get_mut(&address) {
            bound.remove(port);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, PortSet>> {
        // A worker that panicked leaves whole entries behind: each call changes one bit.
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port in [`OwnSockets`], from before the socket's first use until after it is closed.
#[derive(Debug)]
pub(crate) struct OwnPort {
    sockets: Arc<OwnSockets>,
    address: IpAddr,
    port: Port,
}

impl OwnPort {
    pub(crate) fn enter(sockets: &Arc<OwnSockets>, address: IpAddr, port: Port) -> Self {
        sockets.bind(address, port);
        Self { sockets: Arc::clone(sockets), address, port }
    }
}

impl Drop for OwnPort {
    fn drop(&mut self) {
        self.sockets.release(self.address, self.port);
    }
}
