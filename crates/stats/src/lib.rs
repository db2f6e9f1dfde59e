//! Statistics of this process's sockets: what is open, what went in and out, what failed, how long
//! it took, and the latest connects and disconnects.
//!
//! [`SocketStats`] gives each socket a [`Recorder`] of its own. A transfer costs a few nanoseconds,
//! because nobody else writes to the recorder's counters: nothing is locked, nothing allocated. A
//! [`Snapshot`] sums them up; it can be printed, serialized, subtracted from a later one, and given
//! to Prometheus (the feature `prometheus`, on by default).
//!
//! Not a packet counter: it knows what the code that owns the sockets tells it. The sockets of the
//! whole machine, other processes' too, are read by the module `system`, behind the feature of that
//! name.
//!
//! # Counting what a connection does
//!
//! ```
//! use ports_core::{FiveTuple, Transport};
//! use stats::{CloseReason, Role, SocketStats};
//!
//! let stats = SocketStats::new();
//! let local = "127.0.0.1:80".parse()?;
//! let remote = "127.0.0.1:50000".parse()?;
//! let tuple = FiveTuple::new(Transport::Tcp, local, remote);
//!
//! let mut socket = stats.open(Transport::Tcp, Role::Server, tuple);
//! socket.received(18);
//! socket.sent(24);
//! assert_eq!(stats.snapshot().counters(Transport::Tcp, Role::Server).active, 1);
//! socket.close(CloseReason::PeerClosed);
//!
//! let totals = stats.snapshot().totals();
//! assert_eq!((totals.active, totals.closed), (0, 1));
//! assert_eq!((totals.bytes_received, totals.bytes_sent), (18, 24));
//!
//! let mut text = String::new();
//! stats.print_history(10, &mut text)?;
//! assert!(text.contains("TCP DISCONNECT server 127.0.0.1:80 <-> 127.0.0.1:50000 (peer-closed, 18 B in, 24 B out"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One task reads, one writes, one watches
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use ports_core::Transport;
//! use stats::{CloseReason, Role, SocketStats};
//!
//! let stats = SocketStats::new();
//! let before = stats.snapshot();
//!
//! let local: SocketAddr = "127.0.0.1:53".parse()?;
//! let mut socket = stats.open(Transport::Udp, Role::Peer, local);
//! let (mut inbound, mut outbound) = socket.split();
//! std::thread::scope(|scope| {
//!     scope.spawn(move || inbound.received(512));
//!     scope.spawn(move || outbound.sent(48));
//! });
//! socket.close(CloseReason::Local);
//!
//! let after = stats.snapshot();
//! let added = after.delta(&before)?.transport(Transport::Udp);
//! assert_eq!((added.bytes_received, added.messages_sent), (512, 1));
//! # #[cfg(feature = "prometheus")]
//! assert!(stats::prometheus_text(&after).ends_with("# EOF\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod block;
mod close_reason;
mod counters;
mod distribution;
mod ends;
mod error_kind;
mod history;
mod print;
#[cfg(feature = "prometheus")]
mod prometheus;
mod recorder;
mod role;
mod shared;
mod snapshot;
mod socket_stats;
#[cfg(feature = "system")]
pub mod system;
mod timestamp;
mod timing;

/// Transports, addresses and ports as values.
pub use ports_core;

pub use close_reason::CloseReason;
pub use counters::Counters;
pub use distribution::Distribution;
pub use ends::Ends;
pub use error_kind::{ErrorCounts, ErrorKind};
pub use history::{Action, Entry, History};
#[cfg(feature = "prometheus")]
pub use prometheus::{PROMETHEUS_CONTENT_TYPE, prometheus_text};
pub use recorder::{Inbound, Outbound, Recorder};
pub use role::Role;
pub use snapshot::{DeltaError, Group, Snapshot};
pub use socket_stats::{SocketStats, SocketStatsBuilder};

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
