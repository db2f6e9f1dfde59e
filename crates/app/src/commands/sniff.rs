//! `ports sniff`: see packets as they pass.

mod links;
mod row;
mod sinks;

use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use sockets_raw::{Capability, Filter, FilterBuilder, Grant, OpenError, SniffError, Sniffer};
use tokio::task::spawn_blocking;

use crate::args::{Condition, Expression, SniffArgs};
use crate::exit::{Exit, UsageError};
use crate::output::{SniffStart, SniffSummary, Terminal};
use crate::signals::Signals;
use links::Links;
use sinks::Sinks;

pub(crate) async fn run(
    args: SniffArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    let filter = filter(&args)?;
    let mut links = Links::load()?;
    let mut builder = Sniffer::builder().filter(filter);
    if let Some(name) = &args.interface {
        let index = links.index(name);
        builder = builder
            .interface(index.ok_or_else(|| UsageError(format!("there is no interface `{name}`")))?);
    }
    // The sniffer before the files: without permission, none is emptied.
    let mut sniffer = builder.open().map_err(not_permitted)?;
    let mut sinks = Sinks::open(&args, terminal)?;

    let (stop, stopper) = (signals.stop().clone(), sniffer.stopper());
    tokio::spawn(async move {
        stop.cancelled().await;
        stopper.stop();
    });
    let summary = spawn_blocking(move || {
        sinks.start(&SniffStart {
            started_ms: milliseconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?),
            interface: args.interface.as_deref(),
            filter: args.filter.join(" "),
        })?;
        let started = Instant::now();
        let packets = sniff(&mut sniffer, &mut sinks, &mut links, args.count, terminal)?;
        let statistics = sniffer.statistics().context("cannot read the kernel's counts")?;
        let summary = SniffSummary {
            packets,
            kernel_drops: statistics.dropped,
            unreadable: sniffer.unreadable(),
            elapsed_ms: milliseconds(started.elapsed()),
        };
        sinks.summary(&summary)?;
        anyhow::Ok(summary)
    })
    .await
    .context("the sniffer did not come to its end")??;
    if summary.kernel_drops > 0 {
        let drops = summary.kernel_drops;
        terminal.warn(&format!("{drops} packets came faster than they were taken, and were lost"));
    }
    Ok(signals.or_interrupted(Exit::Done))
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

/// Shows packets until there are enough or it is told to stop; says how many there were.
fn sniff(
    sniffer: &mut Sniffer,
    sinks: &mut Sinks,
    links: &mut Links,
    most: Option<u64>,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let most = most.unwrap_or(u64::MAX);
    let mut packets = 0;
    loop {
        let before = packets;
        let is_stopped = sniffer.is_stopped();
        let seen = match sniffer.receive(Duration::MAX) {
            Ok(seen) => seen,
            Err(error @ SniffError::InterfaceDown { .. }) => {
                terminal.warn(&error.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for packet in seen {
            if packets == most {
                break;
            }
            packets += 1;
            let name = links.name(packet.link.address.interface);
            sinks.packet(&packet, &row::row(&packet, name))?;
        }
        sinks.flush()?;
        // What was queued when it was stopped is shown; what comes for ever after is not.
        if packets == most || is_stopped || (sniffer.is_stopped() && packets == before) {
            return Ok(packets);
        }
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
