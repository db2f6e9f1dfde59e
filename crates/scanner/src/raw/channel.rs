//! The sockets that answers come in by, and probes leave by.

use std::io;

use ports_core::PortRange;
use rustix::io::Errno;
use sockets_raw::{OpenError, PacketConfig, PacketSocket, ReceiveBatch};

use super::filter::Traffic;
use super::outbox::Outbox;
use crate::engine::LocalError;

/// Half a second of answers at 50,000 a second, with the kernel's bookkeeping of 768 bytes each.
const RECEIVE_BUFFER: usize = 20 * 1024 * 1024;

/// The interface of a channel that hears all of them: packet(7).
pub(super) const ALL_INTERFACES: u32 = 0;

/// One kind of traffic, on one interface or on all, from the network header on.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) interface: u32,
    pub(super) traffic: Traffic,
    pub(super) socket: PacketSocket,
    pub(super) outbox: Outbox,
    drops: u64,
}

impl Channel {
    pub(super) fn open(
        interface: u32,
        traffic: Traffic,
        ports: PortRange,
    ) -> Result<Self, OpenError> {
        let mut config = PacketConfig::new()
            .interface(interface)
            .protocol(traffic.ether_type())
            .ignore_outgoing(true)
            .bypass_queue(true)
            .receive_buffer(RECEIVE_BUFFER);
        if let Some(program) = traffic.program(ports) {
            config = config.filter(program);
        }
        let socket = PacketSocket::open(&config)?;
        Ok(Self { interface, traffic, socket, outbox: Outbox::new(), drops: 0 })
    }

    /// Takes what has come in, up to the batch's size.
    pub(super) fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        match self.socket.receive(batch) {
            // Told once when the interface goes down. What is sent there fails by itself.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NETDOWN) => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            result => result,
        }
    }

    /// Packets the kernel had no room for since this was asked last.
    pub(super) fn new_drops(&mut self) -> u64 {
        let Ok(statistics) = self.socket.statistics() else { return 0 };
        let new = statistics.dropped.saturating_sub(self.drops);
        self.drops = statistics.dropped;
        new
    }
}

/// What it means for a probe that its sockets could not be opened.
pub(super) fn open_error(error: &OpenError) -> LocalError {
    match error {
        OpenError::NotPermitted { .. } => LocalError::NotPermitted,
        OpenError::Step { source, .. } | OpenError::Socket { source, .. } => {
            match Errno::from_io_error(source) {
                Some(Errno::NETDOWN | Errno::NODEV | Errno::NXIO) => LocalError::NetworkDown,
                Some(Errno::AFNOSUPPORT) => LocalError::NoSourceAddress,
                Some(Errno::PERM | Errno::ACCESS) => LocalError::NotPermitted,
                _ => LocalError::Resources,
            }
        }
        _ => LocalError::Resources,
    }
}
