//! From an endpoint to its addresses, and from its `iface` to an interface.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use ports_core::Endpoint;
use sockets_udp::Interface;

/// Every address to connect or send to at an endpoint, each once.
pub(in crate::commands) async fn targets(endpoint: &Endpoint) -> anyhow::Result<Vec<SocketAddr>> {
    let known: Vec<SocketAddr> = endpoint.target_addrs().collect();
    if known.is_empty() { addresses(endpoint).await } else { Ok(known) }
}

/// Every address of an endpoint to listen at, each once: one, unless it is a name.
pub(in crate::commands) async fn addresses(endpoint: &Endpoint) -> anyhow::Result<Vec<SocketAddr>> {
    if let Some(address) = endpoint.socket_addr() {
        return Ok(vec![address]);
    }
    let host = endpoint.host();
    // Without an address there is a name: `name_to_resolve` says so.
    let name = host.name_to_resolve().unwrap_or_default();
    let found = tokio::net::lookup_host((name.as_ref(), endpoint.port().number()))
        .await
        .with_context(|| format!("cannot resolve `{host}` of {endpoint}"))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    anyhow::ensure!(!addresses.is_empty(), "`{host}` of {endpoint} has no address");
    Ok(addresses)
}

/// The interface that an endpoint names by its name, its index or one of its addresses.
pub(in crate::commands) fn interface(endpoint: &Endpoint) -> Interface {
    let Some(text) = endpoint.options().interface() else { return Interface::Default };
    match text.parse::<IpAddr>() {
        Ok(address) => Interface::from(address),
        Err(_) => named(text),
    }
}

/// The interface with that index or that name, as a zone has it.
pub(in crate::commands) fn named(text: &str) -> Interface {
    if let Ok(index) = text.parse::<u32>() { Interface::from(index) } else { Interface::from(text) }
}
