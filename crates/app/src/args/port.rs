//! Ports as they are named on the command line: by number, or by the name of a service.

use std::fmt;
use std::str::FromStr;

use ports_core::{ParsePortSetError, Port, PortSet, ServiceTable, Transport};

use crate::exit::UsageError;

/// The transports whose sockets have holders that can be told.
const HELD: [Transport; 2] = [Transport::Tcp, Transport::Udp];

/// Ports as written: names and rankings stand for other ports over UDP than over TCP.
#[derive(Clone, Debug)]
pub(crate) struct PortsArg(String);

impl PortsArg {
    /// The ports that it names over `transport`.
    pub(crate) fn of(&self, transport: Transport) -> Result<PortSet, UsageError> {
        PortSet::parse(&self.0, transport).map_err(|error| UsageError(error.to_string()))
    }

    /// The ports that it names over any of `transports`.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_any(&self, transports: &[Transport]) -> Result<PortSet, UsageError> {
        any(&self.0, transports).map_err(|error| UsageError(error.to_string()))
    }
}

/// Each item over all transports that know it; one that none knows is an error.
fn any(text: &str, transports: &[Transport]) -> Result<PortSet, ParsePortSetError> {
    let mut all = PortSet::new();
    for (index, item) in text.split(',').enumerate() {
        if item.trim().is_empty() {
            return Err(ParsePortSetError::EmptyItem { position: index + 1 });
        }
        let mut refused = None;
        let mut is_known = false;
        for transport in transports {
            match PortSet::parse(item, *transport) {
                Ok(ports) => {
                    all |= &ports;
                    is_known = true;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some(error) = refused.filter(|_| !is_known) {
            return Err(error);
        }
    }
    Ok(all)
}

impl FromStr for PortsArg {
    type Err = ParsePortSetError;

    /// Fails where an item names no ports over either transport; which one it is to be is not known yet.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        any(text, &HELD)?;
        Ok(Self(text.to_owned()))
    }
}

/// A port of this machine, in one transport or in both that have sockets.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldPort {
    pub(crate) port: Port,
    pub(crate) transport: Option<Transport>,
}

#[cfg(target_os = "linux")]
impl HeldPort {
    /// The transports that are meant.
    pub(crate) fn transports(self) -> &'static [Transport] {
        match self.transport {
            Some(Transport::Tcp) => &HELD[..1],
            Some(Transport::Udp) => &HELD[1..],
            _ => &HELD,
        }
    }

    /// `80/tcp`, `80`: as the user writes it.
    pub(crate) fn as_argument(self) -> String {
        let transport = self.transport.map(|transport| format!("/{transport}"));
        format!("{}{}", self.port, transport.unwrap_or_default())
    }
}

/// `tcp port 80`, `port 80`
#[cfg(target_os = "linux")]
impl fmt::Display for HeldPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{transport} ")?;
        }
        write!(f, "port {}", self.port)
    }
}

/// A port of this machine by its number, or all those that a service's name stands for.
#[cfg(target_os = "linux")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldPorts {
    name: Option<String>,
    /// Ascending, at least one.
    ports: Vec<HeldPort>,
}

#[cfg(target_os = "linux")]
impl HeldPorts {
    /// Each port once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = HeldPort> {
        self.ports.iter().copied()
    }
}

/// `tcp port 80`, `https (port 443)`, `http-alt (ports 591,8008,8080)`
#[cfg(target_os = "linux")]
impl fmt::Display for HeldPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name} (")?;
        }
        let mut is_first = true;
        for transport in [None, Some(Transport::Tcp), Some(Transport::Udp)] {
            let of_transport = self.iter().filter(|held| held.transport == transport);
            let ports: PortSet = of_transport.map(|held| held.port).collect();
            if ports.is_empty() {
                continue;
            }
            let transport = transport.map(|transport| format!("{transport} ")).unwrap_or_default();
            let plural = if ports.len() == 1 { "" } else { "s" };
            let comma = if std::mem::take(&mut is_first) { "" } else { ", " };
            write!(f, "{comma}{transport}port{plural} {ports}")?;
        }
        f.write_str(if self.name.is_some() { ")" } else { "" })
    }
}

#[cfg(target_os = "linux")]
impl FromStr for HeldPorts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, transport) = match text.split_once('/') {
            None => (text, None),
            Some((text, transport)) => {
                let transport: Transport = transport.parse().map_err(|error| format!("{error}"))?;
                if !HELD.contains(&transport) {
                    return Err(format!(
                        "the holders of {transport} ports are not known: tcp or udp"
                    ));
                }
                (text, Some(transport))
            }
        };
        if !is_name(text) {
            let port: Port = text.parse().map_err(|error| format!("{error}"))?;
            if port == Port::ANY {
                return Err("port 0 is nobody's".to_owned());
            }
            return Ok(Self { name: None, ports: vec![HeldPort { port, transport }] });
        }
        let meant = transport.as_ref().map_or(&HELD[..], std::slice::from_ref);
        let services = ServiceTable.named(text, meant).map_err(|error| error.to_string())?;
        let mut ports: Vec<HeldPort> = Vec::new();
        for service in services {
            let (port, transport) = (service.port, Some(service.transport));
            match ports.last_mut() {
                // By port, then by transport.
                Some(last) if last.port == port => last.transport = None,
                _ => ports.push(HeldPort { port, transport }),
            }
        }
        Ok(Self { name: Some(text.to_owned()), ports })
    }
}

/// One port that can be asked for: its number, or the name of a service that has only one.
#[cfg(target_os = "linux")]
pub(super) fn certain_port(text: &str) -> Result<Port, String> {
    let port = if is_name(text) {
        let services = ServiceTable.named(text, &HELD).map_err(|error| error.to_string())?;
        let ports: PortSet = services.iter().map(|service| service.port).collect();
        if ports.len() > 1 {
            return Err(format!("`{text}` is several ports, {ports}: write the number"));
        }
        services[0].port
    } else {
        text.parse().map_err(|error| format!("{error}"))?
    };
    if port == Port::ANY {
        return Err("0 is no port: leave --port out for any that is free".to_owned());
    }
    Ok(port)
}

/// What has a letter (RFC 6335 section 5.1 demands one).
#[cfg(target_os = "linux")]
fn is_name(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_in_one_transport_or_both() {
        for (text, said, transports) in [
            ("8080", "port 8080", &HELD[..]),
            ("53/UDP", "udp port 53", &HELD[1..]),
            ("HTTPS", "HTTPS (port 443)", &HELD),
            ("domain", "domain (port 53)", &HELD),
            ("domain/tcp", "domain (tcp port 53)", &HELD[..1]),
            ("syslog", "syslog (udp port 514)", &HELD[1..]),
        ] {
            let ports: HeldPorts = text.parse().unwrap();
            assert_eq!(ports.to_string(), said);
            let each: Vec<_> = ports.iter().map(HeldPort::transports).collect();
            assert_eq!(each, [transports], "{text}");
        }
        for (text, said) in [
            ("http-alt", "http-alt (ports 591,8008,8080)"),
            ("x11/tcp", "x11 (tcp ports 6000-6063)"),
        ] {
            assert_eq!(text.parse::<HeldPorts>().unwrap().to_string(), said);
        }
        for text in ["", "0", "80/", "80/sctp", "80/x", "65536", "x", "80,81", "6000-6063", "-1"] {
            assert!(text.parse::<HeldPorts>().is_err(), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unknown_name_says_what_is_near() {
        for (text, said) in [
            ("htps", "no tcp or udp service is called `htps`; did you mean `https`"),
            ("syslog/tcp", "no tcp service is called `syslog`; there is one for udp"),
        ] {
            let error = text.parse::<HeldPorts>().unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_port_is_a_number_or_a_name_of_one() {
        assert_eq!(certain_port("5432"), Ok(Port::new(5432)));
        assert_eq!(certain_port("postgresql"), Ok(Port::new(5432)));
        let said = "`http-alt` is several ports, 591,8008,8080: write the number";
        assert_eq!(certain_port("http-alt").unwrap_err(), said);
        for text in ["0", "", "none", "postgresq", "1-2", "top:1"] {
            assert!(certain_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_name_counts_over_the_transports_that_know_it() {
        let ports: PortsArg = "syslog,shell,22".parse().unwrap();
        assert_eq!(any(&ports.0, &HELD).unwrap().to_string(), "22,514");
        assert!(ports.of(Transport::Tcp).is_err() && ports.of(Transport::Udp).is_err());
        for text in ["", "22,,80", "htps", "22,1-0"] {
            assert!(text.parse::<PortsArg>().is_err(), "{text}");
        }
    }
}
