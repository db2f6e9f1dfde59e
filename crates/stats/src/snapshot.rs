//! All numbers at one moment, and the difference between two moments.

use std::time::{Duration, SystemTime};

use ports_core::Transport;
use serde::{Deserialize, Serialize};

use crate::counters::{Counters, Shrunk};
use crate::distribution::Distribution;
use crate::role::Role;

/// All numbers at one moment. Prints as a table of totals.
#[cfg_attr(
    feature = "prometheus",
    doc = "\nFor machines: [`prometheus_text`](crate::prometheus_text)."
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub taken: SystemTime,
    /// Since the statistics began; in a delta, since the earlier snapshot. By a clock that nobody
    /// sets.
    pub elapsed: Duration,
    /// Each transport and role with anything to report, ordered by transport, then role.
    pub groups: Vec<Group>,
    /// History entries that were overwritten by later ones.
    pub history_overwritten: u64,
}

/// The numbers of one transport and role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Group {
    /// The transport.
    pub transport: Transport,
    /// The role.
    pub role: Role,
    /// What was counted.
    pub counters: Counters,
    /// How long connecting took, where it was noted.
    pub connect_time: Distribution,
    /// How long the sockets that are closed were open.
    pub duration: Distribution,
}

impl Snapshot {
    /// The group of a transport and role; `None` where there is nothing to report.
    pub fn group(&self, transport: Transport, role: Role) -> Option<&Group> {
        self.groups.iter().find(|group| group.transport == transport && group.role == role)
    }

    /// The counters of a transport and role; all zero where there is nothing to report.
    pub fn counters(&self, transport: Transport, role: Role) -> Counters {
        self.group(transport, role).map_or_else(Counters::default, |group| group.counters)
    }

    /// The sums over all roles of a transport. Two ends of one connection in this process count
    /// as two sockets.
    pub fn transport(&self, transport: Transport) -> Counters {
        self.sum(|group| group.transport == transport)
    }

    /// The sums over everything.
    pub fn totals(&self) -> Counters {
        self.sum(|_| true)
    }

    fn sum(&self, included: impl Fn(&Group) -> bool) -> Counters {
        let mut sums = Counters::default();
        for group in self.groups.iter().filter(|group| included(group)) {
            sums.add(&group.counters);
        }
        sums
    }

    /// What happened between `earlier` and this snapshot: counters and histograms are subtracted;
    /// `active`, which is no counter, and `taken` are those of this one.
    ///
    /// # Errors
    ///
    /// [`DeltaError`] where a counter is smaller than it was. Counters only grow, so the two are
    /// in the wrong order or not of the same [`SocketStats`](crate::SocketStats).
    pub fn delta(&self, earlier: &Self) -> Result<Self, DeltaError> {
        let mut groups = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let Some(before) = earlier.group(group.transport, group.role) else {
                groups.push(group.clone());
                continue;
            };
            groups.push(group.since(before).map_err(|shrunk| group.shrunk(shrunk))?);
        }
        if let Some(gone) =
            earlier.groups.iter().find(|group| self.group(group.transport, group.role).is_none())
        {
            return Err(gone.shrunk(("groups", 1, 0)));
        }
        let history_overwritten = self
            .history_overwritten
            .checked_sub(earlier.history_overwritten)
            .ok_or(DeltaError::History {
                earlier: earlier.history_overwritten,
                later: self.history_overwritten,
            })?;
        let elapsed = self
            .elapsed
            .checked_sub(earlier.elapsed)
            .ok_or(DeltaError::Elapsed { earlier: earlier.elapsed, later: self.elapsed })?;
        Ok(Self { taken: self.taken, elapsed, groups, history_overwritten })
    }
}

impl Group {
    fn since(&self, earlier: &Self) -> Result<Self, Shrunk> {
        Ok(Self {
            transport: self.transport,
            role: self.role,
            counters: self.counters.since(&earlier.counters)?,
            connect_time: self.connect_time.since(&earlier.connect_time)?,
            duration: self.duration.since(&earlier.duration)?,
        })
    }

    const fn shrunk(&self, (counter, earlier, later): Shrunk) -> DeltaError {
        DeltaError::Counter { transport: self.transport, role: self.role, counter, earlier, later }
    }
}

/// Why two snapshots have no difference: the "later" one is not later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// A counter went down.
    #[error(
        "{transport} {role}: {counter} went from {earlier} to {later}; \
         are the snapshots in order, and of the same statistics?"
    )]
    Counter {
        /// The transport it belongs to.
        transport: Transport,
        /// The role it belongs to.
        role: Role,
        /// Which counter.
        counter: &'static str,
        /// Its value in the earlier snapshot.
        earlier: u64,
        /// Its value in the later snapshot.
        later: u64,
    },
    /// The count of overwritten history entries went down.
    #[error("overwritten history entries went from {earlier} to {later}")]
    History {
        /// The value in the earlier snapshot.
        earlier: u64,
        /// The value in the later snapshot.
        later: u64,
    },
    /// The later snapshot was taken first.
    #[error("the earlier snapshot was taken after {earlier:?}, the later one after {later:?}")]
    Elapsed {
        /// The running time at the earlier snapshot.
        earlier: Duration,
        /// The running time at the later snapshot.
        later: Duration,
    },
}

#[cfg(test)]
mod tests;
