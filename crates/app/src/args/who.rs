//! Arguments of `ports who`, and a port of this machine as it is named there.

use std::fmt;
use std::str::FromStr;

use ports_core::{Port, Transport};

use super::OutputArgs;

/// Arguments of `ports who`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports who 8080\n\
    \x20 ports who 53/udp --format jsonl\n\
    \n\
    Exit code: 0 somebody holds it; 1 nobody does. Processes of other users are seen by \
    root only; whose the socket is, everybody may see.")]
pub(crate) struct WhoArgs {
    /// The port, in TCP and UDP (8080) or in one of them (8080/tcp, 53/udp)
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPort,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A port of this machine, in one transport or in both that have sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldPort {
    pub(crate) port: Port,
    pub(crate) transport: Option<Transport>,
}

impl HeldPort {
    /// The transports that are meant.
    pub(crate) fn transports(self) -> &'static [Transport] {
        match self.transport {
            Some(Transport::Tcp) => &[Transport::Tcp],
            Some(Transport::Udp) => &[Transport::Udp],
            _ => &[Transport::Tcp, Transport::Udp],
        }
    }
}

/// `tcp port 80`, `port 80`
impl fmt::Display for HeldPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{transport} ")?;
        }
        write!(f, "port {}", self.port)
    }
}

impl FromStr for HeldPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (port, transport) = match text.split_once('/') {
            None => (text, None),
            Some((port, transport)) => {
                let transport: Transport = transport.parse().map_err(|error| format!("{error}"))?;
                if !matches!(transport, Transport::Tcp | Transport::Udp) {
                    return Err(format!(
                        "the holders of {transport} ports are not known: tcp or udp"
                    ));
                }
                (port, Some(transport))
            }
        };
        let port: Port = port.parse().map_err(|error| format!("{error}"))?;
        if port == Port::ANY {
            return Err("port 0 is nobody's".to_owned());
        }
        Ok(Self { port, transport })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_one_transport_or_both() {
        let port: HeldPort = "8080".parse().unwrap();
        assert_eq!(port.transports(), [Transport::Tcp, Transport::Udp]);
        let port: HeldPort = "53/UDP".parse().unwrap();
        assert_eq!(
            (port.transports(), port.to_string()),
            (&[Transport::Udp][..], "udp port 53".into())
        );
        for text in ["", "0", "80/", "80/sctp", "80/x", "65536", "x"] {
            assert!(text.parse::<HeldPort>().is_err(), "{text}");
        }
    }
}
