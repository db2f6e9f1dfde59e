//! `ports kill`: ends who holds a port.

mod aftermath;
mod consent;
mod end;
mod family;
mod row;
mod stop;
mod target;

use std::time::Duration;

use stats::system::{NoProcess, SystemSockets};
use tokio_util::sync::CancellationToken;

use self::aftermath::{later, left_behind, settle, taken_again};
use self::consent::{Consent, ask};
use self::end::{Outcome, Wish, end_all};
use self::row::KillLine;
use self::stop::Stop;
use self::target::{Holders, Target};
use super::keeper::Keeper;
use super::who::elsewhere;
use crate::args::{HeldPort, HeldPorts, KillArgs};
use crate::exit::{Exit, NotPermitted, UsageError};
use crate::output::{RowOutputs, Terminal, write_behind};

pub(crate) fn run(args: &KillArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let stopped = CancellationToken::new();
    let stdout = terminal.stdout()?.until(&stopped);
    let mut rows = RowOutputs::open::<KillLine>(&args.output, stdout)?;
    target::check_numbering()?;
    let Some((port, holders)) = held(&args.port)? else {
        rows.finish()?;
        terminal.warn(&format!(
            "nobody waits at {}; who only has a connection there is not ended",
            args.port
        ));
        if let Some(text) = elsewhere() {
            terminal.warn(&text);
        }
        return Ok(Exit::No);
    };
    if let Some(hidden) = holders.hidden() {
        terminal.warn(&hidden);
    }
    if holders.targets.is_empty() {
        rows.finish()?;
        return Err(match holders.why_none() {
            NoProcess::NotPermitted => {
                let is_root = rustix::process::geteuid().is_root();
                let todo = if is_root { ", even by root" } else { ": run as root" };
                NotPermitted(format!("who holds {port} is not to be seen{todo}")).into()
            }
            _ => anyhow::anyhow!(
                "{port} is held by no process that can be seen: by the kernel, in another PID \
                 namespace, or on its way from one process to another"
            ),
        });
    }
    if args.dry_run {
        // One that is spared spares all.
        let is_spared = spared(&holders.targets, args.force).is_some();
        let outcome = if is_spared { Outcome::Spared } else { Outcome::WouldEnd };
        for target in holders.targets {
            rows.write(&KillLine::new(target, &outcome))?;
        }
        rows.finish()?;
        return Ok(Exit::Done);
    }
    if let Some((target, why)) = spared(&holders.targets, args.force) {
        let command = Keeper::stop(target.keepers());
        let instead = command.map(|command| format!("{command} stops that, ")).unwrap_or_default();
        let text =
            format!("{target} holds {port} and is {why}: {instead}--force ends it all the same");
        return Err(UsageError(text).into());
    }
    match if args.yes { Consent::Given } else { ask(&holders.targets)? } {
        Consent::Given => {}
        Consent::Refused => {
            rows.finish()?;
            return Ok(Exit::No);
        }
        Consent::NobodyToAsk => {
            let list: Vec<String> = holders.targets.iter().map(ToString::to_string).collect();
            let text = format!("this would end {}: say --yes, or --dry-run", list.join(", "));
            return Err(UsageError(text).into());
        }
    }
    // Up to here a signal ends this process, and nothing was done. What is begun goes on, whoever reads.
    write_behind();
    let wish = Wish { port, signal: args.signal, timeout: args.timeout };
    let settle = args.settle.unwrap_or_else(|| settle(&holders.targets));
    end(holders, (wish, settle), rows, terminal, &Stop::listen(stopped)?)
}

/// The port that is held, of those that are meant, and by whom. Where a name stands for several that
/// are, the user has to say which: nobody is ended for having another one.
fn held(ports: &HeldPorts) -> anyhow::Result<Option<(HeldPort, Holders)>> {
    let mut held = Vec::new();
    for port in ports.iter() {
        let holders = Holders::of(port)?;
        if !holders.is_nobody() {
            held.push((port, holders));
        }
    }
    if held.len() > 1 {
        let list: Vec<String> = held.iter().map(|(port, _)| port.as_argument()).collect();
        let text = format!("of {ports}, several are held: say which ({})", list.join(", "));
        return Err(UsageError(text).into());
    }
    Ok(held.pop())
}

/// Ends them, and tells what became of them and of the port.
fn end(
    holders: Holders,
    (wish, settle): (Wish, Duration),
    mut rows: RowOutputs,
    terminal: Terminal,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    let is_hidden = holders.hidden().is_some();
    let Wish { port, signal, .. } = wish;
    let asked = |target: &Target| {
        if terminal.is_verbose() {
            terminal.note(&format!("{} was sent to {target}", signal.name()));
        }
    };
    let outcomes = end_all(holders.targets, wish, stop, asked)?;
    for text in left_behind(port, &outcomes) {
        terminal.warn(&text);
    }
    let later = later(port, &outcomes);
    let mut exit = if is_hidden { Exit::NotPermitted } else { Exit::Done };
    let mut are_over = true;
    for (target, outcome) in outcomes {
        exit = worse(exit, outcome.exit());
        are_over &= !matches!(outcome, Outcome::Signalled(_));
        if let Some(error) = outcome.error() {
            terminal.error(&anyhow::anyhow!("{error}").context(format!("cannot end {target}")));
        }
        rows.write(&KillLine::new(target, &outcome))?;
    }
    // Before the port is watched: that takes its time.
    rows.finish()?;
    if exit == Exit::Done && are_over {
        if let Some(text) = taken_again(port, settle, stop)? {
            terminal.warn(&text);
            exit = Exit::No;
        } else if stop.is_wished() {
            terminal
                .warn(&format!("interrupted: whether {port} is taken again was not waited for"));
        } else {
            for text in later {
                terminal.warn(&text);
            }
        }
    }
    Ok(stop.or_interrupted(exit))
}

/// The first that is not ended without being told, and why.
fn spared(targets: &[Target], force: bool) -> Option<(&Target, &str)> {
    let spared = targets.iter().find(|target| target.is_spared(force))?;
    Some((spared, spared.why_spared()?))
}

/// What failed outweighs what was not permitted, and that what was done.
const fn worse(a: Exit, b: Exit) -> Exit {
    match (a, b) {
        (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
        (Exit::NotPermitted, _) | (_, Exit::NotPermitted) => Exit::NotPermitted,
        _ => Exit::Done,
    }
}

/// Nothing remembered: each call reads anew.
fn sockets() -> SystemSockets {
    SystemSockets::new()
}
