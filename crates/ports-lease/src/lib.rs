//! Leases on ports: what one process holds, no other gets, and what its holder leaves is free.
//!
//! Whoever asks the kernel for a free port, closes the socket and hands the number to a program has
//! handed out a port that anybody may take meanwhile, and that a second asker may get as well. A
//! lease closes that gap between all who lease:
//!
//! - [`lease`] finds a port, or a run of neighbouring ones, and holds its number for a program that
//!   will bind it; [`bind`] does the same and binds it at once.
//! - The lock is an abstract UNIX socket (unix(7)), `@ports-lease/tcp/PORT`. The kernel lets it go
//!   with the last descriptor, however the holder ends. It has the scope that ports have, the
//!   network namespace, it is shared by all users, and it leaves no file. That is Linux; for others
//!   see below.
//! - A port is handed out only if it can be bound without `SO_REUSEADDR`, and lies outside the range
//!   that the kernel takes ports of outgoing connections from (see [`Request::within`]).
//! - [`leases`] lists who holds what, [`squatters`] who holds a lock without a lease.
//! - [`Lease::tell`] tells a program that is started its ports; `Lease::pass_to` and `Lease::exec` let
//!   it hold them.
//!
//! What it is not for: a program that does not lease is not kept away. It may bind a leased number
//! before the program that it is meant for; only a bound socket holds a port against everybody. A
//! server that may listen at any port needs no lease: it binds port 0. Nor is it a defence: a user who
//! means harm may hold the names of all locks, as he may bind all ports; errors say who does.
//!
//! # Examples
//!
//! A port for a test, until the end of the scope:
//!
//! ```
//! let port = ports_lease::test_port();
//! let server = std::net::TcpListener::bind(("127.0.0.1", port.number()))?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The port that a name tends to get, for a program that is told it in its environment:
//!
//! ```
//! use std::process::Command;
//! use ports_lease::{Request, lease};
//!
//! let web = lease(&Request::tcp().name("web"))?;
//! let mut server = Command::new("sh");
//! server.args(["-c", "test $PORT -gt 1023"]);
//! web.tell(&mut server);
//! assert!(server.status()?.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two listeners at neighbouring ports:
//!
//! ```
//! use ports_lease::{Request, bind};
//!
//! let leased = bind(&Request::tcp().loopback().count(2))?;
//! let ports: Vec<u16> = leased.lease().ports().map(|port| port.number()).collect();
//! assert_eq!(ports[0] + 1, ports[1]);
//! assert!(leased.listeners().len() >= 2); // at 127.0.0.1 and, where there is IPv6, at ::1
//! # Ok::<(), ports_lease::LeaseError>(())
//! ```
//!
//! # From async code
//!
//! A lease takes some tens of microseconds and waits for nobody: call it as it is. (Only while another
//! thread starts a program that copied the socket that tried a port, is that waited for, 100 ms at
//! most; then another port is taken; the same goes for a lock file that somebody is just looking at.)
//! Only where nearly
//! every port of a wide range is taken does it take long, for it then tries them all (some 100 ms for
//! all 65,535); the feature `tokio` has `lease_on_pool` and `bind_on_pool` for that, and turns the
//! sockets into tokio's.
//!
//! # Elsewhere than on Linux
//!
//! There the lock is a file that is locked (flock(2), `LockFileEx`), in a directory of the user:
//! `~/.local/state/ports-lease`, on macOS `~/Library/Application Support/ports-lease`, on Windows
//! `AppData\Local\ports-lease` in the profile, or another one
//! ([`Request::lock_directory`], also on Linux). It too is let go however the holder ends. But
//!
//! - it keeps away this user's leases only, since those of others are in other directories. Containers
//!   with a home directory of their own have leases of their own, and those that share it share the
//!   leases, be their networks two;
//! - nothing may be removed from the directory while a lease is held. Its files, three for each port
//!   and transport that was ever leased, stay there; a lease takes two descriptors for each;
//! - a lease ends with the process: there is no `pass_to` and no `exec`. A program that is started in
//!   between may hold a copy of the lock until it runs, as on Linux; on Windows it gets none;
//! - of a holder only its number is known, and of who uses a port without leasing it nothing;
//! - which ports the kernel hands out by itself is not read, but taken as it usually is
//!   ([`KernelPorts`]).
//!
//! Locks by files are tested on Linux; for macOS and Windows the crate is checked to build, and was not
//! run.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod acquire;
mod bound;
mod copies;
mod error;
mod exec;
mod for_tests;
mod into_io;
mod kernel_ports;
mod lease;
mod lock;
mod place;
mod pool;
mod port_user;
mod preference;
mod process;
mod protocols;
mod record;
mod registry;
mod request;
mod search;
#[cfg(feature = "tokio")]
mod tokio_sockets;
mod user;

/// Ports, ranges and transports as values.
pub use ports_core;

pub use acquire::{bind, lease};
pub use bound::BoundLease;
pub use error::{KernelPortsError, LeaseError, ListError};
#[cfg(target_os = "linux")]
pub use exec::ExecError;
pub use for_tests::{free_tcp_listener, free_udp_socket, test_port};
pub use kernel_ports::KernelPorts;
pub use lease::{Lease, PassedOver, PassedOverReason};
pub use port_user::PortUser;
pub use process::HolderProcess;
pub use record::{LeaseLabel, LeaseRecord, leases, leases_in, squatters};
pub use request::{Family, Request};
#[cfg(feature = "tokio")]
pub use tokio_sockets::{PoolError, bind_on_pool, lease_on_pool};

/// The guide's Rust, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/leasing.md")]
struct Guide;

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
