//! The sockets of the whole machine: which there are, in which state, and who holds them. Feature
//! `system`.
//!
//! - [`SystemSockets::snapshot`] answers a [`Query`] with a [`Snapshot`] of [`SocketRow`]s: TCP, UDP,
//!   raw and UNIX sockets, with their processes, cgroups and `TCP_INFO` where these are asked for.
//! - [`SystemSockets::who`]: who holds a port, and why that runs.
//! - [`SystemSockets::bind_facts`]: why a port cannot be bound.
//! - [`OtherNetworks`]: whether there are sockets that are not seen from this network namespace.
//! - [`SystemSockets::snapshot_after`], [`Snapshot::changes_since`], [`SocketWatch`], [`Endings`]: what
//!   happens to the sockets.
//!
//! Sockets come from the kernel by netlink (`sock_diag(7)`), or from `/proc/net` where that is not
//! to be had; the processes come from `/proc/PID/fd`. Everybody may see all sockets of their network
//! namespace. The processes of other users are seen with root only: a socket of theirs is shown with
//! its user, and [`Coverage`] says how many processes were hidden.
//!
//! Linux only: elsewhere every function that reads says [`SnapshotError::Unsupported`].
//!
//! # Who listens on this machine
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use std::net::TcpListener;
//! use stats::system::{Query, StateSet, SystemSockets};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//!
//! let query = Query::tcp().states(StateSet::LISTENING).processes(true);
//! let snapshot = SystemSockets::new().snapshot(&query)?;
//! let ours = snapshot
//!     .iter()
//!     .find(|row| row.local_addr() == listener.local_addr().ok())
//!     .ok_or("not found")?;
//! assert_eq!(ours.state().to_string(), "LISTEN");
//! let holding = ours.holdings().next().ok_or("held by nobody")?;
//! assert_eq!(holding.process.pid(), std::process::id());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why a port cannot be bound
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use std::net::TcpListener;
//! use ports_core::Transport;
//! use stats::system::{BindFinding, SystemSockets};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//!
//! let mut sockets = SystemSockets::new();
//! let findings = sockets.bind_facts(Transport::Tcp, address)?.findings();
//! let Some(BindFinding::Held(holder)) = findings.first() else { return Err("free".into()) };
//! assert_eq!(holder.processes[0].pid, std::process::id());
//!
//! let who = sockets.who(Transport::Tcp, address.port().into())?;
//! let process = who.process(std::process::id()).ok_or("not ours")?;
//! assert_eq!(process.program, std::env::current_exe().ok());
//! assert_eq!(process.parents[0].pid, std::os::unix::process::parent_id());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "there is nothing yet that fills it")
)]

mod address;
mod bind;
mod cgroup;
mod changes;
mod details;
mod endings;
mod error;
#[cfg(test)]
mod lone_listener;
mod networks;
mod number_map;
mod process;
mod protocol;
mod query;
mod row;
mod snapshot;
mod sockets;
#[cfg(test)]
mod starting;
mod state;
mod users;
mod watch;
mod who;
mod workload;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as backend;
#[cfg(target_os = "linux")]
use linux as backend;

pub use address::{Address, UnixAddress};
pub use bind::{BindFacts, BindFinding, Blocks, PortProcess, PortRules, PortSocket};
pub use changes::Change;
pub use details::{Details, SocketMemory, TcpDetails, Traffic};
pub use endings::{EndedSocket, Endings, EndingsError};
pub use error::SnapshotError;
pub use networks::OtherNetworks;
pub use process::{Holding, Parent, Process, ProcessDetails};
pub use protocol::{ParseProtocolError, Protocol};
pub use query::{Query, Source};
pub use row::{SocketRow, Timer};
pub use snapshot::{Coverage, NoProcess, ProcessCoverage, Rows, Snapshot};
pub use sockets::SystemSockets;
pub use state::{ParseStateError, State, StateSet};
pub use users::UserNames;
pub use watch::{
    ProcessRecord, SocketEvent, SocketEventKind, SocketEvents, SocketRecord, SocketWatch,
    WatchError,
};
pub use who::Who;
pub use workload::{Workload, WorkloadKind};
