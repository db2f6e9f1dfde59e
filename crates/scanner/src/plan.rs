//! The plan of a scan: an index space over hosts and ports, in host groups and blocks.

use std::net::{IpAddr, SocketAddr};

use ports_core::{Port, PortSet, Transport};

use crate::block::{Blocks, Shard};
use crate::digest::Digest;
use crate::event::Method;
use crate::permutation::{Permutation, mix};
use crate::target::{AddressIndex, AddressSet};

/// Hosts of one group, unless a prober says otherwise: what is kept per host lives and dies with its group.
pub const DEFAULT_GROUP_HOSTS: u32 = 16_384;

/// By connect: on a link the kernel's table of neighbours has to hold all that are being asked, and those
/// of the group before (`gc_thresh2`, 512 unless set).
const CONNECT_GROUP_HOSTS: u32 = 256;

/// Targets x ports x transport x seed, as the index space `0..len`.
///
/// Hosts come in groups; inside a group a permutation keyed by the seed maps index to address and
/// port, so that probes spread over hosts and ports. Its memory is that of the port list and of the
/// target intervals, whatever the number of hosts.
///
/// ```
/// use ports_core::Transport;
/// use scanner::{ScanPlan, TargetSpec};
///
/// let target: TargetSpec = "127.0.0.0/8".parse()?;
/// let targets = target.addresses().expect("not a name");
/// let plan = ScanPlan::new(&targets, &"1-1000".parse()?, Transport::Tcp, 7)?;
/// assert_eq!(plan.len(), (1 << 24) * 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScanPlan {
    addresses: AddressIndex,
    ports: Vec<Port>,
    transport: Transport,
    seed: u64,
    hosts: u64,
    len: u64,
    group_hosts: u32,
}

impl ScanPlan {
    /// The plan that probes every port of `ports` on every address of `targets`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] where nothing is left to scan, or more than 2^64 - 1 probes would be needed.
    pub fn new(
        targets: &AddressSet,
        ports: &PortSet,
        transport: Transport,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let addresses = targets.index();
        if addresses.len() == 0 {
            return Err(PlanError::NoTargets);
        }
        if ports.is_empty() {
            return Err(PlanError::NoPorts);
        }
        let too_large = PlanError::TooLarge { hosts: addresses.len(), ports: ports.len() };
        let hosts = u64::try_from(addresses.len()).map_err(|_| too_large.clone())?;
        let len = hosts.checked_mul(ports.len() as u64).ok_or(too_large)?;
        let ports = ports.iter().collect();
        let group_hosts = DEFAULT_GROUP_HOSTS;
        Ok(Self { addresses, ports, transport, seed, hosts, len, group_hosts })
    }

    /// The same for what `method` asks by.
    pub(crate) fn by(
        method: Method,
        targets: &AddressSet,
        ports: &PortSet,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let plan = Self::new(targets, ports, method.transport(), seed)?;
        let group_hosts = match method {
            Method::Connect => CONNECT_GROUP_HOSTS,
            _ => DEFAULT_GROUP_HOSTS,
        };
        Ok(Self { group_hosts, ..plan })
    }

    /// How many (address, port) pairs it has; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a plan is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// How many addresses.
    pub const fn hosts(&self) -> u64 {
        self.hosts
    }

    /// The ports, ascending.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The transport scanned.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The seed of the permutation.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The blocks that `shard` of it has.
    pub fn blocks(&self, shard: Shard) -> Blocks {
        Blocks::new(self.len, shard)
    }

    /// The host group that `index` belongs to.
    pub(crate) fn group_of(&self, index: u64) -> u64 {
        index / u64::from(self.group_hosts).saturating_mul(self.ports.len() as u64)
    }

    /// How many hosts a group has, but for the last.
    pub(crate) const fn group_hosts(&self) -> u32 {
        self.group_hosts
    }

    /// A number that stands for the addresses.
    pub(crate) fn addresses_digest(&self) -> Digest {
        let mut digest = Digest::default();
        for (position, first) in self.addresses.runs() {
            digest.add(&position.to_le_bytes());
            digest.add(first.to_string().as_bytes());
        }
        digest.add(&self.hosts.to_le_bytes());
        digest
    }

    /// The address at `position` in the order of the targets.
    pub(crate) fn address(&self, position: u64) -> IpAddr {
        self.addresses.address(u128::from(position))
    }

    fn group(&self, number: u64) -> Group {
        let first_host = number * u64::from(self.group_hosts);
        let hosts = (self.hosts - first_host).min(u64::from(self.group_hosts));
        let key = self.seed ^ mix(number.wrapping_add(1));
        let permutation = Permutation::new(hosts * self.ports.len() as u64, key);
        Group { number, first_host, hosts, permutation }
    }
}

/// One host group: its share of the hosts and the order inside it.
#[derive(Clone, Copy, Debug)]
struct Group {
    number: u64,
    first_host: u64,
    hosts: u64,
    permutation: Permutation,
}

/// Where an index of a plan leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the host group.
    pub(crate) group: u64,
    /// How many hosts the group has.
    pub(crate) group_hosts: u32,
    /// Which of them, from 0.
    pub(crate) host: u32,
    /// The address and port.
    pub(crate) target: SocketAddr,
}

/// Turns indices of one plan into addresses; remembers the group it was in last.
#[derive(Clone, Debug)]
pub(crate) struct PlanReader {
    group: Group,
    group_len: u64,
}

impl PlanReader {
    pub(crate) fn new(plan: &ScanPlan) -> Self {
        let group_len = u64::from(plan.group_hosts).saturating_mul(plan.ports.len() as u64);
        Self { group: plan.group(0), group_len }
    }

    /// What `index` stands for.
    pub(crate) fn read(&mut self, plan: &ScanPlan, index: u64) -> Place {
        let number = index / self.group_len;
        if number != self.group.number {
            self.group = plan.group(number);
        }
        let place = self.group.permutation.apply(index % self.group_len);
        let host = place % self.group.hosts;
        let port = plan.ports[(place / self.group.hosts) as usize];
        let address = plan.address(self.group.first_host + host);
        Place {
            group: number,
            // A group has at most `u32::MAX` hosts.
            group_hosts: self.group.hosts as u32,
            host: host as u32,
            target: SocketAddr::new(address, port.number()),
        }
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The targets are empty, or all were excluded.
    #[error("no address is left to scan")]
    NoTargets,
    /// The ports are empty, or all were excluded.
    #[error("no port is left to scan")]
    NoPorts,
    /// More pairs than a 64-bit index can number.
    #[error("{hosts} addresses x {ports} ports are more than one plan can hold (2^64 - 1)")]
    TooLarge {
        /// How many addresses.
        hosts: u128,
        /// How many ports.
        ports: usize,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::TargetSpec;

    fn plan(target: &str, ports: &str, seed: u64) -> Result<ScanPlan, PlanError> {
        let targets = target.parse::<TargetSpec>().unwrap().addresses().unwrap();
        ScanPlan::new(&targets, &ports.parse().unwrap(), Transport::Tcp, seed)
    }

    fn order(plan: &ScanPlan) -> Vec<SocketAddr> {
        let mut reader = PlanReader::new(plan);
        (0..plan.len()).map(|index| reader.read(plan, index).target).collect()
    }

    #[test]
    fn every_pair_once_over_several_groups() {
        let mut plan = plan("127.0.0.0-127.0.0.9", "1-7,80", 3).unwrap();
        plan.group_hosts = 4;
        let order = order(&plan);
        assert_eq!(order.len(), 80);
        assert_eq!(order.iter().collect::<HashSet<_>>().len(), 80);
        let hosts: HashSet<_> = order[..32].iter().map(SocketAddr::ip).collect();
        assert_eq!(hosts.len(), 4, "the first group's indices stay in the first group");
        assert_ne!(order[..8].iter().map(SocketAddr::ip).collect::<HashSet<_>>().len(), 1);
    }

    #[test]
    fn what_cannot_be_planned() {
        assert_eq!(plan("ff00::/8", "80", 0).unwrap_err(), PlanError::NoTargets);
        assert!(matches!(plan("::/0", "80", 0), Err(PlanError::TooLarge { .. })));
        assert!(matches!(plan("::/64", "80,81", 0), Err(PlanError::TooLarge { .. })));
        let empty = ScanPlan::new(
            &AddressSet::from(IpAddr::from([127, 0, 0, 1])),
            &PortSet::new(),
            Transport::Tcp,
            0,
        );
        assert_eq!(empty.unwrap_err(), PlanError::NoPorts);
    }
}
