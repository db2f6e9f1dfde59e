//! Limits of a listener, the same for every command that serves connections.

use std::time::Duration;

use sockets_tcp::{Handler, Keepalive, TcpServerBuilder};

use super::duration::positive_duration;

/// How long a UDP client may be silent before it is forgotten (RFC 4787 section 4.3: a mapping lasts
/// at least two minutes).
const SILENCE: Duration = Duration::from_mins(2);

/// How many clients a listener serves, and how long it is patient with them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LimitArgs {
    /// Serve at most N clients at once; more wait
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: Option<u32>,
    /// Serve at most N clients of one address at once; more are refused
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections_per_address: Option<u32>,
    /// Close connections on which nothing moves for this long
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Close connections that send nothing at all for this long
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Ask whether a peer that was silent for this long is still there, and then every 10 s; what
    /// does not answer 6 times is gone
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) keepalive: Option<Duration>,
}

impl LimitArgs {
    /// Those that only TCP knows: the first that was given, as the user wrote it.
    pub(crate) fn given_for_tcp(&self) -> Option<&'static str> {
        [
            ("--max-connections-per-address", self.max_connections_per_address.is_some()),
            ("--first-byte-timeout", self.first_byte_timeout.is_some()),
            ("--keepalive", self.keepalive.is_some()),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }

    /// `--max-connections` as a number of things in memory.
    pub(crate) fn most_clients(&self) -> Option<usize> {
        self.max_connections.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// `--idle-timeout` of UDP clients.
    pub(crate) fn silence(&self) -> Duration {
        self.idle_timeout.unwrap_or(SILENCE)
    }

    /// What was given, to a server.
    pub(crate) fn apply<H: Handler>(
        &self,
        mut builder: TcpServerBuilder<H>,
    ) -> TcpServerBuilder<H> {
        if let Some(most) = self.most_clients() {
            builder = builder.max_connections(most);
        }
        if let Some(most) = self.max_connections_per_address {
            builder =
                builder.max_connections_per_address(usize::try_from(most).unwrap_or(usize::MAX));
        }
        if let Some(timeout) = self.idle_timeout {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(timeout) = self.first_byte_timeout {
            builder = builder.first_byte_timeout(timeout);
        }
        if let Some(idle) = self.keepalive {
            builder = builder.keepalive(Keepalive::new().idle(idle));
        }
        builder
    }
}
