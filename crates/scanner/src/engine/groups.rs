//! What is known of the host groups under way, and of their hosts.

use slab::Slab;

use super::rtt::RttEstimator;
use super::{Engine, ProbeId};

/// Names a group under way.
pub(super) type GroupKey = u32;

/// One host of a group under way: 16 bytes, as there are many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub(super) rtt: RttEstimator,
    /// Attempts it left unanswered while nothing was heard of it.
    pub(super) silent: u16,
    /// Something was heard of it.
    pub(super) up: bool,
}

/// One host group under way.
#[derive(Debug)]
pub(super) struct Group {
    number: u64,
    ports: usize,
    /// Of all its hosts that answered.
    pub(super) rtt: RttEstimator,
    hosts: Box<[Host]>,
}

/// The groups with ports under way, and the latest one. They come in ascending order.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Slab<Group>,
    latest: Option<GroupKey>,
}

impl Groups {
    /// A port of group `number`, which has `hosts` hosts, begins.
    pub(super) fn start(&mut self, number: u64, hosts: u32) -> GroupKey {
        let latest = self.latest.filter(|key| self.groups[*key as usize].number == number);
        let key = latest.unwrap_or_else(|| self.enter(number, hosts));
        self.groups[key as usize].ports += 1;
        key
    }

    /// A port of the group has its verdict.
    pub(super) fn end(&mut self, key: GroupKey) {
        let group = &mut self.groups[key as usize];
        group.ports -= 1;
        // What is known of the hosts of a group that is done is of no more use.
        if group.ports == 0 && self.latest != Some(key) {
            self.groups.remove(key as usize);
        }
    }

    pub(super) fn group(&mut self, key: GroupKey) -> &mut Group {
        &mut self.groups[key as usize]
    }

    pub(super) fn host(&mut self, key: GroupKey, host: u32) -> &mut Host {
        &mut self.groups[key as usize].hosts[host as usize]
    }

    /// The number of a group under way.
    pub(super) fn number(&self, key: GroupKey) -> u64 {
        self.groups[key as usize].number
    }

    /// The lowest number under way, the latest group's included.
    pub(super) fn oldest(&self) -> u64 {
        self.groups.iter().map(|(_, group)| group.number).min().unwrap_or(0)
    }

    fn enter(&mut self, number: u64, hosts: u32) -> GroupKey {
        if let Some(previous) = self.latest
            && self.groups[previous as usize].ports == 0
        {
            self.groups.remove(previous as usize);
        }
        // Ports that were put off may belong to a group that is still under way.
        let found = self.groups.iter().find(|(_, group)| group.number == number);
        let key = if let Some((key, _)) = found {
            key
        } else {
            let hosts = vec![Host::default(); hosts as usize].into_boxed_slice();
            self.groups.insert(Group { number, ports: 0, rtt: RttEstimator::default(), hosts })
        } as GroupKey;
        self.latest = Some(key);
        key
    }
}

impl Engine {
    /// The lowest host group that still has ports under way, or that the next port will be of.
    pub(crate) fn oldest_group(&self) -> u64 {
        self.groups.oldest()
    }

    /// The host group of a probe; `None` where its port has its verdict.
    pub(crate) fn group_of(&mut self, id: ProbeId) -> Option<u64> {
        let group = self.slots.find(id)?.group;
        Some(self.groups.number(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lives_as_long_as_its_ports_and_until_the_next() {
        let mut groups = Groups::default();
        let first = groups.start(3, 2);
        groups.host(first, 1).up = true;
        groups.end(first);
        assert_eq!(groups.start(3, 2), first, "the latest stays");
        assert!(groups.host(first, 1).up);
        let second = groups.start(4, 2);
        assert_eq!((groups.oldest(), groups.number(second)), (3, 4));
        groups.end(first);
        assert_eq!((groups.oldest(), groups.groups.len()), (4, 1));
        groups.end(second);
        let third = groups.start(9, 1);
        assert_eq!((groups.oldest(), groups.groups.len()), (9, 1));
        assert!(!groups.host(third, 0).up);
    }
}
