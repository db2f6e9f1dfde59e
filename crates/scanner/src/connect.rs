//! The connect prober: TCP's own handshake, which needs no privilege.

mod driver;
mod error_queue;
mod neighbours;
mod outcome;
mod own;
mod socket;

pub(crate) use driver::{ConnectDriver, DriverConfig, WorkSource};
pub(crate) use own::OwnSockets;
