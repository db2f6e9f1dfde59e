//! A simulated network for tests and benches of scanners: thousands of hosts that answer, refuse,
//! keep silent or are told unreachable, over paths with delay, loss, reordering and duplicates,
//! behind rate limits.
//!
//! - [`Network`] is the model: packets in, answers out, each at its time. It has a seed and neither
//!   clock nor socket: the same packets at the same times give the same answers.
//! - [`Simulation`] runs a network on a TUN device, so that any program can scan it.
//! - [`Network::behaviour`] is the truth that a scan is measured against.
//!
//! It answers SYN (and what a `connect` sends after it), UDP and ICMP echo, over IPv4 and IPv6. A
//! packet with a wrong checksum is dropped and counted, as a host would.
//!
//! What it is not for: hosts keep no connections, so no service can be talked to; fragments and IP
//! options mean nothing here; nothing models congestion, so a path takes any rate.
//!
//! # Examples
//!
//! The model alone, at virtual time:
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use etherparse::PacketBuilder;
//! use simnet::{HostRule, Network, Path, PortRule};
//!
//! let mut network = Network::builder()
//!     .seed(7)
//!     .hosts(
//!         HostRule::new("10.80.0.0/20".parse()?)
//!             .tcp(PortRule::new().open("22,80".parse()?))
//!             .path(Path::PERFECT.delay(Duration::from_millis(25))),
//!     )
//!     .build()?;
//!
//! let mut syn = Vec::new();
//! PacketBuilder::ipv4([10, 79, 0, 1], [10, 80, 3, 4], 64)
//!     .tcp(40_000, 22, 1, 1024)
//!     .syn()
//!     .write_to_vec(&mut syn, &[])?;
//! let now = Instant::now();
//! network.packet(now, &syn);
//!
//! let later = now + Duration::from_millis(50);
//! assert_eq!(network.poll_timeout(), Some(later));
//! assert!(network.poll_answer(now).is_none());
//! assert!(network.poll_answer(later).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! <a id="toml"></a>The same from TOML; every field but `prefix` can be left out:
//!
//! ```
//! use simnet::{Behaviour, Network, Transport};
//!
//! let network = Network::from_toml(r#"
//!     seed = 7
//!     router = "10.80.255.254"
//!
//!     [[hosts]]
//!     prefix = "10.80.0.0/20"
//!     up = 0.9
//!     down = "host-unreachable"
//!     tcp = { open = "22,80,8000-8010", open_share = 0.5, silent = "25", others = "refuse" }
//!     udp = { open = "53", silent = "123" }
//!     icmp_limit = { per_destination = { per_second = 1, burst = 6 } }
//!     path = { delay_ms = 25, jitter_ms = 5, loss = 0.02 }
//! "#)?;
//!
//! let host = "10.80.0.1".parse()?;
//! assert_eq!(network.behaviour(Transport::Tcp, host, 443), Behaviour::Refuse);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod answer;
mod behaviour;
mod builder;
mod counts;
#[cfg(target_os = "linux")]
mod device;
mod limit;
mod loss;
mod network;
mod path;
mod ports;
mod probability;
mod query;
mod random;
mod reaction;
mod rule;
mod schedule;
#[cfg(target_os = "linux")]
mod simulation;
mod tcp;

pub use behaviour::{Behaviour, Transport};
pub use builder::{BuildError, NetworkBuilder};
pub use counts::Counts;
#[cfg(target_os = "linux")]
pub use device::Device;
pub use limit::{IcmpLimit, RateLimit};
pub use loss::Loss;
pub use network::{DueAnswer, Network};
pub use path::Path;
pub use ports::{ParsePortListError, PortList};
pub use probability::{Probability, ProbabilityError};
pub use rule::{HostRule, PortRule};
#[cfg(target_os = "linux")]
pub use simulation::{RunError, Simulation, SimulationReport, StartError};
#[cfg(target_os = "linux")]
pub use sockets_sys::TunDevice;

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
