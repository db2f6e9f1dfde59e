//! `ports completions SHELL`: the completion script.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::exit::Exit;

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ports", &mut script);
    std::io::stdout().lock().write_all(&script).context("cannot write to standard output")?;
    Ok(Exit::Done)
}
