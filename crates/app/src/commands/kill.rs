//! `ports kill`: ends who holds ports.

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
use crate::exit::{Exit, NotPermitted, UsageError, report};
use crate::output::{RowOutputs, Terminal, write_behind};

pub(crate) fn run(args: &KillArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let stopped = CancellationToken::new();
    let stdout = terminal.stdout()?.until(&stopped);
    let mut rows = RowOutputs::open::<KillLine>(&args.output, stdout)?;
    target::check_numbering()?;
    let Found { mut ports, holders, nobody } = find(&args.ports)?;
    if !nobody.is_empty() {
        terminal.warn(&format!(
            "nobody waits at {}; who only has a connection there is not ended",
            HeldPorts::in_words(&nobody)
        ));
        if let Some(text) = elsewhere() {
            terminal.warn(&text);
        }
    }
    if let Some(hidden) = holders.hidden(&ports) {
        terminal.warn(&hidden);
    }
    let mut exit = if nobody.is_empty() { Exit::Done } else { Exit::No };
    for error in without_process(&mut ports, &holders) {
        exit = worse(exit, report(&error, terminal));
    }
    if ports.is_empty() {
        rows.finish()?;
        return Ok(exit);
    }
    if args.dry_run {
        // One that is spared spares all.
        let is_spared = spared(&holders.targets, args.force).is_some();
        let outcome = if is_spared { Outcome::Spared } else { Outcome::WouldEnd };
        for target in holders.targets {
            rows.write(&KillLine::new(target, &outcome))?;
        }
        rows.finish()?;
        return Ok(exit);
    }
    if let Some((target, why)) = spared(&holders.targets, args.force) {
        let command = Keeper::stop(target.keepers());
        let instead = command.map(|command| format!("{command} stops that, ")).unwrap_or_default();
        let at = target.at(&ports);
        let text =
            format!("{target} holds {at} and is {why}: {instead}--force ends it all the same");
        return Err(UsageError(text).into());
    }
    match if args.yes { Consent::Given } else { ask(&holders.targets)? } {
        Consent::Given => {}
        Consent::Refused => {
            rows.finish()?;
            return Ok(worse(exit, Exit::No));
        }
        Consent::NobodyToAsk => {
            let list: Vec<String> = holders.targets.iter().map(ToString::to_string).collect();
            let text = format!("this would end {}: say --yes, or --dry-run", list.join(", "));
            return Err(UsageError(text).into());
        }
    }
    // Up to here a signal ends this process, and nothing was done. What is begun goes on, whoever reads.
    write_behind();
    let wish = Wish { ports: &ports, signal: args.signal, timeout: args.timeout };
    let settle = args.settle.unwrap_or_else(|| settle(&holders.targets));
    let stop = Stop::listen(stopped)?;
    let ended = end(holders, (wish, settle), rows, terminal, &stop)?;
    Ok(stop.or_interrupted(worse(exit, ended)))
}

/// Who is where, of the ports that were asked for.
struct Found {
    /// Those that are held.
    ports: Vec<HeldPort>,
    holders: Holders,
    /// What nobody holds.
    nobody: Vec<HeldPorts>,
}

/// Where a name stands for several ports that are held, the user has to say which: nobody is ended for
/// having another one.
fn find(asked: &[HeldPorts]) -> anyhow::Result<Found> {
    let mut ports = HeldPorts::distinct(asked);
    let holders = Holders::of(&ports)?;
    let mut nobody = Vec::new();
    for named in asked {
        let held: Vec<HeldPort> =
            named.iter().filter(|port| !holders.is_nobody_at(*port)).collect();
        if held.len() > 1 {
            let list: Vec<String> = held.iter().map(|port| port.as_argument()).collect();
            let text = format!("of {named}, several are held: say which ({})", list.join(", "));
            return Err(UsageError(text).into());
        }
        if held.is_empty() {
            nobody.push(named.clone());
        }
    }
    ports.retain(|port| !holders.is_nobody_at(*port));
    Ok(Found { ports, holders, nobody })
}

/// Takes out the ports that no process is seen at, and says why that is.
fn without_process(ports: &mut Vec<HeldPort>, holders: &Holders) -> Vec<anyhow::Error> {
    let mut errors = Vec::new();
    ports.retain(|port| {
        let Some(why) = holders.why_none(*port) else { return true };
        errors.push(if why == NoProcess::NotPermitted {
            let is_root = rustix::process::geteuid().is_root();
            let todo = if is_root { ", even by root" } else { ": run as root" };
            NotPermitted(format!("who holds {port} is not to be seen{todo}")).into()
        } else {
            anyhow::anyhow!(
                "{port} is held by no process that can be seen: by the kernel, in another PID \
                 namespace, or on its way from one process to another"
            )
        });
        false
    });
    errors
}

/// Ends them, and tells what became of them and of the port.
fn end(
    holders: Holders,
    (wish, settle): (Wish<'_>, Duration),
    mut rows: RowOutputs,
    terminal: Terminal,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    let Wish { ports, signal, .. } = wish;
    let is_hidden = holders.hidden(ports).is_some();
    let asked = |target: &Target| {
        if terminal.is_verbose() {
            terminal.note(&format!("{} was sent to {target}", signal.name()));
        }
    };
    let outcomes = end_all(holders.targets, wish, stop, asked)?;
    for text in left_behind(ports, &outcomes) {
        terminal.warn(&text);
    }
    let later = later(ports, &outcomes);
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
        let again = taken_again(ports, settle, stop)?;
        if !again.is_empty() {
            for text in again {
                terminal.warn(&text);
            }
            exit = Exit::No;
        } else if stop.is_wished() {
            let ports = HeldPort::in_words(ports);
            terminal
                .warn(&format!("interrupted: whether {ports} is taken again was not waited for"));
        } else {
            for text in later {
                terminal.warn(&text);
            }
        }
    }
    Ok(exit)
}

/// The first that is not ended without being told, and why.
fn spared(targets: &[Target], force: bool) -> Option<(&Target, &str)> {
    let spared = targets.iter().find(|target| target.is_spared(force))?;
    Some((spared, spared.why_spared()?))
}

/// What failed outweighs what was not permitted, that a "no", and that what was done.
const fn worse(a: Exit, b: Exit) -> Exit {
    match (a, b) {
        (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
        (Exit::NotPermitted, _) | (_, Exit::NotPermitted) => Exit::NotPermitted,
        (Exit::No, _) | (_, Exit::No) => Exit::No,
        _ => Exit::Done,
    }
}

/// Nothing remembered: each call reads anew.
fn sockets() -> SystemSockets {
    SystemSockets::new()
}
