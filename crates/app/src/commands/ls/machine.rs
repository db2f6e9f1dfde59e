//! The machine's sockets for Prometheus: how many in which state, and what the kernel counts of
//! retransmissions, drops and full queues. `OpenMetrics` 1.0.0.

mod counters;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use stats::system::{Protocol, Snapshot, State, SystemSockets};

use self::counters::Counters;
use super::Filter;

/// Makes the text, anew for each scrape that comes after the last was begun: those that wait
/// meanwhile share one look. Blocks for as long as a look takes.
pub(in crate::commands) fn text_of(filter: Filter) -> impl Fn() -> String + Send + Sync + 'static {
    let last: Mutex<(SystemSockets, Option<Look>)> = Mutex::default();
    move || {
        let asked = Instant::now();
        let (sockets, last) = &mut *last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = last
            && look.begun >= asked
        {
            return look.text.clone();
        }
        let begun = Instant::now();
        let query = filter.query().processes(filter.needs_processes());
        let snapshot = sockets.snapshot(&query);
        let snapshot =
            snapshot.inspect_err(|error| tracing::warn!(%error, "no sockets for a scrape")).ok();
        let text = render(snapshot.as_ref(), &filter, &Counters::read());
        last.insert(Look { begun, text }).text.clone()
    }
}

struct Look {
    begun: Instant,
    text: String,
}

fn render(snapshot: Option<&Snapshot>, filter: &Filter, counters: &Counters) -> String {
    let mut text = String::new();
    if let Some(snapshot) = snapshot {
        let which = if filter.is_narrow() { " that the filters let through" } else { "" };
        let wanted = Protocol::ALL.into_iter().filter(|protocol| filter.query().wants(*protocol));
        let transports: Vec<&str> = wanted.map(Protocol::name).collect();
        let transports = transports.join(", ");
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "# HELP ports_machine_sockets Sockets of this machine ({transports}){which}."
        );
        text.push_str("# TYPE ports_machine_sockets gauge\n");
        let mut counts: BTreeMap<(Protocol, State), usize> = BTreeMap::new();
        for socket in snapshot.iter().filter(|socket| filter.keeps(socket)) {
            *counts.entry((socket.protocol(), socket.state())).or_default() += 1;
        }
        for protocol in Protocol::ALL.into_iter().filter(|protocol| filter.query().wants(*protocol))
        {
            for state in State::ALL {
                // States of TCP only are left out where there are none: nobody expects them.
                let count = counts.get(&(protocol, state)).copied().unwrap_or_default();
                if count > 0 || protocol == Protocol::Tcp {
                    let _ = writeln!(
                        text,
                        "ports_machine_sockets{{transport=\"{protocol}\",state=\"{state}\"}} {count}"
                    );
                }
            }
        }
    }
    text.push_str(&counters.text());
    text.push_str("# EOF\n");
    text
}

#[cfg(test)]
mod tests {
    use stats::system::UserNames;

    use super::*;
    use crate::args::SocketFilterArgs;

    fn filter() -> Filter {
        Filter::new(&SocketFilterArgs::default(), &UserNames::default()).unwrap()
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        assert_eq!(render(None, &filter(), &Counters::default()), "# EOF\n");
    }

    #[test]
    fn the_help_says_what_is_counted() {
        let snapshot = Snapshot::from_proc_net(Protocol::Tcp, b"");
        let help = |args: SocketFilterArgs| {
            let filter = Filter::new(&args, &UserNames::default()).unwrap();
            let text = render(Some(&snapshot), &filter, &Counters::default());
            text.lines().next().unwrap().replace("# HELP ports_machine_sockets ", "")
        };
        assert_eq!(help(SocketFilterArgs::default()), "Sockets of this machine (tcp, udp).");
        assert_eq!(
            help(SocketFilterArgs { tcp: true, listening: true, ..SocketFilterArgs::default() }),
            "Sockets of this machine (tcp) that the filters let through."
        );
    }

    #[test]
    fn sockets_are_counted_by_state() {
        let table = crate::commands::watch::TABLE.as_bytes();
        let snapshot = Snapshot::from_proc_net(Protocol::Tcp, table);
        let text = render(Some(&snapshot), &filter(), &Counters::default());
        for line in ["state=\"LISTEN\"} 1", "state=\"TIME-WAIT\"} 1", "state=\"SYN-SENT\"} 0"] {
            let line = format!("ports_machine_sockets{{transport=\"tcp\",{line}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
