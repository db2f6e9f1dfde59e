//! How many sockets are in each state.

use std::collections::BTreeMap;

use serde::Serialize;
use stats::system::{Protocol, SocketRow, State};

use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "socket-summary")]
pub(super) struct SummaryLine {
    transport: Protocol,
    state: State,
    sockets: usize,
    /// Whether the kernel's list is known not to be whole.
    interrupted: bool,
}

/// By transport and state; only those that there are.
pub(super) fn count<'a>(
    sockets: impl Iterator<Item = SocketRow<'a>>,
    interrupted: bool,
) -> Vec<SummaryLine> {
    let mut counts = BTreeMap::new();
    for socket in sockets {
        *counts.entry((socket.protocol(), socket.state())).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((transport, state), sockets)| SummaryLine { transport, state, sockets, interrupted })
        .collect()
}

impl Row for SummaryLine {
    const FIELDS: &'static [&'static str] = &["transport", "state", "sockets"];
    const HEADINGS: &'static [&'static str] = &["PROTO", "STATE", "SOCKETS"];

    fn fields(&self, fields: &mut Cells) {
        fields.push(self.transport.name());
        fields.push(self.state.name());
        fields.push(self.sockets);
    }

    fn cells(&self, cells: &mut Cells) {
        self.fields(cells);
    }
}
