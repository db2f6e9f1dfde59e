//! Asking before a process is ended.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;

use super::Target;
use crate::PATIENCE;
use crate::commands::keeper::Keeper;
use crate::output::flush_standard_error;

/// What the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    Refused,
    NobodyToAsk,
}

/// Asks on the terminal; only `y` and `yes` are a yes.
pub(super) fn ask(targets: &[Target]) -> anyhow::Result<Consent> {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(Consent::NobodyToAsk);
    }
    // What was said before comes before.
    flush_standard_error(PATIENCE);
    for target in targets {
        let keepers = target.keepers();
        let of = if keepers.is_empty() {
            String::new()
        } else {
            format!("; of {}, which may start it again", Keeper::names(keepers))
        };
        writeln!(stderr, "{target}: {}{of}", target.sockets.join(", ")).context("cannot ask")?;
    }
    let question = if targets.len() == 1 { "End it?" } else { "End them?" };
    write!(stderr, "{question} [y/N] ").context("cannot ask")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer).context("cannot read the answer")?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(if matches!(answer.as_str(), "y" | "yes") { Consent::Given } else { Consent::Refused })
}
