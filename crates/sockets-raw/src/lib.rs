//! Raw and packet sockets, and what is needed to use them: wire formats, routes and neighbours.
//!
//! - [`RawSocket`]: IP packets of any protocol number, with or without their header.
//! - [`PacketSocket`]: everything that passes an interface, filtered in the kernel, by the batch.
//! - [`PacketRing`]: the same, received through memory shared with the kernel.
//! - [`SendBatch`], [`ReceiveBatch`]: many packets in one system call.
//! - [`wire`]: packets built and read on the hot path.
//! - [`Interface`], [`Route`], [`RouteTable`], [`Neighbours`]: which way packets go, from which
//!   address, to which link address.
//! - [`Filter`]: which packets reach a socket, decided in the kernel.
//! - [`Sniffer`], [`PcapWriter`], [`PcapReader`]: packets seen, and kept in files.
//! - [`EchoSocket`], [`ping`]: which hosts are there.
//! - [`Privilege`]: what this process may do, and the command that lets it do the rest.
//!
//! Raw and packet sockets need the capability `CAP_NET_RAW`; without it, [`OpenError`] says what
//! to do. Linux only, but for [`wire`] and capture files.
//!
//! What it is not for: it reassembles no fragments, follows no connections, waits for nothing
//! unless asked to. What passes through TCP and UDP sockets is better left to `sockets-tcp` and
//! `sockets-udp`.
//!
//! # Examples
//!
//! A protocol of one's own, over loopback:
//!
//! ```
//! use std::net::Ipv4Addr;
//! use std::time::Duration;
//! use sockets_raw::{OpenError, RawConfig, RawSocket};
//!
//! let config = RawConfig::v4(RawConfig::EXPERIMENTAL[0]).bind(Ipv4Addr::LOCALHOST.into());
//! let socket = match RawSocket::open(&config) {
//!     // Without privilege the error says how to get it, and the example ends here.
//!     Err(error @ OpenError::NotPermitted { .. }) => {
//!         assert!(error.to_string().contains("CAP_NET_RAW"));
//!         return Ok(());
//!     }
//!     other => other?,
//! };
//! socket.send_to(b"hello", Ipv4Addr::LOCALHOST.into())?;
//!
//! let mut buffer = [0; 2048];
//! let packet = socket.recv_from_timeout(&mut buffer, Duration::from_secs(30))?;
//! let packet = packet.ok_or("nothing came")?;
//! assert_eq!(packet.payload(), b"hello");
//! assert_eq!(packet.source(), Ipv4Addr::LOCALHOST);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every IPv4 packet on every interface, up to 64 in one call:
//!
//! ```
//! use sockets_raw::{LinkAddress, OpenError, PacketConfig, PacketSocket, ReceiveBatch, Source};
//!
//! let config = PacketConfig::new().protocol(LinkAddress::IPV4).timestamps(true);
//! let socket = match PacketSocket::open(&config) {
//!     Err(OpenError::NotPermitted { .. }) => return Ok(()),
//!     other => other?,
//! };
//! let mut batch = ReceiveBatch::new(64, 2048);
//! socket.receive(&mut batch)?;
//! for packet in &batch {
//!     let Source::Link(source) = packet.source else { continue };
//!     println!("{} bytes, {}", packet.length, source.address);
//! }
//! println!("{} dropped", socket.statistics()?.dropped);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod echo;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod interface;
#[cfg(target_os = "linux")]
mod into_io;
#[cfg(target_os = "linux")]
mod neighbour;
#[cfg(target_os = "linux")]
mod open_error;
#[cfg(target_os = "linux")]
mod packet;
mod pcap;
#[cfg(target_os = "linux")]
mod privilege;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod route;
#[cfg(target_os = "linux")]
mod rtnetlink;
#[cfg(target_os = "linux")]
mod sniffer;
pub mod wire;

/// Ports and ranges of ports as values.
pub use ports_core;

#[cfg(target_os = "linux")]
pub use echo::{
    EchoAnswer, EchoEvent, EchoMethod, EchoOpenError, EchoReceiveError, EchoSendError, EchoSocket,
    PingConfig, PingOutcome, PingResult, ping,
};
#[cfg(target_os = "linux")]
pub use filter::{
    Filter, FilterBuilder, FilterError, FilterProtocol, PacketEnd, Program, ProgramError,
};
#[cfg(target_os = "linux")]
pub use interface::{Interface, InterfaceAddress, InterfaceError, InterfaceKind};
#[cfg(target_os = "linux")]
pub use neighbour::{Neighbour, NeighbourState, Neighbours};
#[cfg(target_os = "linux")]
pub use open_error::{OpenError, OpenStep};
#[cfg(target_os = "linux")]
pub use packet::{PacketConfig, PacketRing, PacketSocket};
#[cfg(target_os = "linux")]
pub use pcap::{COOKED_HEADER, cooked_header};
pub use pcap::{LinkType, MAX_PCAP_RECORD, PcapError, PcapPacket, PcapReader, PcapWriter};
#[cfg(target_os = "linux")]
pub use privilege::{Capability, Grant, Privilege};
#[cfg(target_os = "linux")]
pub use raw::{RawConfig, RawPacket, RawSocket, ReceiveError, SendError, split_ipv4};
#[cfg(target_os = "linux")]
pub use route::{Route, RouteError, RouteKind, RouteTable};
#[cfg(target_os = "linux")]
pub use rtnetlink::QueryError;
#[cfg(target_os = "linux")]
pub use sniffer::{SniffError, SniffedPacket, Sniffer, SnifferBuilder, SnifferStop};
#[cfg(target_os = "linux")]
pub use sockets_sys::{
    Destination, FilterInstruction, LinkAddress, LinkSource, PacketLevel, PacketStatistics,
    PacketType, PushError, ReceiveBatch, ReceiveBatchIter, Received, RingBlock, RingBlockIter,
    SendBatch, Source,
};

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
