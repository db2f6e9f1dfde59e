//! `ports completions SHELL`: the completion script.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::exit::Exit;
use crate::output::Terminal;

pub(crate) fn run(args: &CompletionsArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ports", &mut script);
    let mut stdout = terminal.stdout()?;
    let written = stdout.write_all(&script).and_then(|()| stdout.flush());
    written.context("cannot write to standard output")?;
    Ok(Exit::Done)
}
