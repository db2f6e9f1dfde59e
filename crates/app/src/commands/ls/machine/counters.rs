//! What the kernel counts for all sockets together.

use std::fmt::Write as _;

/// A counter: its name here, what it means, and where it stands (`proc_pid_net(5)`).
struct Counter {
    name: &'static str,
    help: &'static str,
    /// One for each family of addresses, where they are counted apart.
    places: &'static [Place],
}

/// A field of a file.
struct Place {
    family: Option<&'static str>,
    file: usize,
    line: &'static str,
    field: &'static str,
}

const FILES: [&str; 3] = ["/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6"];
const SNMP: usize = 0;
const NETSTAT: usize = 1;
/// Lines of one field each, without a line of names.
const SNMP6: usize = 2;

const fn snmp(line: &'static str, field: &'static str) -> Place {
    Place { family: None, file: SNMP, line, field }
}

const fn netstat(field: &'static str) -> Place {
    Place { family: None, file: NETSTAT, line: "TcpExt", field }
}

const fn udp(field: &'static str) -> Place {
    Place { family: Some("ipv4"), file: SNMP, line: "Udp", field }
}

const fn udp6(field: &'static str) -> Place {
    Place { family: Some("ipv6"), file: SNMP6, line: "", field }
}

const COUNTERS: [Counter; 9] = [
    Counter {
        name: "tcp_segments_sent",
        help: "TCP segments sent, without those sent again",
        places: &[snmp("Tcp", "OutSegs")],
    },
    Counter {
        name: "tcp_segments_retransmitted",
        help: "TCP segments sent again",
        places: &[snmp("Tcp", "RetransSegs")],
    },
    Counter {
        name: "tcp_listen_overflows",
        help: "Connections dropped because the queue of a listening socket was full",
        places: &[netstat("ListenOverflows")],
    },
    Counter {
        name: "tcp_listen_drops",
        help: "Connections that a listening socket dropped, for whatever reason",
        places: &[netstat("ListenDrops")],
    },
    Counter {
        name: "tcp_backlog_drops",
        help: "TCP segments dropped because the backlog of a socket was full",
        places: &[netstat("TCPBacklogDrop")],
    },
    Counter {
        name: "tcp_memory_aborts",
        help: "Connections aborted for want of memory",
        places: &[netstat("TCPAbortOnMemory")],
    },
    Counter {
        name: "udp_receive_buffer_drops",
        help: "UDP datagrams dropped because a receive buffer was full",
        places: &[udp("RcvbufErrors"), udp6("Udp6RcvbufErrors")],
    },
    Counter {
        name: "udp_send_buffer_drops",
        help: "UDP datagrams dropped because a send buffer was full",
        places: &[udp("SndbufErrors"), udp6("Udp6SndbufErrors")],
    },
    Counter {
        name: "udp_datagrams_without_port",
        help: "UDP datagrams to a port that nobody had",
        places: &[udp("NoPorts"), udp6("Udp6NoPorts")],
    },
];

/// What is in the files. One that is not there has no counters: there are no zeros in their place.
#[derive(Debug, Default)]
pub(super) struct Counters([String; FILES.len()]);

impl Counters {
    pub(super) fn read() -> Self {
        Self(FILES.map(|file| std::fs::read_to_string(file).unwrap_or_default()))
    }

    /// Those that the kernel has.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Counter { name, help, places } in &COUNTERS {
            let mut is_first = true;
            for place in *places {
                let Some(value) = place.value(&self.0) else { continue };
                if std::mem::take(&mut is_first) {
                    let _ = writeln!(
                        text,
                        "# HELP ports_machine_{name} {help} (of all sockets, whatever the filters)."
                    );
                    let _ = writeln!(text, "# TYPE ports_machine_{name} counter");
                }
                let labels = place.family.map(|family| format!("{{family=\"{family}\"}}"));
                let labels = labels.unwrap_or_default();
                let _ = writeln!(text, "ports_machine_{name}_total{labels} {value}");
            }
        }
        text
    }
}

impl Place {
    fn value(&self, files: &[String]) -> Option<u64> {
        let file = &files[self.file];
        if self.file == SNMP6 {
            single(file, self.field)
        } else {
            value(file, self.line, self.field)
        }
    }
}

/// A value out of pairs of lines: `Tcp: Name Name ...`, then `Tcp: 1 2 ...`.
fn value(file: &str, line: &str, field: &str) -> Option<u64> {
    let mut lines = file.lines().filter_map(|text| text.strip_prefix(line)?.strip_prefix(": "));
    let (names, values) = (lines.next()?, lines.next()?);
    let place = names.split(' ').position(|name| name == field)?;
    values.split(' ').nth(place)?.parse().ok()
}

/// A value out of lines of a name and a number.
fn single(file: &str, field: &str) -> Option<u64> {
    let mut lines = file.lines().map(str::split_ascii_whitespace);
    lines.find_map(|mut words| (words.next() == Some(field)).then(|| words.next()?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NETSTAT: &str = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
                           IpExt: InNoRoutes\nIpExt: 0\n";

    fn text(files: [&str; 3]) -> String {
        Counters(files.map(str::to_owned)).text()
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
        let text = text(["", NETSTAT, ""]);
        assert_eq!(
            text,
            "# HELP ports_machine_tcp_listen_overflows Connections dropped because the queue of a \
             listening socket was full (of all sockets, whatever the filters).\n\
             # TYPE ports_machine_tcp_listen_overflows counter\n\
             ports_machine_tcp_listen_overflows_total 22\n\
             # HELP ports_machine_tcp_listen_drops Connections that a listening socket dropped, for \
             whatever reason (of all sockets, whatever the filters).\n\
             # TYPE ports_machine_tcp_listen_drops counter\n\
             ports_machine_tcp_listen_drops_total 333\n"
        );
    }

    #[test]
    fn both_families_are_counted() {
        let snmp = "Udp: InDatagrams NoPorts RcvbufErrors\nUdp: 1 2 3\n";
        let snmp6 = "Udp6NoPorts\t20\nUdp6RcvbufErrors  \t30\nUdpLite6NoPorts 9\n";
        let text = text([snmp, "", snmp6]);
        for lines in [
            "# TYPE ports_machine_udp_receive_buffer_drops counter\n\
             ports_machine_udp_receive_buffer_drops_total{family=\"ipv4\"} 3\n\
             ports_machine_udp_receive_buffer_drops_total{family=\"ipv6\"} 30\n",
            "ports_machine_udp_datagrams_without_port_total{family=\"ipv6\"} 20\n",
        ] {
            assert!(text.contains(lines), "{text}");
        }
        assert!(!text.contains("send_buffer"), "{text}");
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in "(Tcp: ?[a-z0-9 ]{0,9}\n?){0,3}") {
            let _ = (value(&text, "Tcp", "a"), single(&text, "Tcp:"));
        }
    }
}
