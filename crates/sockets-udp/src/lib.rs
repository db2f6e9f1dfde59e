//! A UDP socket on tokio: unicast, broadcast and multicast, IPv4 and IPv6.
//!
//! A datagram is bytes and comes whole or not at all: it is never cut in silence, and an empty one
//! is data. The socket claims its port in a [`PortRegistry`](ports_core::PortRegistry), counts in
//! [`SocketStats`](stats::SocketStats), and tells what happens as [`Event`]s over a bounded channel.
//! What the kernel drops because nobody received in time is counted, too. Each datagram tells the
//! address and the interface it came to, and [`send_back`](UdpSocket::send_back) answers from there.
//! That nobody listens at a peer is told to a socket that is [connected](UdpSocketBuilder::connect) to it, or
//! was opened with [`peer_errors`](UdpSocketBuilder::peer_errors).
//!
//! What its signatures are made of comes with it: [`bytes`], [`ports_core`], [`stats`], [`tokio_util`].
//!
//! Not for streams of bytes (that is TCP), not for raw packets, and nothing is made reliable here:
//! what the network loses is lost. Linux only, as it stands: it relies on the kernel telling a
//! datagram's true length and its own drops.
//!
//! # Two sockets
//!
//! ```
//! use sockets_udp::UdpSocket;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let here = UdpSocket::builder().bind("127.0.0.1:0".parse()?).open()?;
//! let there = UdpSocket::builder().bind("127.0.0.1:0".parse()?).open()?;
//!
//! here.send_to(b"\xffnot text", there.local_addr()).await?;
//! let datagram = there.recv().await?;
//! assert_eq!(datagram.data, &b"\xffnot text"[..]);
//! assert_eq!(datagram.source, here.local_addr());
//! # Ok(())
//! # }
//! ```
//!
//! # Many datagrams at once
//!
//! [`send_bulk`](UdpSocket::send_bulk) to one peer and [`recv_many`](UdpSocket::recv_many) cost a
//! fraction of a system call for each datagram, [`send_to_each`](UdpSocket::send_to_each) and
//! [`send_many`](UdpSocket::send_many) less than one.
//!
//! ```
//! use sockets_udp::{RecvBatch, UdpSocket};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let here = UdpSocket::builder().bind("127.0.0.1:0".parse()?).open()?;
//! let there = UdpSocket::builder().bind("127.0.0.1:0".parse()?).gro(true).open()?;
//!
//! let sent = here.send_bulk(there.local_addr(), &[7; 10_000], 1200).await;
//! assert!(sent.is_complete());
//! assert_eq!((sent.datagrams, sent.bytes), (9, 10_000));
//!
//! let mut batch = RecvBatch::new(16, RecvBatch::WHOLE);
//! let (mut datagrams, mut bytes) = (0, 0);
//! while datagrams < sent.datagrams {
//!     datagrams += there.recv_many(&mut batch).await?;
//!     bytes += batch.iter().map(|datagram| datagram.data.len()).sum::<usize>();
//! }
//! assert_eq!(bytes, 10_000);
//! assert_eq!(there.kernel_drops(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # An echo service, claimed and counted
//!
//! ```
//! use ports_core::{PortRegistry, Transport};
//! use sockets_udp::{Echo, UdpSocket};
//! use stats::SocketStats;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (registry, stats) = (PortRegistry::new(), SocketStats::new());
//! let server = UdpSocket::builder()
//!     .bind("[::1]:0".parse()?)
//!     .registry(registry.clone())
//!     .owner("udp echo")
//!     .stats(stats.clone())
//!     .open()?;
//! let address = server.local_addr();
//! assert!(!registry.is_available(Transport::Udp, address, address.port()));
//!
//! let service = server.clone();
//! let serving = tokio::spawn(async move { service.serve(Echo::new().prefix("Echo: ")).await });
//!
//! let client = UdpSocket::builder().bind("[::1]:0".parse()?).open()?;
//! client.send_to(b"hello", address).await?;
//! assert_eq!(client.recv().await?.data, "Echo: hello");
//!
//! server.close();
//! assert_eq!(serving.await??.answered, 1);
//! assert!(registry.is_available(Transport::Udp, address, address.port()));
//! let counted = stats.snapshot().transport(Transport::Udp);
//! assert_eq!((counted.bytes_received, counted.bytes_sent, counted.closed), (5, 11, 1));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("sockets-udp is for Linux only, as it stands");

mod account;
mod arrival;
mod batch;
mod bind;
mod broadcast;
mod builder;
mod bulk;
mod connection;
mod datagram;
mod error_queue;
mod event;
mod incoming;
mod interface;
mod into_io;
mod many;
mod membership;
mod mtu;
mod multicast;
mod multicast_route;
mod multicast_source;
mod open_socket;
mod outgoing;
mod path;
mod registered;
mod rejoin;
mod return_path;
mod segmentation;
mod segments;
mod send;
mod service;
mod socket;
mod std_socket;
mod transfer;
mod waiters;

/// The data of datagrams are `Bytes`.
pub use bytes;
/// Addresses, sockets and the port registry as values.
pub use ports_core;
/// What sockets count in.
pub use stats;
/// The token that ends a service.
pub use tokio_util;

pub use batch::{BorrowedDatagram, RecvBatch, RecvBatchIter};
pub use bind::BindError;
pub use broadcast::{BroadcastError, BroadcastReport, InterfaceBroadcast};
pub use builder::UdpSocketBuilder;
pub use bulk::BulkReport;
pub use datagram::{Datagram, Received, RecvError};
pub use event::{Event, Events, NoEvent, Operation};
pub use interface::{Interface, InterfaceError};
pub use membership::{JoinError, LeaveError, Membership, MembershipReport};
pub use path::is_broadcast;
pub use return_path::ReturnPath;
pub use segmentation::SegmentationOffload;
pub use send::{FailedSend, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Outgoing, SendError, SendReport};
pub use service::{DRAIN_GRACE, DRAIN_LIMIT, Discard, Echo, ServeError, ServeReport, Service};
pub use socket::UdpSocket;

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
