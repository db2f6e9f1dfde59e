//! Reads an endpoint.

use std::str::FromStr;

use super::{
    Endpoint, EndpointOptions, Host, ParseEndpointError, ParseEndpointErrorKind as Kind, Scheme,
};
use crate::{ParsePortErrorKind, Port, ServiceTable, Transport};

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|kind| ParseEndpointError::new(text, kind))
    }
}

fn parse(text: &str) -> Result<Endpoint, Kind> {
    let (text, options) = match text.split_once('?') {
        Some((before, after)) => (before, EndpointOptions::parse(after)?),
        None => (text, EndpointOptions::new()),
    };
    let (scheme, text) = match text.split_once("://") {
        Some((name, after)) => (parse_scheme(name)?, without_path(after)?),
        None => (Scheme::default(), text),
    };
    // In `[::1]` the last colon is the address's own.
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !text.ends_with(']')) else {
        return Err(Kind::NoPort);
    };
    let host = Host::parse(host)?;
    let port = parse_port(port, scheme.transport())?;
    Ok(Endpoint { scheme, host, port, options })
}

fn parse_scheme(name: &str) -> Result<Scheme, Kind> {
    Scheme::ALL
        .into_iter()
        .find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
        .ok_or_else(|| Kind::Scheme { scheme: name.to_owned() })
}

/// In a URL the authority ends at the first slash (RFC 3986 section 3.2). What writes URLs ends them
/// so; a path would mean something, and nobody looks at it here.
fn without_path(text: &str) -> Result<&str, Kind> {
    match text.split_once('/') {
        None => Ok(text),
        Some((authority, "")) => Ok(authority),
        Some((_, path)) => Err(Kind::Path { path: format!("/{path}") }),
    }
}

/// A number, or the name of a service that has one port.
fn parse_port(text: &str, transport: Transport) -> Result<Port, Kind> {
    let reason = match text.parse::<Port>() {
        Ok(port) => return Ok(port),
        Err(error) => error.kind(),
    };
    if reason != ParsePortErrorKind::NotANumber {
        return Err(Kind::Port { port: text.to_owned(), reason });
    }
    let mut ports = ServiceTable.by_name_for(text, transport).map(|service| service.port);
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port),
        (Some(first), Some(second)) => Err(Kind::AmbiguousService {
            name: text.to_owned(),
            first,
            second,
            more: ports.count(),
        }),
        (None, _) => Err(Kind::UnknownService {
            name: text.to_owned(),
            transport,
            others: ServiceTable.transports_of(text),
        }),
    }
}
