//! The open ports of a host: `xtask lab-listen`, run inside its namespace.

use std::net::{IpAddr, TcpListener};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::attendant;

/// Arguments of the hidden `xtask lab-listen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The address to listen on.
    address: IpAddr,
    /// How many ports, evenly spread over all.
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
}

/// What it says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) ports: Vec<u16>,
}

/// Listens until standard input ends. Nothing is accepted: each port's queue has room for more
/// connections than a scan makes.
///
/// # Errors
///
/// Where a port cannot be had: the namespace is the lab's own, so nothing else listens there.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut listeners = Vec::new();
    let mut ports = Vec::new();
    // From the middle of each part, so the lowest and the highest port are not always open.
    let width = u16::MAX / args.count;
    for part in 0..args.count {
        let port = part * width + width / 2 + 1;
        let address = (args.address, port);
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address:?}"))?;
        listeners.push(listener);
        ports.push(port);
    }
    ensure!(!ports.is_empty(), "no port to listen on");
    attendant::serve(&Ready { ports })
}
