//! The clients of a UDP forwarding, bounded in number.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sockets_udp::{ReturnPath, UdpSocket};

use super::session::Session;

/// The clients, never more than so many.
pub(super) struct Sessions {
    most: usize,
    admitted: u64,
    by_path: HashMap<ReturnPath, Arc<Session>>,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), admitted: 0, by_path: HashMap::new() }
    }

    /// The session of a client, unless it is over.
    pub(super) fn find(&self, path: ReturnPath) -> Option<Arc<Session>> {
        self.by_path.get(&path).filter(|session| session.ending().is_none()).cloned()
    }

    /// A session for a client that has none; and the one that was in the way.
    pub(super) fn admit(
        &mut self,
        path: ReturnPath,
        socket: UdpSocket,
        target: SocketAddr,
    ) -> (Arc<Session>, Option<Arc<Session>>) {
        self.admitted += 1;
        let session = Arc::new(Session::new(self.admitted, path, socket, target));
        let mut gone = self.by_path.insert(path, session.clone());
        if self.by_path.len() > self.most {
            let others = self.by_path.values().filter(|other| other.path() != path);
            let silent = others.min_by_key(|other| other.last()).map(|other| other.path());
            gone = silent.and_then(|silent| self.by_path.remove(&silent));
        }
        (session, gone)
    }

    /// Looks for each client whether its target is there.
    pub(super) fn look(&self) {
        self.by_path.values().for_each(|session| session.look());
    }

    /// Takes out the session of a client if it is over.
    pub(super) fn remove_ended(&mut self, path: ReturnPath) -> Option<Arc<Session>> {
        let over = self.by_path.get(&path)?.ending().is_some();
        over.then(|| self.by_path.remove(&path)).flatten()
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Session>> {
        std::mem::take(&mut self.by_path).into_values()
    }
}
