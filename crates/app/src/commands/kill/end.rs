//! Ending processes by their descriptors (`pidfd_open(2)`): a pid that was used again in between is
//! never hit.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::stop::{Stop, Waited};
use super::{Holders, Target};
use crate::args::{EndSignal, HeldPort};
use crate::exit::Exit;

/// How long the kernel may take to end a process that was killed.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// What the user wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) port: HeldPort,
    /// What is sent first.
    pub(super) signal: EndSignal,
    /// How long a holder has to end by itself.
    pub(super) timeout: Duration,
}

/// What became of a process.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was only asked who would be ended.
    WouldEnd,
    /// The same, of one that would not be.
    Spared,
    /// It had ended, or let go of the port, before it was signalled.
    LetGo,
    /// It ended by the signal that it was asked with.
    Ended(Duration),
    /// It had to be killed.
    Killed(Duration),
    /// It was asked to end, has let go of the port since, and goes on: that is all that was wanted.
    Freed,
    /// This signal was sent last, and the user stopped the waiting before it ended.
    Signalled(EndSignal),
    /// It may not be signalled.
    NotPermitted(io::Error),
    /// It was killed and is still there: it waits in the kernel.
    StillThere,
    /// It could not be signalled.
    Failed(io::Error),
}

impl Outcome {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::WouldEnd => "would-end",
            Self::Spared => "spared",
            Self::LetGo => "let-go",
            Self::Ended(_) => "ended",
            Self::Killed(_) => "killed",
            Self::Freed => "freed",
            Self::Signalled(_) => "signalled",
            Self::NotPermitted(_) => "not-permitted",
            Self::StillThere => "still-there",
            Self::Failed(_) => "failed",
        }
    }

    pub(super) const fn elapsed(&self) -> Option<Duration> {
        match self {
            Self::Ended(elapsed) | Self::Killed(elapsed) => Some(*elapsed),
            _ => None,
        }
    }

    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::NotPermitted(_) => Exit::NotPermitted,
            Self::StillThere | Self::Failed(_) => Exit::Failed,
            _ => Exit::Done,
        }
    }

    pub(super) const fn error(&self) -> Option<&io::Error> {
        match self {
            Self::NotPermitted(error) | Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// Asks all of them to end, waits, and kills those that did not and still have the port; tells each that
/// was asked. Once the user wants to stop nobody is waited for any more, and nobody killed.
pub(super) fn end_all(
    targets: Vec<Target>,
    wish: Wish,
    stop: &Stop,
    mut asked: impl FnMut(&Target),
) -> anyhow::Result<Vec<(Target, Outcome)>> {
    let opened: Vec<_> = targets.into_iter().map(|target| (open(target.pid), target)).collect();
    // From here on a descriptor is one process for ever; whether it is the holder is looked at now.
    let now = Holders::of(wish.port)?;
    let mut ended = Vec::new();
    let mut waited_for = Vec::new();
    let started = Instant::now();
    for (process, target) in opened {
        let process = match process {
            Ok(Some(process)) if now.has(&target) => process,
            Ok(_) => {
                ended.push((target, Outcome::LetGo));
                continue;
            }
            Err(error) => {
                ended.push((target, failed(error)));
                continue;
            }
        };
        match signal(&process, wish.signal.into()) {
            Ok(()) => {
                asked(&target);
                waited_for.push((process, target));
            }
            Err(outcome) => ended.push((target, outcome)),
        }
    }
    for (process, target) in waited_for {
        let outcome = outcome(&process, &target, wish, started, stop);
        // What was done to the others is to be told all the same.
        ended.push((target, outcome.unwrap_or_else(Outcome::Failed)));
    }
    ended.sort_by_key(|(target, _)| target.pid);
    Ok(ended)
}

/// What becomes of a process that was signalled when it all `started`.
fn outcome(
    process: &OwnedFd,
    target: &Target,
    wish: Wish,
    started: Instant,
    stop: &Stop,
) -> io::Result<Outcome> {
    match stop.wait_for(process, wish.timeout.saturating_sub(started.elapsed()))? {
        Waited::Ended if wish.signal == EndSignal::Kill => Ok(Outcome::Killed(started.elapsed())),
        Waited::Ended => Ok(Outcome::Ended(started.elapsed())),
        Waited::Stopped => Ok(Outcome::Signalled(wish.signal)),
        // Who was sent SIGKILL goes on in no way.
        Waited::InVain if wish.signal != EndSignal::Kill && !still_holds(wish.port, target)? => {
            // It may have ended while that was looked for.
            Ok(match stop.wait_for(process, Duration::ZERO)? {
                Waited::Ended => Outcome::Ended(started.elapsed()),
                _ => Outcome::Freed,
            })
        }
        Waited::InVain => match signal(process, Signal::KILL) {
            // It ended just now.
            Err(Outcome::LetGo) => Ok(Outcome::Ended(started.elapsed())),
            Err(outcome) => Ok(outcome),
            Ok(()) => Ok(match stop.wait_for(process, AFTER_KILL)? {
                Waited::Ended => Outcome::Killed(started.elapsed()),
                Waited::InVain => Outcome::StillThere,
                Waited::Stopped => Outcome::Signalled(EndSignal::Kill),
            }),
        },
    }
}

/// Looks once more: who has let go of the port meanwhile, as a server does that first serves those it has
/// accepted, is not to be killed.
fn still_holds(port: HeldPort, target: &Target) -> io::Result<bool> {
    match Holders::of(port) {
        Ok(holders) => Ok(holders.has(target)),
        Err(error) => {
            Err(io::Error::other(format!("whether it still holds {port} is not known: {error:#}")))
        }
    }
}

/// `None` where there is no such process any more.
fn open(pid: u32) -> Result<Option<OwnedFd>, Errno> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

fn signal(process: &OwnedFd, signal: Signal) -> Result<(), Outcome> {
    match pidfd_send_signal(process, signal) {
        Ok(()) => Ok(()),
        Err(Errno::SRCH) => Err(Outcome::LetGo),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: Errno) -> Outcome {
    match error {
        Errno::PERM | Errno::ACCESS => Outcome::NotPermitted(error.into()),
        error => Outcome::Failed(error.into()),
    }
}

impl From<EndSignal> for Signal {
    fn from(signal: EndSignal) -> Self {
        match signal {
            EndSignal::Term => Self::TERM,
            EndSignal::Int => Self::INT,
            EndSignal::Quit => Self::QUIT,
            EndSignal::Hup => Self::HUP,
            EndSignal::Kill => Self::KILL,
        }
    }
}
