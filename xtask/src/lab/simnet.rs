//! A simulated network: `xtask simnet`, run inside the namespace that is to see it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use simnet::{Network, Simulation, TunDevice};

use super::attendant;

/// Arguments of the hidden `xtask simnet`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of the TUN device to make.
    device: String,
    /// The network, in TOML.
    file: PathBuf,
}

/// What it says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) device: String,
}

/// Makes the device and runs the network on it until standard input ends; then says what it did.
///
/// # Errors
///
/// Where the file describes no network, or the device cannot be made.
pub(crate) fn run(args: &Args) -> Result<()> {
    let file = args.file.display();
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {file}"))?;
    let network = Network::from_toml(&text).with_context(|| format!("{file} is no network"))?;
    let device = TunDevice::open(&args.device)
        .with_context(|| format!("cannot make the TUN device {}", args.device))?;
    let ready = Ready { device: device.name().to_owned() };
    let simulation = Simulation::start(network, device)?;
    attendant::serve(&ready)?;
    attendant::say(&simulation.stop()?)
}
