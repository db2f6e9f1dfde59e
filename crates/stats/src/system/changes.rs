//! What is different between two snapshots.

use self::pairing::Before;
pub(super) use self::pairing::Pairing;
use super::{Snapshot, SocketRow};

mod pairing;

/// A difference between two snapshots of the same query.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Change<'a> {
    /// A socket that was not there before.
    Opened(SocketRow<'a>),
    /// A socket that is not there any more, as it was.
    Closed(SocketRow<'a>),
    /// A socket in another state.
    StateChanged {
        /// As it was.
        before: SocketRow<'a>,
        /// As it is.
        after: SocketRow<'a>,
    },
}

impl Snapshot {
    /// What changed since `earlier`, a snapshot of the same query: first what was closed, then what
    /// was opened or is in another state, in the kernel's order.
    ///
    /// Sockets are told apart by their cookies, which connections keep in TIME-WAIT; those read from
    /// `/proc`, which has none, by protocol, addresses and inode. What was opened and closed between
    /// the two is in neither: [`Endings`](super::Endings) tells of it. A socket that the kernel left out of
    /// this one is taken for closed, unless it was taken by
    /// [`snapshot_after`](super::SystemSockets::snapshot_after) `earlier`.
    pub fn changes_since<'a>(&'a self, earlier: &'a Self) -> Vec<Change<'a>> {
        self.changes(earlier, Pairing::of(earlier, self))
    }

    /// The same, where they were paired before.
    pub(super) fn changes<'a>(&'a self, earlier: &'a Self, pairing: Pairing) -> Vec<Change<'a>> {
        let Pairing { before, gone } = pairing;
        let closed = gone.into_iter().filter_map(|place| earlier.row(place)).map(Change::Closed);
        let later =
            before.into_iter().zip(self.iter()).filter_map(|(before, after)| match before {
                Before::At(place) => {
                    let before = earlier.row(place)?;
                    let is_other = before.state() != after.state();
                    is_other.then_some(Change::StateChanged { before, after })
                }
                Before::Nowhere => Some(Change::Opened(after)),
                Before::Repeated => None,
            });
        closed.chain(later).collect()
    }

    /// Each socket and how it was in `earlier`, a snapshot of the same query; `None` where it was not
    /// there. Sockets are told apart as by [`changes_since`](Self::changes_since). To see how much each
    /// one has moved meanwhile, for instance.
    pub fn beside<'a>(
        &'a self,
        earlier: &'a Self,
    ) -> impl Iterator<Item = (SocketRow<'a>, Option<SocketRow<'a>>)> {
        let pairs = Pairing::of(earlier, self).before.into_iter().zip(self.iter());
        pairs.filter_map(|(before, after)| before.beside(after, earlier))
    }

    /// The same for each in turn, where they were paired before.
    pub(super) fn each_beside<'a>(
        &'a self,
        earlier: &'a Self,
        pairing: &Pairing,
        mut each: impl FnMut(SocketRow<'a>, Option<SocketRow<'a>>),
    ) {
        let pairs = pairing.before.iter().zip(self.iter());
        for (after, before) in pairs.filter_map(|(before, after)| before.beside(after, earlier)) {
            each(after, before);
        }
    }
}

impl Before {
    /// A socket as it is and as it was, but for a row that another one stands for.
    fn beside<'a>(
        self,
        after: SocketRow<'a>,
        earlier: &'a Snapshot,
    ) -> Option<(SocketRow<'a>, Option<SocketRow<'a>>)> {
        match self {
            Self::At(place) => Some((after, earlier.row(place))),
            Self::Nowhere => Some((after, None)),
            Self::Repeated => None,
        }
    }
}

#[cfg(test)]
mod tests;
