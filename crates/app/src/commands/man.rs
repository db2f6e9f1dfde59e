//! `ports man`: the manual page, each command with its own section.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::Args;
use crate::exit::Exit;
use crate::output::Terminal;

pub(crate) fn run(terminal: Terminal) -> anyhow::Result<Exit> {
    let mut command = Args::command();
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("ports {}", subcommand.get_name());
        let man = Man::new(subcommand.clone().name(name.clone()).bin_name(name.clone()));
        writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if subcommand.get_after_help().is_some() {
            man.render_extra_section(&mut page)?;
        }
    }
    // One page has all: there are no others to refer to, and what it says is no extra.
    let page = String::from_utf8(page)?.replace(".SH EXTRA", ".SH NOTES");
    let page = command.get_subcommands().fold(page, |page, subcommand| {
        let name = subcommand.get_name();
        page.replace(&format!("ports\\-{name}(1)"), &format!("ports {name}"))
    });
    let mut stdout = terminal.stdout()?;
    let written = stdout.write_all(page.as_bytes()).and_then(|()| stdout.flush());
    written.context("cannot write to standard output")?;
    Ok(Exit::Done)
}
