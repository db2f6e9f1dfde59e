//! What became of a holder, as a row.

use serde::Serialize;

use super::{Outcome, Target};
use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename = "kill")]
pub(super) struct KillLine {
    pid: u32,
    name: String,
    user: Option<String>,
    command: Vec<String>,
    sockets: Vec<String>,
    outcome: &'static str,
    elapsed_ms: Option<u128>,
}

impl KillLine {
    pub(super) fn new(target: Target, outcome: &Outcome) -> Self {
        let Target { pid, name, user, command, sockets, .. } = target;
        let elapsed_ms = outcome.elapsed().map(|elapsed| elapsed.as_millis());
        Self { pid, name, user, command, sockets, outcome: outcome.name(), elapsed_ms }
    }
}

impl Row for KillLine {
    const FIELDS: &'static [&'static str] =
        &["pid", "name", "user", "sockets", "outcome", "elapsed_ms"];
    const HEADINGS: &'static [&'static str] = &["PID", "PROCESS", "USER", "OUTCOME", "SOCKETS"];

    fn fields(&self, fields: &mut Cells) {
        fields.push(self.pid);
        fields.push(&self.name);
        fields.push(self.user.as_deref().unwrap_or_default());
        fields.push(self.sockets.join("; "));
        fields.push(self.outcome);
        fields.push(self.elapsed_ms.map(|elapsed| elapsed.to_string()).unwrap_or_default());
    }

    fn cells(&self, cells: &mut Cells) {
        cells.push(self.pid);
        cells.push(&self.name);
        cells.push(self.user.as_deref().unwrap_or("-"));
        cells.push(self.outcome);
        cells.push(self.sockets.join(", "));
    }
}
