//! The service table: which service is at a port, and which port a service has.

#[rustfmt::skip]
#[expect(clippy::unreadable_literal, reason = "made by a program, read by one")]
mod generated;
mod named;
mod rows;
mod similar;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::named::Meant;
pub use self::named::UnknownServiceError;
use crate::{Port, PortClass, Transport};

/// The ports the well-known scan looks at.
const WELL_KNOWN: [Port; 15] =
    rows::ports([21, 22, 23, 25, 53, 80, 110, 143, 443, 3306, 3389, 5432, 6379, 8080, 27017]);

/// The ports everybody should know by name, with the transport they are known for.
const WELL_KNOWN_SERVICES: [(u16, Transport); 18] = [
    (20, Transport::Tcp),
    (21, Transport::Tcp),
    (22, Transport::Tcp),
    (23, Transport::Tcp),
    (25, Transport::Tcp),
    (53, Transport::Udp),
    (67, Transport::Udp),
    (68, Transport::Udp),
    (80, Transport::Tcp),
    (110, Transport::Tcp),
    (143, Transport::Tcp),
    (443, Transport::Tcp),
    (3306, Transport::Tcp),
    (3389, Transport::Tcp),
    (5432, Transport::Tcp),
    (6379, Transport::Tcp),
    (8080, Transport::Tcp),
    (27017, Transport::Tcp),
];

/// One name of one port of one transport.
///
/// Serialized with exactly these keys, in this order:
/// `{"port":443,"transport":"tcp","name":"https","description":"...","class":"system","source":"iana"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Service {
    /// The port.
    pub port: Port,
    /// The transport: TCP 514 is another service than UDP 514.
    pub transport: Transport,
    /// The name, in lower case.
    pub name: &'static str,
    /// What it is, in a few words; may be empty.
    pub description: &'static str,
    /// The class of the port.
    pub class: PortClass,
    /// Who says so.
    pub source: ServiceSource,
}

/// `https (443/tcp)`.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name, self.port, self.transport)
    }
}

/// Who says that a service is at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceSource {
    /// IANA's Service Name and Transport Protocol Port Number Registry (RFC 6335).
    Iana,
    /// Common use: a default of widely run software, or the name people say.
    Common,
}

impl ServiceSource {
    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iana => "iana",
            Self::Common => "common",
        }
    }
}

impl fmt::Display for ServiceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The service table: IANA's registry, and the names people use where IANA's differ or are silent.
///
/// The table is part of the program; this type is only the handle to it. No lookup allocates.
///
/// A port may have several names. The preferred one is the one people say (`dns`, not `domain`),
/// else IANA's first.
///
/// ```
/// use ports_core::{Port, ServiceSource, ServiceTable, Transport};
///
/// let https = ServiceTable.service_by_port(Port::new(443), Transport::Tcp).unwrap();
/// assert_eq!((https.name, https.source), ("https", ServiceSource::Iana));
///
/// let names: Vec<&str> =
///     ServiceTable.services(Port::new(53), Transport::Udp).map(|service| service.name).collect();
/// assert_eq!(names, ["dns", "domain"]);
///
/// let ports: Vec<Port> =
///     ServiceTable.by_name_for("Redis", Transport::Tcp).map(|service| service.port).collect();
/// assert_eq!(ports, [Port::new(6379)]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceTable;

impl ServiceTable {
    /// The service at a port, by its preferred name.
    #[inline]
    pub fn service_by_port(self, port: Port, transport: Transport) -> Option<Service> {
        rows::rows_of_port(port).find(|row| rows::transport(*row) == transport).map(rows::service)
    }

    /// Every name of a port of one transport, the preferred one first.
    pub fn services(
        self,
        port: Port,
        transport: Transport,
    ) -> impl DoubleEndedIterator<Item = Service> + Clone {
        rows::rows_of_port(port)
            .filter(move |row| rows::transport(*row) == transport)
            .map(rows::service)
    }

    /// Every name of a port: by transport, then the preferred one first.
    pub fn services_of_port(
        self,
        port: Port,
    ) -> impl DoubleEndedIterator<Item = Service> + ExactSizeIterator + Clone {
        rows::rows_of_port(port).map(rows::service)
    }

    /// Everything with this name, in any case: by port, then by transport.
    #[inline]
    pub fn by_name(
        self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = Service> + ExactSizeIterator + Clone + use<> {
        rows::rows_of_name(name).iter().map(|row| rows::service(usize::from(*row)))
    }

    /// The ports of one transport with this name, in any case, ascending.
    pub fn by_name_for(
        self,
        name: &str,
        transport: Transport,
    ) -> impl DoubleEndedIterator<Item = Service> + Clone + use<> {
        self.by_name(name).filter(move |service| service.transport == transport)
    }

    /// The transports that have a service with this name, for the errors that say so.
    pub(crate) fn transports_of(self, name: &str) -> Vec<Transport> {
        Transport::ALL
            .into_iter()
            .filter(|transport| self.by_name_for(name, *transport).next().is_some())
            .collect()
    }

    /// The whole table: by port, then by transport, then the preferred name first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Service> + ExactSizeIterator + Clone {
        (0..rows::LEN).map(rows::service)
    }

    /// How many entries there are.
    #[expect(clippy::len_without_is_empty, reason = "the table is never empty")]
    pub const fn len(self) -> usize {
        rows::LEN
    }

    /// The 15 ports of a quick look at a host: the TCP services one is most likely to meet.
    pub const fn well_known(self) -> &'static [Port; 15] {
        &WELL_KNOWN
    }

    /// The 18 services everybody should know, ascending by port; DNS and DHCP over UDP, the rest
    /// over TCP.
    pub fn well_known_services(self) -> impl DoubleEndedIterator<Item = Service> + Clone {
        WELL_KNOWN_SERVICES
            .into_iter()
            .filter_map(move |(port, transport)| self.service_by_port(Port::new(port), transport))
    }

    /// The ports of a transport by how likely a service is to be there, the likeliest first.
    ///
    /// The order is curated, not measured: it was written from the default ports of software that
    /// people run, best known first, then families of ports around them, then IANA's System Ports.
    /// At least 1,000 ports for TCP and for UDP; none for the others.
    pub const fn top(self, transport: Transport) -> &'static [Port] {
        match transport {
            Transport::Tcp => &generated::TOP_TCP,
            Transport::Udp => &generated::TOP_UDP,
            Transport::Sctp | Transport::Dccp => &[],
        }
    }
}

/// The service at a port, by its preferred name: [`ServiceTable::service_by_port`].
///
/// ```
/// use ports_core::{Port, Transport, service_by_port};
///
/// let service = service_by_port(Port::new(5432), Transport::Tcp);
/// assert_eq!(service.map(|service| service.name), Some("postgresql"));
/// ```
#[inline]
pub fn service_by_port(port: Port, transport: Transport) -> Option<Service> {
    ServiceTable.service_by_port(port, transport)
}

/// Everything with this name, in any case: [`ServiceTable::by_name`].
pub fn services_by_name(
    name: &str,
) -> impl DoubleEndedIterator<Item = Service> + ExactSizeIterator + Clone + use<> {
    ServiceTable.by_name(name)
}

/// The ports of a quick look at a host: [`ServiceTable::well_known`].
pub const fn well_known() -> &'static [Port; 15] {
    ServiceTable.well_known()
}

/// Our ranking of a transport's ports: [`ServiceTable::top`].
pub const fn top_ports(transport: Transport) -> &'static [Port] {
    ServiceTable.top(transport)
}

#[cfg(test)]
mod tests;
