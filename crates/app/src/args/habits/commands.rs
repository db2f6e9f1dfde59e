//! Words that are no command here.

/// What to type instead of `typed`, and the word behind it.
pub(super) fn tip(typed: &str, next: Option<&str>) -> Option<String> {
    if typed.parse::<u16>().is_ok() {
        return Some(format!(
            "`ports who {typed}` says who holds the port, `ports doctor {typed}` why it cannot be bound"
        ));
    }
    let tip = match typed {
        "ss" | "netstat" | "list" | "sockets" | "show" | "ps" => {
            "`ports ls` shows the sockets of this machine; `ports ls -tlp` as `ss -tlnp`"
        }
        "lsof" | "fuser" | "find" | "info" | "which" | "holder" => {
            "`ports who PORT` says who holds a port"
        }
        "stop" | "end" | "close" | "release" => "`ports kill PORT` ends who holds a port",
        "why" | "diagnose" | "bind" => "`ports doctor PORT` says why a port cannot be bound",
        "nc" | "ncat" | "netcat" | "telnet" | "socat"
            if next.is_some_and(|word| word.starts_with("-l")) =>
        {
            "`ports listen HOST:PORT` listens"
        }
        "nc" | "ncat" | "netcat" | "telnet" | "socat" | "open" | "send" => {
            "`ports connect HOST:PORT` connects, `ports listen HOST:PORT` listens, `ports forward LISTEN \
             TARGET` stands between"
        }
        "wait" | "check" | "test" | "probe" => {
            "`ports connect --wait 30s HOST:PORT` waits until it is up"
        }
        "serve" | "server" | "echo" => "`ports listen HOST:PORT --service echo`",
        "proxy" | "tunnel" | "relay" | "redirect" | "fwd" => "`ports forward LISTEN TARGET`",
        "nmap" | "masscan" | "ping" | "discover" => {
            "`ports scan TARGET`; with `--discover` who is there"
        }
        "tcpdump" | "dump" | "capture" | "tshark" => {
            "`ports sniff` shows packets, `--write FILE.pcap` keeps them"
        }
        "top" | "iftop" | "monitor" | "live" => "`ports watch` is the live screen",
        "compare" | "ndiff" => "`ports diff A B` compares two saved scans",
        "service" | "services" | "name" => "`ports lookup PORT` has the names of ports",
        "version" => "`ports --version`",
        _ => return None,
    };
    Some(tip.to_owned())
}
