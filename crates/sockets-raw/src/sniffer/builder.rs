//! Settings of a sniffer.

use sockets_sys::FilterInstruction;

use super::Sniffer;
use super::stop::StopEvent;
use crate::{Filter, OpenError, PacketConfig, PacketSocket, ReceiveBatch};

/// Settings of a [`Sniffer`].
#[derive(Clone, Debug)]
pub struct SnifferBuilder {
    config: PacketConfig,
    filter: Filter,
    snap_length: usize,
}

impl SnifferBuilder {
    /// How many bytes of a packet are kept unless told otherwise: all of any that has its length in
    /// its IP header.
    pub const DEFAULT_SNAP_LENGTH: usize = 65_575;
    /// The receive buffer that is asked for unless told otherwise, in bytes as the kernel counts them.
    pub const DEFAULT_RECEIVE_BUFFER: usize = 32 * 1024 * 1024;
    /// The most bytes of a packet that can be kept: what one packet holds that is left to the network card
    /// to cut (`GSO_MAX_SIZE` in `include/linux/netdevice.h`, 8 times 65,535), rounded up.
    pub const MOST_SNAP_LENGTH: usize = 512 * 1024;
    /// How many packets are received at once.
    const BATCH: usize = 64;

    /// The one interface to listen at, by its index; 0: all of them.
    #[must_use]
    pub fn interface(mut self, index: u32) -> Self {
        self.config = self.config.interface(index);
        self
    }

    /// Which packets; the kernel passes over all others.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// How many bytes of each packet are kept, from the network header on; at most
    /// [`MOST_SNAP_LENGTH`](Self::MOST_SNAP_LENGTH).
    #[must_use]
    pub const fn snap_length(mut self, bytes: usize) -> Self {
        self.snap_length =
            if bytes < Self::MOST_SNAP_LENGTH { bytes } else { Self::MOST_SNAP_LENGTH };
        self
    }

    /// How much the kernel keeps while nobody receives, in bytes; without `CAP_NET_ADMIN` at most
    /// `net.core.rmem_max`.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.config = self.config.receive_buffer(bytes);
        self
    }

    /// Whether the interface takes packets for others, too, while it is open.
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.config = self.config.promiscuous(on);
        self
    }

    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: `NotPermitted` without `CAP_NET_RAW`.
    pub fn open(self) -> Result<Sniffer, OpenError> {
        let stop = StopEvent::new().map_err(|source| OpenError::Socket {
            socket: "an event to stop a sniffer with".to_owned(),
            source,
        })?;
        let mut program = ONCE_OVER_LOOPBACK.to_vec();
        program.extend(self.filter.instructions());
        let config = self.config.filter(program);
        let socket = PacketSocket::open(&config)?;
        let batch = ReceiveBatch::new(Self::BATCH, self.snap_length);
        Ok(Sniffer { socket, interface: config.interface, batch, stop, unreadable: 0 })
    }
}

impl Default for SnifferBuilder {
    fn default() -> Self {
        Self {
            config: PacketConfig::new()
                .receive_buffer(Self::DEFAULT_RECEIVE_BUFFER)
                .timestamps(true),
            filter: Filter::everything(),
            snap_length: Self::DEFAULT_SNAP_LENGTH,
        }
    }
}

/// Refuses what loopback sends: the same packet is received there, too. The instructions of a filter
/// follow.
const ONCE_OVER_LOOPBACK: [FilterInstruction; 5] = {
    const LOAD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    /// `SKF_AD_OFF + SKF_AD_PKTTYPE`, `SKF_AD_OFF + SKF_AD_HATYPE`
    const PACKET_TYPE: u32 = 0xffff_f004;
    const HARDWARE_TYPE: u32 = 0xffff_f01c;
    /// `PACKET_OUTGOING`, `ARPHRD_LOOPBACK`
    const OUTGOING: u32 = 4;
    const LOOPBACK: u32 = 772;
    const fn step(code: u16, jump_false: u8, operand: u32) -> FilterInstruction {
        FilterInstruction { code, jump_true: 0, jump_false, operand }
    }
    [
        step(LOAD, 0, PACKET_TYPE),
        step(JUMP_EQUAL, 3, OUTGOING),
        step(LOAD, 0, HARDWARE_TYPE),
        step(JUMP_EQUAL, 1, LOOPBACK),
        step(RETURN, 0, 0),
    ]
};
