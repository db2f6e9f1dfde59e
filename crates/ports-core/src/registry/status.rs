//! What the registry holds, to print and to serialise.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::registry::address::Family;
use crate::registry::search::Window;
use crate::registry::table::TransportTable;
use crate::registry::{ClaimAddress, Holder, Owner, PortRegistry};
use crate::{Port, PortRange, Transport};

/// The ports in use and the number of free dynamic ones, per transport. Prints as a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegistryStatus {
    /// The range "any" is taken from.
    pub dynamic_range: PortRange,
    /// One entry per transport, in the order of [`Transport::ALL`].
    pub transports: Vec<TransportStatus>,
}

/// The ports of one transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TransportStatus {
    /// The transport.
    pub transport: Transport,
    /// The ports in use by ascending number: claims, and what other processes were seen to hold.
    pub used: Vec<UsedPort>,
    /// How many claims and marks were left out of `used`, past the registry's list limit.
    pub omitted: usize,
    /// How many dynamic ports nobody holds at any address.
    pub free_dynamic: u32,
    /// How many dynamic ports there are, port 0 not counted.
    pub dynamic: u32,
    /// How many foreign marks were not kept for want of room, since the registry was built.
    pub foreign_refused: u64,
}

/// A port in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsedPort {
    /// The port.
    pub port: Port,
    /// Who holds it, and where.
    pub holder: Holder,
}

/// Every claim and foreign mark, for a machine to read; bounded by the registry's list limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegistrySnapshot {
    /// The range "any" is taken from.
    pub dynamic_range: PortRange,
    /// The claims, by transport and ascending port.
    pub claims: Vec<ClaimRecord>,
    /// How many claims were left out.
    pub claims_omitted: usize,
    /// The ports other processes were seen to hold, by transport and ascending port.
    pub foreign: Vec<ForeignRecord>,
    /// How many foreign marks were left out.
    pub foreign_omitted: usize,
    /// How many foreign marks were not kept for want of room, since the registry was built.
    pub foreign_refused: u64,
}

/// A claim as the snapshot tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClaimRecord {
    /// The transport.
    pub transport: Transport,
    /// The local address, as [`ClaimAddress`] prints.
    pub address: ClaimAddress,
    /// The port.
    pub port: Port,
    /// The label of the holder.
    pub owner: Owner,
}

/// A foreign mark as the snapshot tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ForeignRecord {
    /// The transport.
    pub transport: Transport,
    /// The local address at which another process was seen, as [`ClaimAddress`] prints.
    pub address: ClaimAddress,
    /// The port.
    pub port: Port,
}

impl PortRegistry {
    /// The ports in use and the free dynamic ports. Each transport is read at one moment, one
    /// after the other.
    pub fn status(&self) -> RegistryStatus {
        let dynamic_range = self.shared.dynamic_range;
        let transports = Transport::ALL
            .into_iter()
            .map(|transport| {
                let table = self.lock(transport);
                let listed = Listed::of(&table, self.shared.list_limit);
                let (dynamic, free_dynamic) = count_free(&table, dynamic_range);
                TransportStatus {
                    transport,
                    omitted: listed.claims_omitted + listed.marks_omitted,
                    used: listed.used,
                    free_dynamic,
                    dynamic,
                    foreign_refused: table.marks_refused,
                }
            })
            .collect();
        RegistryStatus { dynamic_range, transports }
    }

    /// Every claim and foreign mark, up to the list limit. Each transport is read at one moment,
    /// one after the other.
    pub fn snapshot(&self) -> RegistrySnapshot {
        let mut snapshot = RegistrySnapshot {
            dynamic_range: self.shared.dynamic_range,
            claims: Vec::new(),
            claims_omitted: 0,
            foreign: Vec::new(),
            foreign_omitted: 0,
            foreign_refused: 0,
        };
        for transport in Transport::ALL {
            let table = self.lock(transport);
            let listed = Listed::of(&table, self.shared.list_limit);
            snapshot.foreign_refused += table.marks_refused;
            drop(table);
            snapshot.claims_omitted += listed.claims_omitted;
            snapshot.foreign_omitted += listed.marks_omitted;
            for UsedPort { port, holder } in listed.used {
                match holder {
                    Holder::Claim { owner, address } => {
                        snapshot.claims.push(ClaimRecord { transport, address, port, owner });
                    }
                    Holder::Foreign { address } => {
                        snapshot.foreign.push(ForeignRecord { transport, address, port });
                    }
                }
            }
        }
        snapshot
    }
}

/// The holders of one transport, as many as the limit allows of each kind.
struct Listed {
    used: Vec<UsedPort>,
    claims_omitted: usize,
    marks_omitted: usize,
}

impl Listed {
    fn of(table: &TransportTable, limit: usize) -> Self {
        let mut room_for_claims = limit.min(table.claims());
        let mut room_for_marks = limit.min(table.marks());
        let claims_omitted = table.claims() - room_for_claims;
        let marks_omitted = table.marks() - room_for_marks;
        let mut used = Vec::with_capacity(room_for_claims + room_for_marks);
        for (port, holder) in table.holders() {
            if room_for_claims + room_for_marks == 0 {
                break;
            }
            let room = match holder {
                Holder::Claim { .. } => &mut room_for_claims,
                Holder::Foreign { .. } => &mut room_for_marks,
            };
            if *room > 0 {
                *room -= 1;
                used.push(UsedPort { port: Port::new(port), holder });
            }
        }
        Self { used, claims_omitted, marks_omitted }
    }
}

/// How many ports of the range there are, port 0 left out, and how many of them nobody holds.
fn count_free(table: &TransportTable, range: PortRange) -> (u32, u32) {
    let Some(window) = Window::new(range, Port::ANY) else {
        return (0, 0);
    };
    let ports = window.range();
    let held = table.held(Family::Both).count(ports.first().number(), ports.last().number());
    (ports.len(), ports.len() - held)
}

/// TCP and UDP always, the other transports where they have anything to tell:
///
/// ```text
/// === Port Status ===
/// TCP ports used: 2
///    8080  echo server       127.0.0.1
///    9000  another process   *
/// TCP dynamic ports free: 16384 of 16384 (49152-65535)
/// UDP ports used: 0
/// UDP dynamic ports free: 16384 of 16384 (49152-65535)
/// ```
impl fmt::Display for RegistryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "=== Port Status ===")?;
        for status in &self.transports {
            let told = matches!(status.transport, Transport::Tcp | Transport::Udp);
            if told
                || !status.used.is_empty()
                || status.omitted + status.foreign_refused as usize > 0
            {
                status.print(self.dynamic_range, f)?;
            }
        }
        Ok(())
    }
}

impl TransportStatus {
    fn print(&self, dynamic_range: PortRange, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.transport.name().to_uppercase();
        write!(f, "\n{name} ports used: {}", self.used.len() + self.omitted)?;
        let width = self.used.iter().map(|used| who(&used.holder).len()).max().unwrap_or(0);
        for UsedPort { port, holder } in &self.used {
            let (who, address) = (who(holder), holder.address());
            write!(f, "\n  {:>5}  {who:<width$}  {address}", port.number())?;
        }
        if self.omitted > 0 {
            write!(f, "\n  and {} more", self.omitted)?;
        }
        if self.foreign_refused > 0 {
            write!(f, "\n  {} ports of other processes not noted: no room", self.foreign_refused)?;
        }
        let Self { free_dynamic, dynamic, .. } = self;
        write!(f, "\n{name} dynamic ports free: {free_dynamic} of {dynamic} ({dynamic_range})")
    }
}

fn who(holder: &Holder) -> &str {
    holder.owner().map_or("another process", Owner::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimRequest;

    #[test]
    fn whoever_is_told_as_json_reads_the_same() {
        let registry = PortRegistry::new();
        let request = ClaimRequest::new(Transport::Tcp).exact(8080).owner("echo server");
        let _claim = registry.claim(&request.address(ClaimAddress::ipv6_only())).unwrap();
        let link_local: std::net::SocketAddr = "[fe80::1%2]:0".parse().unwrap();
        registry.mark_foreign(Transport::Udp, link_local, 53);

        let (status, snapshot) = (registry.status(), registry.snapshot());
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<RegistryStatus>(&json).unwrap(), status);
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<RegistrySnapshot>(&json).unwrap(), snapshot);
    }
}
