//! Ports and sockets as values: what the other crates of this workspace talk in.
//!
//! - [`Port`], [`PortRange`], [`PortSet`] and the text that describes them (`22,80,8000-8100,http`).
//! - [`Transport`], [`Endpoint`] (`tcp://[::1]:8080`), [`FiveTuple`], [`SocketInfo`].
//! - [`ServiceTable`]: IANA's registry of services, and the names people use where IANA's differ.
//! - [`PortRegistry`]: who in this program holds which port.
//!
//! What it is not for: nothing here opens a socket, resolves a name, reads a clock or a file, or
//! draws a random number. A registry knows the claims made in it and what it was told of others; to
//! hold a port against other processes is the work of a bound socket.
//!
//! # Examples
//!
//! Which ports are meant, and what is usually there:
//!
//! ```
//! use ports_core::{PortSet, Transport, service_by_port};
//!
//! let ports = PortSet::parse("22,https,8000-8002", Transport::Tcp)?;
//! assert_eq!(ports.to_string(), "22,443,8000-8002");
//!
//! let names: Vec<&str> = ports
//!     .iter()
//!     .filter_map(|port| service_by_port(port, Transport::Tcp))
//!     .map(|service| service.name)
//!     .collect();
//! assert_eq!(names[..2], ["ssh", "https"]);
//! # Ok::<(), ports_core::ParsePortSetError>(())
//! ```
//!
//! Where to listen:
//!
//! ```
//! use ports_core::{Endpoint, Host, Transport};
//!
//! let endpoint: Endpoint = "tls://localhost:https".parse()?;
//! assert_eq!(endpoint.transport(), Transport::Tcp);
//! assert_eq!(endpoint.port().number(), 443);
//! // A name is the caller's to resolve; an address is there at once.
//! assert_eq!(endpoint.host().name_to_resolve().as_deref(), Some("localhost"));
//! assert_eq!("[::1]:80".parse::<Endpoint>()?.socket_addr(), "[::1]:80".parse().ok());
//! # Ok::<(), ports_core::ParseEndpointError>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod endpoint;
mod five_tuple;
mod port;
mod range;
mod registry;
mod service;
mod set;
mod socket_info;
mod spec;
mod transport;
mod zone;

pub use endpoint::{
    Endpoint, EndpointOptions, Host, ParseEndpointError, ParseEndpointErrorKind, Scheme,
};
pub use five_tuple::FiveTuple;
pub use port::{ParsePortError, ParsePortErrorKind, Port, PortClass};
pub use range::{BackwardRangeError, ParseRangeError, PortRange, PortRangeIter};
pub use registry::{
    ClaimAddress, ClaimError, ClaimRecord, ClaimRequest, ForeignRecord, Holder, Owner,
    ParseClaimAddressError, PortClaim, PortRegistry, PortRegistryBuilder, RegistrySnapshot,
    RegistryStatus, TransportStatus, UsedPort,
};
pub use service::{
    Service, ServiceSource, ServiceTable, UnknownServiceError, service_by_port, services_by_name,
    top_ports, well_known,
};
pub use set::{PortSet, PortSetIter};
pub use socket_info::{SocketInfo, SocketState, TransitionError};
pub use spec::ParsePortSetError;
pub use transport::{ParseTransportError, Transport};
pub use zone::lacks_zone;

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
