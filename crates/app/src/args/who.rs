//! Arguments of `ports who`.

use super::{HeldPorts, OutputArgs};

/// Arguments of `ports who`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports who 8080\n\
    \x20 ports who 80 443 :8080\n\
    \x20 ports who 53/udp --format jsonl\n\
    \n\
    Exit code: 0 somebody holds it, or one of them; 1 nobody does. Processes of other users are seen by \
    root only; whose the socket is, everybody may see.")]
pub(crate) struct WhoArgs {
    /// The ports, or names of services, in TCP and UDP (8080, :8080, https) or in one of them (8080/tcp,
    /// domain/udp)
    #[arg(required = true, value_name = "PORT[/TRANSPORT]")]
    pub(crate) ports: Vec<HeldPorts>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
