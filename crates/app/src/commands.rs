//! One file per command.

pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod conversation;
pub(crate) mod demo;
pub(crate) mod diff;
#[cfg(target_os = "linux")]
pub(crate) mod doctor;
pub(crate) mod forward;
#[cfg(target_os = "linux")]
pub(crate) mod free;
#[cfg(target_os = "linux")]
mod interfaces;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
pub(crate) mod kill;
#[cfg(target_os = "linux")]
pub(crate) mod lease;
#[cfg(target_os = "linux")]
pub(crate) mod leases;
pub(crate) mod listen;
pub(crate) mod lookup;
#[cfg(target_os = "linux")]
pub(crate) mod ls;
pub(crate) mod man;
mod metrics;
pub(crate) mod scan;
#[cfg(target_os = "linux")]
pub(crate) mod sniff;
mod tls;
#[cfg(target_os = "linux")]
pub(crate) mod watch;
#[cfg(target_os = "linux")]
pub(crate) mod who;
