//! An event of a socket, as a JSON line.

use std::time::SystemTime;

use serde::Serialize;
use stats::system::{SocketEvent, SocketEventKind, SocketRecord, State};

use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    /// What is told from now on.
    Watching { time_ms: u64, sockets: usize, interrupted: bool, endings: bool, interval_ms: u128 },
    Opened {
        time_ms: u64,
        #[serde(flatten)]
        socket: &'a SocketRecord,
    },
    Changed {
        time_ms: u64,
        from: State,
        #[serde(flatten)]
        socket: &'a SocketRecord,
    },
    Closed {
        time_ms: u64,
        #[serde(flatten)]
        socket: &'a SocketRecord,
        seen_ms: u128,
        whole: bool,
        bytes_received: Option<u64>,
        bytes_acknowledged: Option<u64>,
    },
    /// Events that are not told one by one, or not rightly.
    Missed { time_ms: u64, events: u64, losses: u64, forgotten: u64, interrupted: bool },
}

impl<'a> Line<'a> {
    pub(super) fn of(event: &'a SocketEvent) -> Self {
        let (time_ms, socket) = (millis(event.time), &event.socket);
        match event.kind {
            SocketEventKind::Opened => Self::Opened { time_ms, socket },
            SocketEventKind::Changed { from } => Self::Changed { time_ms, from, socket },
            SocketEventKind::Closed { seen, is_whole, bytes_received, bytes_acknowledged } => {
                Self::Closed {
                    time_ms,
                    socket,
                    seen_ms: seen.as_millis(),
                    whole: is_whole,
                    bytes_received,
                    bytes_acknowledged,
                }
            }
            // Kinds that are not known yet are counted, not told.
            _ => Self::Missed { time_ms, events: 1, losses: 0, forgotten: 0, interrupted: false },
        }
    }
}

/// Since 1970-01-01 UTC.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Only ever a JSON line.
impl Row for Line<'_> {
    const FIELDS: &'static [&'static str] = &[];
    const HEADINGS: &'static [&'static str] = &[];

    fn fields(&self, _: &mut Cells) {}

    fn cells(&self, _: &mut Cells) {}
}
