//! Snapshots for people.

use std::fmt;
use std::time::Duration;

use ports_core::Transport;

use crate::counters::Counters;
use crate::distribution::Distribution;
use crate::role::Role;
use crate::snapshot::Snapshot;

/// The totals: sockets by transport and side, bytes, messages, errors by kind, drops, times.
///
/// ```text
/// === Socket Statistics ===
/// TCP Connections (server): 1 active, 2 opened, 1 closed
/// TCP Connections (client): 0 active, 1 opened, 1 closed
/// UDP Sockets: 0 active, 0 opened, 0 closed
/// Bytes Received: 1.50 KB (1536 bytes)
/// Bytes Sent: 18 B
/// Messages Received: 3
/// Messages Sent: 1
/// Errors: 2 (accept 1, read 1)
/// Drops: 0 messages, 0 B; 2 messages before they were read
/// TCP Connect Time (client): 1 measured, p50 81 us, p90 81 us, p99 81 us, max 81 us
/// ```
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "=== Socket Statistics ===")?;
        for (transport, role) in Transport::ALL
            .into_iter()
            .flat_map(|transport| Role::ALL.iter().map(move |&role| (transport, role)))
        {
            let counters = self.counters(transport, role);
            if counters.opened > 0 || always_shown(transport, role) {
                let Counters { active, opened, closed, .. } = counters;
                write!(f, "{}: ", Label(transport, role))?;
                writeln!(f, "{active} active, {opened} opened, {closed} closed")?;
            }
        }
        let totals = self.totals();
        writeln!(f, "Bytes Received: {}", Bytes(totals.bytes_received))?;
        writeln!(f, "Bytes Sent: {}", Bytes(totals.bytes_sent))?;
        writeln!(f, "Messages Received: {}", totals.messages_received)?;
        writeln!(f, "Messages Sent: {}", totals.messages_sent)?;
        write!(f, "Errors: {}", totals.errors.total())?;
        for (index, (kind, count)) in totals.errors.iter().enumerate() {
            write!(f, "{}{kind} {count}", if index == 0 { " (" } else { ", " })?;
        }
        writeln!(f, "{}", if totals.errors.total() > 0 { ")" } else { "" })?;
        let plural = if totals.dropped_messages == 1 { "" } else { "s" };
        write!(f, "Drops: {} message{plural}, ", totals.dropped_messages)?;
        write!(f, "{}", Bytes(totals.dropped_bytes))?;
        match totals.dropped_received {
            0 => {}
            1 => write!(f, "; 1 message before it was read")?,
            more => write!(f, "; {more} messages before they were read")?,
        }
        match totals.discarded_bytes {
            0 => writeln!(f)?,
            bytes => writeln!(f, "; {} that nobody was to read any more", Bytes(bytes))?,
        }
        for group in &self.groups {
            let name = upper(group.transport);
            times(f, format_args!("{name} Connect Time ({})", group.role), &group.connect_time)?;
            times(f, format_args!("{name} Duration ({})", group.role), &group.duration)?;
        }
        Ok(())
    }
}

const fn always_shown(transport: Transport, role: Role) -> bool {
    matches!(
        (transport, role),
        (Transport::Tcp, Role::Server | Role::Client) | (Transport::Udp, Role::Peer)
    )
}

/// `TCP Connections (server)`, `UDP Sockets`.
struct Label(Transport, Role);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(transport, role) = self;
        match (transport, role) {
            (Transport::Udp, Role::Peer) => f.write_str("UDP Sockets"),
            (Transport::Udp, _) => write!(f, "UDP Sockets ({role})"),
            _ => write!(f, "{} Connections ({role})", upper(*transport)),
        }
    }
}

pub(crate) const fn upper(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
        Transport::Sctp => "SCTP",
        Transport::Dccp => "DCCP",
    }
}

fn times(
    f: &mut fmt::Formatter<'_>,
    title: fmt::Arguments<'_>,
    distribution: &Distribution,
) -> fmt::Result {
    if distribution.count() == 0 {
        return Ok(());
    }
    write!(f, "{title}: {} measured", distribution.count())?;
    for (name, value) in [
        ("p50", distribution.p50()),
        ("p90", distribution.p90()),
        ("p99", distribution.p99()),
        ("max", distribution.max()),
    ] {
        write!(f, ", {name} {}", Time(value))?;
    }
    writeln!(f)
}

/// A duration in whole units of the largest that leaves at least three digits.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        match nanoseconds {
            0..1_000 => write!(f, "{nanoseconds} ns"),
            1_000..1_000_000 => write!(f, "{} us", nanoseconds / 1_000),
            1_000_000..1_000_000_000 => {
                write!(f, "{}.{:02} ms", nanoseconds / 1_000_000, nanoseconds / 10_000 % 100)
            }
            _ => write!(f, "{}.{:02} s", self.0.as_secs(), self.0.subsec_millis() / 10),
        }
    }
}

/// A number of bytes in B, KB, MB or GB of 1024 each, cut off rather than rounded up, with the exact
/// count where the unit hides it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let (shift, unit) = match bytes {
            0..0x400 => return write!(f, "{bytes} B"),
            0x400..0x10_0000 => (10, "KB"),
            0x10_0000..0x4000_0000 => (20, "MB"),
            _ => (30, "GB"),
        };
        let whole = bytes >> shift;
        // Below 2^30 times 100: no overflow.
        let hundredths = ((bytes & ((1 << shift) - 1)) * 100) >> shift;
        write!(f, "{whole}.{hundredths:02} {unit} ({bytes} bytes)")
    }
}

#[cfg(test)]
pub(crate) mod tests;
