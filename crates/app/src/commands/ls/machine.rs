//! The machine's sockets for Prometheus: how many in which state, and what the kernel counts of
//! retransmissions, drops and full queues. `OpenMetrics` 1.0.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use stats::system::{Protocol, Snapshot, State, SystemSockets};

use super::Filter;

/// A counter of the kernel: its name here, what it means, and where it stands (`proc_pid_net(5)`).
struct Counter {
    name: &'static str,
    help: &'static str,
    file: usize,
    line: &'static str,
    field: &'static str,
}

const FILES: [&str; 2] = ["/proc/net/snmp", "/proc/net/netstat"];
const SNMP: usize = 0;
const NETSTAT: usize = 1;

const COUNTERS: [Counter; 9] = [
    Counter {
        name: "tcp_segments_sent",
        help: "TCP segments sent, without those sent again",
        file: SNMP,
        line: "Tcp",
        field: "OutSegs",
    },
    Counter {
        name: "tcp_segments_retransmitted",
        help: "TCP segments sent again",
        file: SNMP,
        line: "Tcp",
        field: "RetransSegs",
    },
    Counter {
        name: "tcp_listen_overflows",
        help: "Connections dropped because the queue of a listening socket was full",
        file: NETSTAT,
        line: "TcpExt",
        field: "ListenOverflows",
    },
    Counter {
        name: "tcp_listen_drops",
        help: "Connections that a listening socket dropped, for whatever reason",
        file: NETSTAT,
        line: "TcpExt",
        field: "ListenDrops",
    },
    Counter {
        name: "tcp_backlog_drops",
        help: "TCP segments dropped because the backlog of a socket was full",
        file: NETSTAT,
        line: "TcpExt",
        field: "TCPBacklogDrop",
    },
    Counter {
        name: "tcp_memory_aborts",
        help: "Connections aborted for want of memory",
        file: NETSTAT,
        line: "TcpExt",
        field: "TCPAbortOnMemory",
    },
    Counter {
        name: "udp_receive_buffer_drops",
        help: "UDP datagrams over IPv4 dropped because a receive buffer was full",
        file: SNMP,
        line: "Udp",
        field: "RcvbufErrors",
    },
    Counter {
        name: "udp_send_buffer_drops",
        help: "UDP datagrams over IPv4 dropped because a send buffer was full",
        file: SNMP,
        line: "Udp",
        field: "SndbufErrors",
    },
    Counter {
        name: "udp_datagrams_without_port",
        help: "UDP datagrams over IPv4 to a port that nobody had",
        file: SNMP,
        line: "Udp",
        field: "NoPorts",
    },
];

/// Makes the text anew for each scrape.
pub(in crate::commands) fn text_of(filter: Filter) -> impl Fn() -> String + Send + Sync + 'static {
    let sockets = Mutex::new(SystemSockets::new());
    move || {
        let query = filter.query().processes(filter.needs_processes());
        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = sockets.snapshot(&query);
        let snapshot =
            snapshot.inspect_err(|error| tracing::warn!(%error, "no sockets for a scrape")).ok();
        // A file that is not there has no counters: there are no zeros in their place.
        let files = FILES.map(|file| std::fs::read_to_string(file).unwrap_or_default());
        render(snapshot.as_ref(), &filter, &files)
    }
}

fn render(snapshot: Option<&Snapshot>, filter: &Filter, files: &[String; 2]) -> String {
    let mut text = String::new();
    if let Some(snapshot) = snapshot {
        text.push_str("# HELP ports_machine_sockets Sockets of this machine.\n");
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
                    // Writing to a String does not fail.
                    let _ = writeln!(
                        text,
                        "ports_machine_sockets{{transport=\"{protocol}\",state=\"{state}\"}} {count}"
                    );
                }
            }
        }
    }
    for Counter { name, help, file, line, field } in &COUNTERS {
        if let Some(value) = value(&files[*file], line, field) {
            let _ = writeln!(text, "# HELP ports_machine_{name} {help}.");
            let _ = writeln!(text, "# TYPE ports_machine_{name} counter");
            let _ = writeln!(text, "ports_machine_{name}_total {value}");
        }
    }
    text.push_str("# EOF\n");
    text
}

/// A value out of pairs of lines: `Tcp: Name Name ...`, then `Tcp: 1 2 ...`.
fn value(file: &str, line: &str, field: &str) -> Option<u64> {
    let mut lines = file.lines().filter_map(|text| text.strip_prefix(line)?.strip_prefix(": "));
    let (names, values) = (lines.next()?, lines.next()?);
    let place = names.split(' ').position(|name| name == field)?;
    values.split(' ').nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stats::system::UserNames;

    use super::*;
    use crate::args::SocketFilterArgs;

    const NETSTAT: &str = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
                           IpExt: InNoRoutes\nIpExt: 0\n";

    fn filter() -> Filter {
        Filter::new(&SocketFilterArgs::default(), &UserNames::default()).unwrap()
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(value(NETSTAT, "TcpExt", "ListenOverflows"), Some(22));
        assert_eq!(value(NETSTAT, "TcpExt", "Listen"), None);
        assert_eq!(value(NETSTAT, "IpExt", "InNoRoutes"), Some(0));
        assert_eq!(value(NETSTAT, "Tcp", "SyncookiesSent"), None);
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let text = render(None, &filter(), &[String::new(), NETSTAT.to_owned()]);
        assert_eq!(
            text,
            "# HELP ports_machine_tcp_listen_overflows Connections dropped because the queue of a \
             listening socket was full.\n\
             # TYPE ports_machine_tcp_listen_overflows counter\n\
             ports_machine_tcp_listen_overflows_total 22\n\
             # HELP ports_machine_tcp_listen_drops Connections that a listening socket dropped, for \
             whatever reason.\n\
             # TYPE ports_machine_tcp_listen_drops counter\n\
             ports_machine_tcp_listen_drops_total 333\n# EOF\n"
        );
    }

    #[test]
    fn sockets_are_counted_by_state() {
        let table = crate::commands::watch::TABLE.as_bytes();
        let snapshot = Snapshot::from_proc_net(Protocol::Tcp, table);
        let text = render(Some(&snapshot), &filter(), &[String::new(), String::new()]);
        for line in ["state=\"LISTEN\"} 1", "state=\"TIME-WAIT\"} 1", "state=\"SYN-SENT\"} 0"] {
            let line = format!("ports_machine_sockets{{transport=\"tcp\",{line}\n");
            assert!(text.contains(&line), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in "(Tcp: ?[a-z0-9 ]{0,9}\n?){0,3}") {
            let _ = value(&text, "Tcp", "a");
        }
    }
}
