//! Questions to the kernel about sockets (`sock_diag(7)`).

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use sockets_sys::{
    ExchangeError, Message, NetlinkFlags, NetlinkProtocol, NetlinkReceiveError, NetlinkRequest,
    NetlinkSocket,
};

use super::bytecode::Half;
use super::{Dump, Family, inet, unix};
use crate::system::row::Row;
use crate::system::{Protocol, Query, Snapshot, SnapshotError};

/// The kind of questions and answers (`SOCK_DIAG_BY_FAMILY`).
pub(super) const BY_FAMILY: u16 = 20;
/// The kind before there were others than TCP's: it asks for both families (`TCPDIAG_GETSOCK`).
const TCP_OF_BOTH_FAMILIES: u16 = 18;
/// The kernel answers at once; longer than this and it never will.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest datagram of a dump: the kernel fills buffers of 32 KiB where there is a reader with
/// room for them (`netlink_dump` in `net/netlink/af_netlink.c`).
const BUFFER: usize = 64 * 1024;
/// How often a dump is asked for again that was interrupted.
const MOST_DUMPS: u32 = 4;

/// A connection to the kernel.
#[derive(Debug)]
pub(super) struct Diagnosis {
    socket: NetlinkSocket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diagnosis {
    pub(super) fn open() -> Result<Self, DiagError> {
        let socket = NetlinkSocket::open(NetlinkProtocol::SOCKET_DIAGNOSIS)
            .map_err(|source| DiagError::Open { source })?;
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    /// The one that is there, or a new one.
    pub(super) fn opened(place: &mut Option<Self>) -> Result<&mut Self, DiagError> {
        match place {
            Some(diagnosis) => Ok(diagnosis),
            none => Ok(none.insert(Self::open()?)),
        }
    }

    /// Adds the sockets of one dump to `snapshot`, or half of them.
    pub(super) fn dump(
        &mut self,
        dump: Dump,
        query: &Query,
        half: Option<Half>,
        snapshot: &mut Snapshot,
    ) -> Result<(), DiagError> {
        let before = snapshot.mark();
        let mut attempt = 1;
        loop {
            let result = self.exchange(dump, query, half, snapshot);
            let interrupted = matches!(
                result,
                Err(ExchangeError::Changed | ExchangeError::Receive(NetlinkReceiveError::Overrun))
            );
            match result {
                // What there is of it is true, if not all: better than nothing, and said.
                Err(ExchangeError::Changed) if attempt == MOST_DUMPS => {
                    snapshot.coverage.interrupted = true;
                    return Ok(());
                }
                Err(_) if interrupted && attempt < MOST_DUMPS => attempt += 1,
                Err(error) => {
                    snapshot.back_to(before);
                    return Err(DiagError::Exchange(error));
                }
                Ok(()) => return Ok(()),
            }
            snapshot.back_to(before);
        }
    }

    /// Asks for one socket, which `row` showed before, and adds it to `snapshot` where it is there and
    /// the query asks for it. Returns whether the answer is to be trusted: the kernel may refuse to tell
    /// for another reason than that there is none.
    pub(super) fn find(
        &mut self,
        row: &Row,
        query: &Query,
        snapshot: &mut Snapshot,
    ) -> Result<bool, DiagError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkRequest::new(BY_FAMILY, NetlinkFlags::GET, self.sequence);
        let dump = Dump::of(row.protocol);
        match dump {
            Dump::Inet { .. } => inet::question_of(&mut request, row, query),
            Dump::Unix => unix::question_of(&mut request, row),
        }
        let asked = self.socket.exchange(&request, &mut self.buffer, TIMEOUT, |message| {
            read(dump, &message, query, snapshot);
        });
        match asked {
            Ok(()) => Ok(true),
            // None of these ends, or another one (`sock_diag_check_cookie`).
            Err(ExchangeError::Refused { source, .. }) => {
                Ok(matches!(Errno::from_io_error(&source), Some(Errno::NOENT | Errno::STALE)))
            }
            Err(error) => Err(DiagError::Exchange(error)),
        }
    }

    fn exchange(
        &mut self,
        dump: Dump,
        query: &Query,
        half: Option<Half>,
        snapshot: &mut Snapshot,
    ) -> Result<(), ExchangeError> {
        self.sequence = self.sequence.wrapping_add(1);
        let kind = match dump {
            Dump::Inet { family: Family::Both, .. } => TCP_OF_BOTH_FAMILIES,
            _ => BY_FAMILY,
        };
        let mut request = NetlinkRequest::new(kind, NetlinkFlags::DUMP, self.sequence);
        match dump {
            Dump::Inet { protocol, family } => {
                inet::question(&mut request, protocol, family, query, half);
            }
            Dump::Unix => unix::question(&mut request, query),
        }
        self.socket.exchange(&request, &mut self.buffer, TIMEOUT, |message| {
            read(dump, &message, query, snapshot);
        })
    }
}

/// Adds the socket of a message, where it is one that the query asks for.
pub(super) fn read(dump: Dump, message: &Message<'_>, query: &Query, snapshot: &mut Snapshot) {
    if message.kind != BY_FAMILY && message.kind != TCP_OF_BOTH_FAMILIES {
        snapshot.coverage.malformed += 1;
        return;
    }
    match dump {
        Dump::Inet { protocol, .. } => inet::read(protocol, message.payload, query, snapshot),
        Dump::Unix => unix::read(message.payload, query, snapshot),
    }
}

/// Why the kernel did not tell of sockets.
#[derive(Debug)]
pub(super) enum DiagError {
    Open { source: io::Error },
    Exchange(ExchangeError),
}

impl DiagError {
    pub(super) fn about(self, protocol: Protocol) -> SnapshotError {
        match self {
            Self::Open { source } => SnapshotError::Open { source },
            Self::Exchange(source) => {
                SnapshotError::Ask { protocol, source: io::Error::other(source) }
            }
        }
    }

    /// Whether netlink is not to be had here, for all or for this question: a kernel without the
    /// module for it, or a sandbox.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Open { source }
            | Self::Exchange(
                ExchangeError::Refused { source, .. }
                | ExchangeError::Send { source }
                | ExchangeError::Reopen { source },
            ) => matches!(
                Errno::from_io_error(source),
                Some(
                    Errno::PERM
                        | Errno::ACCESS
                        | Errno::NOENT
                        | Errno::NOSYS
                        | Errno::OPNOTSUPP
                        | Errno::AFNOSUPPORT
                        | Errno::PROTONOSUPPORT
                        | Errno::CONNREFUSED
                )
            ),
            Self::Exchange(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_descriptors_are_no_refusal() {
        let open = |error: Errno| DiagError::Open { source: error.into() }.is_refusal();
        for error in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS] {
            assert!(!open(error), "{error:?}");
        }
        // A sandbox; a kernel without netlink, or without this part of it.
        for error in [Errno::PERM, Errno::ACCESS, Errno::AFNOSUPPORT, Errno::PROTONOSUPPORT] {
            assert!(open(error), "{error:?}");
        }
    }
}
