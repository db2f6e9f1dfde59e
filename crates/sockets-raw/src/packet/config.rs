//! How a packet socket is opened.

use std::time::Duration;

use sockets_sys::{FilterInstruction, LinkAddress, PacketFd, PacketLevel};

use crate::open_error::{OpenError, OpenStep};

/// How a [`PacketSocket`](super::PacketSocket) or a [`PacketRing`](super::PacketRing) is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the kernel's")]
pub struct PacketConfig {
    level: PacketLevel,
    pub(crate) interface: u32,
    protocol: u16,
    filter: Option<Vec<FilterInstruction>>,
    lock_filter: bool,
    pub(super) receive_buffer: usize,
    pub(super) block_patience: Duration,
    promiscuous: bool,
    ignore_outgoing: bool,
    bypass_queue: bool,
    timestamps: bool,
}

impl PacketConfig {
    /// The receive buffer asked for, in bytes: about a quarter of a second of answers at 50,000
    /// a second, each of which takes 768 bytes of the kernel's bookkeeping.
    pub const DEFAULT_RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

    /// How long a ring keeps back packets for more of them to come: short beside most round trips,
    /// long enough for hundreds of packets where it matters.
    pub const DEFAULT_BLOCK_PATIENCE: Duration = Duration::from_millis(2);

    /// Every packet on every interface, from its network header; no filter, not promiscuous, with
    /// what this machine sends, through the interface's queue, without timestamps.
    pub const fn new() -> Self {
        Self {
            level: PacketLevel::Network,
            interface: 0,
            protocol: LinkAddress::ALL,
            filter: None,
            lock_filter: false,
            receive_buffer: Self::DEFAULT_RECEIVE_BUFFER,
            block_patience: Self::DEFAULT_BLOCK_PATIENCE,
            promiscuous: false,
            ignore_outgoing: false,
            bypass_queue: false,
            timestamps: false,
        }
    }

    /// Where packets begin: at the network header, or at the link header.
    #[must_use]
    pub const fn level(mut self, level: PacketLevel) -> Self {
        self.level = level;
        self
    }

    /// The one interface it listens on, by index; 0 for all.
    #[must_use]
    pub const fn interface(mut self, index: u32) -> Self {
        self.interface = index;
        self
    }

    /// The one Ethernet type it receives, such as [`LinkAddress::IPV4`]; [`LinkAddress::ALL`] for
    /// every one.
    #[must_use]
    pub const fn protocol(mut self, ethertype: u16) -> Self {
        self.protocol = ethertype;
        self
    }

    /// Receives nothing: for a socket that only sends, so that the kernel copies nothing to it.
    #[must_use]
    pub const fn send_only(mut self) -> Self {
        self.protocol = 0;
        self
    }

    /// The BPF program a packet must pass, in force before the first packet arrives. It sees the
    /// packet from where the level begins.
    #[must_use]
    pub fn filter(mut self, program: Vec<FilterInstruction>) -> Self {
        self.filter = Some(program);
        self
    }

    /// Whether the filter is locked: nobody can change it then, this process included.
    #[must_use]
    pub const fn lock_filter(mut self, lock: bool) -> Self {
        self.lock_filter = lock;
        self
    }

    /// The receive buffer asked for, in bytes; of a ring, its memory. What was granted is
    /// [`PacketSocket::receive_buffer`](super::PacketSocket::receive_buffer).
    #[must_use]
    pub const fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = bytes;
        self
    }

    /// How long a ring keeps packets back until a block of them is full, in whole milliseconds, at
    /// least one. Has no effect without a ring.
    #[must_use]
    pub const fn block_patience(mut self, patience: Duration) -> Self {
        self.block_patience = patience;
        self
    }

    /// Whether the interface also takes packets for other machines, while the socket is open. Has
    /// no effect without an interface.
    #[must_use]
    pub const fn promiscuous(mut self, on: bool) -> Self {
        self.promiscuous = on;
        self
    }

    /// Whether packets that this machine sends stay out.
    #[must_use]
    pub const fn ignore_outgoing(mut self, on: bool) -> Self {
        self.ignore_outgoing = on;
        self
    }

    /// Whether sent packets go past the interface's queueing discipline: cheaper, and past any
    /// shaping configured there.
    #[must_use]
    pub const fn bypass_queue(mut self, on: bool) -> Self {
        self.bypass_queue = on;
        self
    }

    /// Whether received packets carry the kernel's timestamp.
    #[must_use]
    pub const fn timestamps(mut self, on: bool) -> Self {
        self.timestamps = on;
        self
    }

    /// A socket with everything set that must be in force before the first packet.
    pub(super) fn prepare(&self) -> Result<PacketFd, OpenError> {
        let socket = PacketFd::open(self.level)
            .map_err(|source| OpenError::from_open("an AF_PACKET socket", source))?;
        let at = |step| move |source| OpenError::Step { step, source };
        if let Some(program) = &self.filter {
            let instructions = program.len();
            sockets_sys::attach_filter(&socket, program)
                .map_err(at(OpenStep::Filter { instructions }))?;
        }
        if self.lock_filter {
            sockets_sys::lock_filter(&socket).map_err(at(OpenStep::LockFilter))?;
        }
        if self.ignore_outgoing {
            socket.set_ignore_outgoing(true).map_err(at(OpenStep::IgnoreOutgoing))?;
        }
        if self.bypass_queue {
            socket.set_qdisc_bypass(true).map_err(at(OpenStep::BypassQueue))?;
        }
        if self.timestamps {
            sockets_sys::set_timestamps(&socket, true).map_err(at(OpenStep::Timestamps))?;
        }
        if self.promiscuous && self.interface != 0 {
            socket
                .join_promiscuous(self.interface)
                .map_err(at(OpenStep::Promiscuous { interface: self.interface }))?;
        }
        Ok(socket)
    }

    /// The last step: packets arrive from here on.
    pub(super) fn bind(&self, socket: &PacketFd) -> Result<(), OpenError> {
        let interface = self.interface;
        socket
            .bind(interface, self.protocol)
            .map_err(|source| OpenError::Step { step: OpenStep::BindLink { interface }, source })
    }
}

impl Default for PacketConfig {
    fn default() -> Self {
        Self::new()
    }
}
