//! `ports sniff`: see packets as they pass.

mod links;
mod row;
mod sinks;

use std::io;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use sockets_raw::{
    Capability, Filter, FilterBuilder, Grant, Interface, InterfaceError, OpenError, SniffError,
    SniffedPacket, Sniffer,
};
use tokio::task::spawn_blocking;

use crate::args::{Condition, Expression, SniffArgs};
use crate::exit::{Exit, UsageError};
use crate::output::{SniffStart, SniffSummary, Terminal, counted, stop_when_gone};
use crate::signals::Signals;
use links::Links;
use sinks::Sinks;

/// How often it is looked whether an interface that went down is still there, as long as nothing comes.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    args: SniffArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    let filter = filter(&args)?;
    let mut links = Links::load()?;
    let mut builder = Sniffer::builder().filter(filter);
    let mut watched = None;
    if let Some(name) = &args.interface {
        let index = links.index(name);
        let index = index.ok_or_else(|| UsageError(format!("there is no interface `{name}`")))?;
        builder = builder.interface(index);
        watched = Some(Watched { index, name: name.clone() });
    }
    // The sniffer before the files: without permission, none is emptied.
    let mut sniffer = builder.open().map_err(not_permitted)?;
    let paths = args.output.output.iter().map(|file| &file.path).chain(&args.write);
    let opening = signals.opening(paths, terminal);
    let mut sinks = Sinks::open(&args, terminal.stdout()?.until(signals.stop()))?;
    drop(opening);
    if args.output.output.is_empty() && args.write.is_none() {
        stop_when_gone(io::stdout(), signals.stop());
    }

    let (stop, stopper) = (signals.stop().clone(), sniffer.stopper());
    tokio::spawn(async move {
        stop.cancelled().await;
        stopper.stop();
    });
    let most = args.count.unwrap_or(u64::MAX);
    let (summary, end) = spawn_blocking(move || {
        sinks.start(&SniffStart {
            started_ms: milliseconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?),
            interface: args.interface.as_deref(),
            filter: args.filter.join(" "),
        })?;
        let started = Instant::now();
        let mut packets = Packets { sinks: &mut sinks, links: &mut links, shown: 0, most };
        let end = packets.sniff(&mut sniffer, watched.as_ref(), terminal)?;
        let packets = packets.shown;
        let statistics = sniffer.statistics().context("cannot read the kernel's counts")?;
        let summary = SniffSummary {
            packets,
            kernel_drops: statistics.dropped,
            unreadable: sniffer.unreadable(),
            elapsed_ms: milliseconds(started.elapsed()),
        };
        sinks.summary(&summary)?;
        anyhow::Ok((summary, end))
    })
    .await
    .context("the sniffer did not come to its end")??;
    if summary.kernel_drops > 0 {
        let packets = counted(summary.kernel_drops, "packet", "packets");
        terminal.warn(&format!("lost what came faster than it was taken: {packets}"));
    }
    match end {
        End::Wanted => Ok(signals.or_interrupted(Exit::Done)),
        End::Gone(name) => Err(anyhow::anyhow!("the interface `{name}` is gone")),
    }
}

fn filter(args: &SniffArgs) -> anyhow::Result<Filter> {
    let usage = |error: &dyn std::fmt::Display| UsageError(error.to_string());
    let expression = Expression::parse(&args.filter).map_err(|error| usage(&error))?;
    let mut builder: FilterBuilder = Filter::builder();
    if let Some(protocol) = expression.protocol {
        builder = builder.protocol(protocol);
    }
    for condition in expression.conditions {
        builder = match condition {
            Condition::Host(end, host) => builder.host(end, host),
            Condition::Ports(end, range) => builder.ports(end, range),
        };
    }
    Ok(builder.build().map_err(|error| usage(&error))?)
}

/// Why it ended.
enum End {
    /// There were enough packets, or it was told to stop.
    Wanted,
    /// The interface with this name is not there any more.
    Gone(String),
}

/// The one interface that is listened at.
struct Watched {
    index: u32,
    name: String,
}

/// Packets on their way to where they are shown.
struct Packets<'a> {
    sinks: &'a mut Sinks,
    links: &'a mut Links,
    shown: u64,
    most: u64,
}

impl Packets<'_> {
    /// Shows packets until there are enough, or it is told to stop, or nothing can come any more.
    fn sniff(
        &mut self,
        sniffer: &mut Sniffer,
        watched: Option<&Watched>,
        terminal: Terminal,
    ) -> anyhow::Result<End> {
        let mut patience = Duration::MAX;
        loop {
            let before = self.shown;
            let is_stopped = sniffer.is_stopped();
            match sniffer.receive(patience) {
                Ok(seen) => self.show(seen)?,
                Err(error @ SniffError::InterfaceDown { .. }) => {
                    match watched {
                        Some(Watched { name, .. }) => {
                            terminal.warn(&format!("the interface `{name}` is down"));
                        }
                        None => terminal.warn(&error.to_string()),
                    }
                    // The kernel says that it went down, and not whether it is taken away then.
                    patience = LOOK_AGAIN;
                }
                Err(error) => return Err(error.into()),
            }
            let came = self.shown > before;
            // What was queued when it was stopped is shown; what comes for ever after is not.
            if self.shown == self.most || is_stopped || (sniffer.is_stopped() && !came) {
                return Ok(End::Wanted);
            }
            if came {
                patience = Duration::MAX;
            } else if let Some(Watched { index, name }) = watched
                && let Err(InterfaceError::NoSuchIndex { .. }) = Interface::by_index(*index)
            {
                return Ok(End::Gone(name.clone()));
            }
        }
    }

    fn show<'a>(&mut self, seen: impl Iterator<Item = SniffedPacket<'a>>) -> anyhow::Result<()> {
        for packet in seen {
            if self.shown == self.most {
                break;
            }
            self.shown += 1;
            let name = self.links.name(packet.link.address.interface);
            self.sinks.packet(&packet, &row::row(&packet, name))?;
        }
        self.sinks.flush()
    }
}

/// Adds the command that would help.
fn not_permitted(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::NotPermitted { source, .. } => {
            let needed = vec![Capability::NetRaw, Capability::NetAdmin];
            let grant = Grant::to_this_program(needed).map(|grant| format!(", or once `{grant}`"));
            anyhow::Error::new(source).context(format!(
                "seeing packets needs CAP_NET_RAW: run it as root{}",
                grant.unwrap_or_default()
            ))
        }
        error => error.into(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
