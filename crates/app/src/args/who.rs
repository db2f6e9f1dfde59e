//! Arguments of `ports who`.

use super::{HeldPorts, OutputArgs};

/// Arguments of `ports who`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports who 8080\n\
    \x20 ports who 53/udp --format jsonl\n\
    \n\
    Exit code: 0 somebody holds it; 1 nobody does. Processes of other users are seen by \
    root only; whose the socket is, everybody may see.")]
pub(crate) struct WhoArgs {
    /// The port, or the name of its service, in TCP and UDP (8080, https) or in one of them (8080/tcp,
    /// domain/udp)
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPorts,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
