//! The clients of a UDP forwarding, bounded in number.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sockets_tcp::ClientNumbers;
use sockets_udp::{ReturnPath, UdpSocket};

use super::mapping::{Ending, Mapping};

/// How many mappings that are over may wait for the end of their ways back, beside those of the most
/// clients: each has its socket until then.
const MOST_ENDING: usize = 256;

/// The clients, never more than so many; and those that are over, until their ways back have ended.
pub(super) struct Mappings {
    most: usize,
    numbers: ClientNumbers,
    by_path: HashMap<ReturnPath, Arc<Mapping>>,
    /// Over, with another client in their place.
    ending: HashMap<u64, Arc<Mapping>>,
}

impl Mappings {
    pub(super) fn new(most: usize, numbers: ClientNumbers) -> Self {
        Self { most: most.max(1), numbers, by_path: HashMap::new(), ending: HashMap::new() }
    }

    /// The mapping of a client, unless it is over.
    pub(super) fn find(&self, path: ReturnPath) -> Option<Arc<Mapping>> {
        self.by_path.get(&path).filter(|mapping| mapping.ending().is_none()).cloned()
    }

    /// Whether there is no room for another one before the way back of one that is over has ended.
    pub(super) fn is_full(&self) -> bool {
        self.by_path.len() + self.ending.len() >= self.most.saturating_add(MOST_ENDING)
    }

    /// A mapping for a client that has none. Where there are too many, that of the client silent for
    /// longest is over.
    pub(super) fn admit(
        &mut self,
        path: ReturnPath,
        socket: UdpSocket,
        target: SocketAddr,
    ) -> Arc<Mapping> {
        let number = self.numbers.draw().number();
        let mapping = Arc::new(Mapping::new(number, path, socket, target));
        let mut gone = self.by_path.insert(path, mapping.clone());
        if self.by_path.len() > self.most {
            let others = self.by_path.values().filter(|other| other.path() != path);
            let silent = others.min_by_key(|other| other.last()).map(|other| other.path());
            gone = silent.and_then(|silent| self.by_path.remove(&silent));
        }
        if let Some(gone) = gone {
            gone.end(Ending::Evicted);
            self.ending.insert(gone.number(), gone);
        }
        mapping
    }

    /// Ends all.
    pub(super) fn end(&self, ending: Ending) {
        self.by_path.values().for_each(|mapping| mapping.end(ending));
    }

    /// Takes out one whose way back has ended. Its client may be back with another one.
    pub(super) fn remove(&mut self, mapping: &Mapping) {
        let is_it = |other: &Arc<Mapping>| other.number() == mapping.number();
        if self.by_path.get(&mapping.path()).is_some_and(is_it) {
            self.by_path.remove(&mapping.path());
        } else {
            self.ending.remove(&mapping.number());
        }
    }

    /// Takes out all, those that are over as well, in the order they came.
    pub(super) fn drain(&mut self) -> Vec<Arc<Mapping>> {
        let live = std::mem::take(&mut self.by_path).into_values();
        let mut all: Vec<_> = live.chain(std::mem::take(&mut self.ending).into_values()).collect();
        all.sort_by_key(|mapping| mapping.number());
        all
    }
}

#[cfg(test)]
impl Mappings {
    /// With those that are over.
    pub(super) fn len(&self) -> usize {
        self.by_path.len() + self.ending.len()
    }

    pub(super) fn admitted(&self) -> u64 {
        self.numbers.drawn()
    }

    pub(super) const fn bound(&self) -> usize {
        self.most + MOST_ENDING
    }
}
