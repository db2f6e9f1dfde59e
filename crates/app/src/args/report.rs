//! What a command that moves bytes tells besides: events, statistics, metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Of every command that moves bytes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ReportArgs {
    /// Write events as JSON lines to FILE; - is standard output, where that carries no data
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<EventTarget>,
    /// Print statistics to standard error at the end
    #[arg(long)]
    pub(crate) stats: bool,
}

/// Of those that serve.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct MetricsArgs {
    /// Serve statistics for Prometheus, /metrics over HTTP at ADDR, a loopback address
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub(crate) metrics: Option<SocketAddr>,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventTarget {
    StandardOutput,
    File(PathBuf),
}

impl FromStr for EventTarget {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::StandardOutput } else { Self::File(text.into()) })
    }
}

/// An address that only this machine reaches: whoever reads the statistics is not asked who it is.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected IP:PORT, such as 127.0.0.1:9100".to_owned())?;
    if address.ip().to_canonical().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address: anybody on the network could read them".to_owned())
    }
}
