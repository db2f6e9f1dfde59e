//! Arguments of TLS, the same for every command that opens connections.

use std::path::PathBuf;

/// Certificates, and whom to believe.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TlsArgs {
    /// The certificate of this side and its chain, in PEM; a listener on tls:// needs it
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "TLS")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert, in PEM
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS")]
    pub(crate) key: Option<PathBuf>,
    /// Believe only the authorities in this PEM file, instead of the system's; a listener then
    /// asks its clients for a certificate
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) ca: Option<PathBuf>,
    /// Believe whoever answers: the connection is encrypted, but with nobody known
    #[arg(long, conflicts_with = "ca", help_heading = "TLS")]
    pub(crate) insecure: bool,
    /// Ask for the certificate of NAME instead of the target's host
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    pub(crate) server_name: Option<String>,
}

impl TlsArgs {
    /// The first option that was given, as the user wrote it.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            ("--cert", self.cert.is_some()),
            ("--ca", self.ca.is_some()),
            ("--insecure", self.insecure),
            ("--server-name", self.server_name.is_some()),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }

    /// Those that only say whom to believe of those who are connected to: the first that was given.
    pub(crate) fn given_for_target(&self) -> Option<&'static str> {
        [("--insecure", self.insecure), ("--server-name", self.server_name.is_some())]
            .into_iter()
            .find_map(|(option, given)| given.then_some(option))
    }
}
