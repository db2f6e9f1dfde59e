//! What all recorders of one `SocketStats` share: the live blocks, the retired totals, the history.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ports_core::Transport;
use slab::Slab;

use crate::block::Block;
use crate::counters::Counters;
use crate::distribution::Distribution;
use crate::error_kind::ErrorKind;
use crate::history::History;
use crate::role::Role;
use crate::snapshot::{Group, Snapshot};
use crate::timing::Timing;

const GROUPS: usize = Transport::ALL.len() * Role::ALL.len();

/// Which transport and role, as one index.
#[derive(Clone, Copy)]
pub(crate) struct GroupIndex(usize);

impl GroupIndex {
    pub(crate) const fn new(transport: Transport, role: Role) -> Self {
        Self(transport as usize * Role::ALL.len() + role as usize)
    }

    const fn transport(self) -> Transport {
        Transport::ALL[self.0 / Role::ALL.len()]
    }

    const fn role(self) -> Role {
        Role::ALL[self.0 % Role::ALL.len()]
    }
}

pub(crate) struct Shared {
    /// Errors are rare and come from any handle: shared counters, no lock.
    errors: [[AtomicU64; ErrorKind::ALL.len()]; GROUPS],
    state: Mutex<State>,
    pub(crate) history: History,
    started: Instant,
}

struct State {
    live: Slab<Arc<Block>>,
    groups: [GroupState; GROUPS],
}

/// One transport and role: `opened` and `closed`, and the transfers of blocks that are gone.
#[derive(Default)]
struct GroupState {
    retired: Counters,
    connect_time: Option<Timing>,
    duration: Option<Timing>,
}

impl Shared {
    pub(crate) fn new(history: usize) -> Self {
        Self {
            errors: Default::default(),
            state: Mutex::new(State { live: Slab::new(), groups: Default::default() }),
            history: History::new(history),
            started: Instant::now(),
        }
    }

    /// Taken when a socket or a block begins or ends, when a connect time is noted, and for a
    /// snapshot; never for a transfer.
    fn state(&self) -> MutexGuard<'_, State> {
        // No critical section below leaves a sum half done, so a poisoned state is still true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a socket as opened and lists its first block.
    pub(crate) fn open(self: &Arc<Self>, group: GroupIndex) -> Arc<Block> {
        let mut state = self.state();
        state.groups[group.0].retired.opened += 1;
        self.list(&mut state, group)
    }

    /// Lists one more block for an open socket.
    pub(crate) fn add_block(self: &Arc<Self>, group: GroupIndex) -> Arc<Block> {
        self.list(&mut self.state(), group)
    }

    fn list(self: &Arc<Self>, state: &mut State, group: GroupIndex) -> Arc<Block> {
        let entry = state.live.vacant_entry();
        let block = Arc::new(Block::new(Arc::clone(self), group, entry.key()));
        entry.insert(Arc::clone(&block));
        block
    }

    /// Moves a block from the live ones to the retired totals, in one step as a snapshot sees it.
    pub(crate) fn retire(&self, block: &Block) {
        let listed = {
            let mut state = self.state();
            block.add_to(&mut state.groups[block.group.0].retired);
            state.live.try_remove(block.slot)
        };
        // Freed outside the lock; the caller's handle still holds the block.
        drop(listed);
    }

    /// Counts a socket as closed after `duration`.
    pub(crate) fn close(&self, group: GroupIndex, duration: Duration) {
        let mut state = self.state();
        let group = &mut state.groups[group.0];
        group.retired.closed += 1;
        group.duration.get_or_insert_default().record(duration);
    }

    pub(crate) fn connected_in(&self, group: GroupIndex, duration: Duration) {
        self.state().groups[group.0].connect_time.get_or_insert_default().record(duration);
    }

    pub(crate) fn error(&self, group: GroupIndex, kind: ErrorKind) {
        self.errors[group.0][kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, group: GroupIndex, messages: u64, bytes: u64) {
        let retired = &mut self.state().groups[group.0].retired;
        retired.dropped_messages = retired.dropped_messages.saturating_add(messages);
        retired.dropped_bytes = retired.dropped_bytes.saturating_add(bytes);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut groups = Vec::with_capacity(GROUPS);
        let state = self.state();
        let (taken, elapsed) = (SystemTime::now(), self.started.elapsed());
        let mut sums: [Counters; GROUPS] = std::array::from_fn(|i| state.groups[i].retired);
        for (_, block) in &state.live {
            block.add_to(&mut sums[block.group.0]);
        }
        for (index, (mut counters, group)) in sums.into_iter().zip(&state.groups).enumerate() {
            counters.active = counters.opened - counters.closed;
            for &kind in ErrorKind::ALL {
                *counters.errors.count_mut(kind) =
                    self.errors[index][kind as usize].load(Ordering::Relaxed);
            }
            if counters == Counters::default() && group.connect_time.is_none() {
                continue;
            }
            let read = |timing: &Option<Timing>| {
                timing.as_ref().map_or_else(Distribution::default, Timing::read)
            };
            groups.push(Group {
                transport: GroupIndex(index).transport(),
                role: GroupIndex(index).role(),
                counters,
                connect_time: read(&group.connect_time),
                duration: read(&group.duration),
            });
        }
        // Under the lock, too: of two snapshots the later one has no counter below the earlier one's.
        let history_overwritten = self.history.overwritten();
        drop(state);
        Snapshot { taken, elapsed, groups, history_overwritten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_and_role_has_its_own_index() {
        for (expected, (transport, role)) in Transport::ALL
            .into_iter()
            .flat_map(|transport| Role::ALL.iter().map(move |&role| (transport, role)))
            .enumerate()
        {
            let index = GroupIndex::new(transport, role);
            assert_eq!((index.0, index.transport(), index.role()), (expected, transport, role));
        }
    }
}
