//! A port scanner that tells the truth: which ports of which hosts are open, closed or filtered,
//! why it says so, and what it could not ask.
//!
//! A scan is a [`ScanPlan`] (an index space over targets and ports), worked on by an [`Engine`] (a
//! state machine without sockets or clock) that a prober drives. There are three ([`Method`]): one
//! connects, which needs no privilege; one sends the first packet of each handshake past the kernel's
//! TCP (Linux, the feature `raw`, `CAP_NET_RAW`: see [`syn_permitted`]); one asks over UDP in the
//! protocols of the ports' services. A scan blocks the calling thread; from async code, use a blocking
//! task. Its events are written by [`report`]; two saved scans are compared by [`Comparison`]. Linux only,
//! as it stands.
//!
//! It is not for finding out what runs behind a port, and not for hosts that you may not scan.
//!
//! One port:
//!
//! ```
//! use std::net::{Ipv4Addr, TcpListener};
//! use std::time::Duration;
//! use scanner::{PortState, Reason, scan_port};
//!
//! let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
//! let (address, port) = (listener.local_addr()?.ip(), listener.local_addr()?.port());
//! let report = scan_port(address, port.into(), Duration::from_secs(1))?;
//! assert_eq!((report.state(), report.reason), (PortState::Open, Reason::SynAck));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A scan with its events:
//!
//! ```
//! use scanner::{Scan, ScanEvent};
//!
//! let scan = Scan::builder()
//!     .resolve(&["127.0.0.1".parse()?], None)?
//!     .ports(&"1-1024".parse()?)
//!     .build()?;
//! let summary = scan.run(|event| {
//!     if let ScanEvent::Port(report) = event {
//!         println!("{} {}: {}", report.address, report.port, report.state());
//!     }
//! })?;
//! assert_eq!(summary.tally.probes, 1024);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("scanner is for Linux only, as it stands");

mod block;
mod comparison;
mod connect;
mod digest;
mod engine;
mod event;
mod icmp_reply;
mod interval_set;
mod links;
mod permutation;
mod plan;
mod prober;
mod progress;
#[cfg(all(feature = "raw", target_os = "linux"))]
mod raw;
mod record;
pub mod report;
mod resolve;
pub mod resume;
mod scan;
mod state;
mod target;
mod text_serde;
mod udp;

/// Ports, sets of ports and transports as values.
pub use ports_core;

pub use block::{Blocks, MAX_BLOCK_LEN, ParseShardError, Shard};
pub use comparison::{ChangeCounts, ChangeKind, Comparison, HostChange, PortChange, ScanChange};
pub use engine::{Engine, EngineConfig, EngineEvent, LocalError, Probe, ProbeId, Reply, Silence};
pub use event::{HostReport, Method, ScanEvent, ScanInfo, ScanSummary};
pub use links::{link_broadcasts, own_addresses};
pub use plan::{DEFAULT_GROUP_HOSTS, PlanError, ScanPlan};
pub use progress::ScanHandle;
pub use record::{ReadRecordError, ScanRecord, SeenStates};
pub use resolve::{Resolution, ResolveError, ResolvedTargets, resolve, resolve_excluded};
pub use resume::{ResumeError, Resumed};
pub use scan::{
    Scan, ScanBuilder, ScanError, scan_port, scan_range, scan_well_known, syn_permitted,
};
pub use state::{PortReport, PortState, Reason, Tally};
pub use target::{
    AddressSet, Family, ParseAddressSetError, ParseTargetError, ReadTargetsError, TargetList,
    TargetSpec, TooManyTargets,
};

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
