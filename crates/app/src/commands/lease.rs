//! `ports lease`: a command that has its ports to itself.

mod project;
mod request;

use std::io;
use std::process::Command;

use anyhow::Context;
use ports_core::Port;
use ports_lease::{ExecError, Lease, PassedOverReason, bind, lease, squatters};

pub(super) use self::request::request;
use crate::PATIENCE;
use crate::args::LeaseArgs;
use crate::exit::{Exit, LeaseFailure, UsageError};
use crate::output::{Terminal, flush_standard_error};

/// Becomes the command; returns only where that failed.
pub(crate) fn run(args: &LeaseArgs, terminal: Terminal) -> Exit {
    let [program, arguments @ ..] = args.command.as_slice() else {
        // It is a required argument.
        return Exit::Lease(LeaseFailure::Own);
    };
    let mut command = Command::new(program);
    command.args(arguments);
    sockets_sys::as_started(&mut command);
    let (error, failure) = match become_it(args, &mut command, terminal) {
        Ok(error) => {
            let failure = match &error {
                ExecError::Program { source, .. } => match source.kind() {
                    io::ErrorKind::NotFound => LeaseFailure::NoCommand,
                    _ => LeaseFailure::NotRun,
                },
                _ => LeaseFailure::Own,
            };
            (error.into(), failure)
        }
        Err(error) => (error, LeaseFailure::Own),
    };
    terminal.error(&error);
    Exit::Lease(failure)
}

/// Returns why the command could not be run, or why there is no lease for it.
fn become_it(
    args: &LeaseArgs,
    command: &mut Command,
    terminal: Terminal,
) -> anyhow::Result<ExecError> {
    let mut request = request(&args.ports);
    if let Some(port) = args.port {
        check_run(port, args.ports.count)?;
        request = request.exact(port);
    }
    if let Some(name) = &args.name {
        let directory = std::env::current_dir().context("cannot tell the current directory")?;
        request = request.name(name).project(project::of(&directory));
    }
    if args.fd {
        if args.ports.address.is_none() {
            request = request::at_loopback(request, &args.ports);
        }
        let bound = bind(&request)?;
        say(bound.lease(), true, terminal);
        flush_standard_error(PATIENCE);
        Ok(bound.exec(command))
    } else {
        let held = lease(&request)?;
        say(&held, false, terminal);
        flush_standard_error(PATIENCE);
        Ok(held.exec(command))
    }
}

/// Ports that follow `first` have to be ports, too.
fn check_run(first: Port, count: u16) -> anyhow::Result<()> {
    // The last port that so many ports can begin at.
    let highest = Port::MAX.number() - (count - 1);
    if first.number() > highest {
        let text = format!(
            "--port {first} --count {count} goes past {}, the last port: with --count {count}, \
             --port may be {highest} at most",
            Port::MAX
        );
        return Err(UsageError(text).into());
    }
    Ok(())
}

/// That an outgoing connection may take it first, and the beginning of what helps.
pub(super) fn ephemeral(lease: &Lease) -> String {
    format!(
        "{lease}: in the kernel's ephemeral range, so that an outgoing connection may take it \
         first (reserve a range by net.ipv4.ip_local_reserved_ports"
    )
}

/// What the user should know of the lease.
fn say(lease: &Lease, is_bound: bool, terminal: Terminal) {
    terminal.note(&format!("{lease}"));
    if lease.is_ephemeral() && !is_bound {
        terminal.warn(&format!("{} and lease from it, or use --fd)", ephemeral(lease)));
    }
    let locked = |over: &&ports_lease::PassedOver| over.reason == PassedOverReason::Locked;
    if !lease.passed_over().iter().any(|over| locked(&over)) {
        return;
    }
    // Where they cannot be listed nothing is known against them.
    for record in squatters().unwrap_or_default() {
        let was_passed = |over: &ports_lease::PassedOver| {
            (over.transport, over.port) == (record.transport, record.port)
        };
        if lease.passed_over().iter().any(was_passed) {
            let (transport, port) = (record.transport, record.port);
            terminal.warn(&format!(
                "{transport} port {port} was skipped: the name of its lock, \
                 `@ports-lease/{transport}/{port}`, is held by {record}, which is no lease"
            ));
        }
    }
}
