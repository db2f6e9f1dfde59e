//! A socket as an event has it: everything in it, nothing borrowed.

use serde::Serialize;

use crate::system::row::Row;
use crate::system::{Address, EndedSocket, Protocol, SocketRow, State};

/// What is known of a socket at one moment; it keeps nothing of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SocketRecord {
    /// What it speaks.
    #[serde(rename = "transport")]
    pub protocol: Protocol,
    /// Its address, printed.
    pub local: String,
    /// The peer's, printed.
    pub peer: Option<String>,
    /// Its state; `None` for one that was only heard to end.
    pub state: Option<State>,
    /// Whose it is; in an event, of one that nobody has any more, whose it was when it was last seen.
    pub uid: Option<u32>,
    /// Its inode.
    pub inode: Option<u64>,
    /// Its cookie.
    pub cookie: Option<u64>,
    /// The processes that have it, each once; in an event, of one that nobody has any more, those that
    /// had it last.
    pub processes: Vec<ProcessRecord>,
}

/// A process, by number and short name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProcessRecord {
    /// The number.
    pub pid: u32,
    /// The name.
    pub name: String,
}

impl SocketRecord {
    /// Of a row of a snapshot.
    pub fn of(row: SocketRow<'_>) -> Self {
        let mut processes: Vec<ProcessRecord> = row
            .holdings()
            .map(|holding| ProcessRecord {
                pid: holding.process.pid(),
                name: holding.process.name().to_owned(),
            })
            .collect();
        // By pid in the snapshot, one for each descriptor.
        processes.dedup();
        Self {
            protocol: row.protocol(),
            local: row.local().to_string(),
            peer: row.peer().map(|peer| peer.to_string()),
            state: Some(row.state()),
            uid: row.uid(),
            inode: row.inode(),
            cookie: row.cookie(),
            processes,
        }
    }
}

/// Of a socket that nobody saw but in its end.
pub(super) fn record_ended(ended: &EndedSocket) -> SocketRecord {
    let peer = (ended.peer.port() != 0).then_some(ended.peer);
    SocketRecord {
        protocol: ended.protocol,
        local: Address::Ip(ended.local).to_string(),
        peer: peer.map(|peer| peer.to_string()),
        state: None,
        uid: None,
        inode: None,
        cookie: ended.cookie,
        processes: Vec::new(),
    }
}

/// A row for the filters of a query: of whatever state it was, it is over.
pub(super) fn row_of(ended: &EndedSocket) -> Row {
    let state = match ended.protocol {
        Protocol::Tcp => State::Established,
        _ => State::Unconnected,
    };
    let interface = ended.interface.unwrap_or_default();
    Row { interface, ..Row::new(ended.protocol, state, (ended.local, ended.peer)) }
}
