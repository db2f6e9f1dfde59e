//! Options of other tools.

/// What to type instead of `option` of a command; the option as a whole word (`-sU`), or the part of
/// it that is not known (`-s`).
pub(super) fn tip(command: &str, option: &str) -> Option<String> {
    let option = option.split_once('=').map_or(option, |(name, _)| name);
    let tip = match command {
        "scan" => of_scan(option),
        "listen" | "connect" | "forward" => of_conversation(command, option),
        "ls" | "watch" => match option {
            "-i" | "--sport" | "--dport" => Some("`--port PORTS` filters by port, at either end"),
            "-s" => Some("`ports ls --summary` counts"),
            "-e" | "-m" | "-o" => Some("`--details` has what TCP knows of each connection"),
            "-4" | "-6" => Some("`--address ADDR` filters by address"),
            "-w" | "-c" => Some("`ports ls --watch` goes on; `ports watch` is the live screen"),
            "-k" => Some("`ports kill PORT` ends who holds a port"),
            _ => None,
        },
        "kill" => match option {
            "-9" | "-KILL" | "-SIGKILL" => {
                Some("`--signal KILL`; without it, who does not end is killed after 5 s")
            }
            "-15" | "-TERM" => Some("SIGTERM is what it sends"),
            "-1" | "-HUP" => Some("`--signal HUP`"),
            "-2" | "-INT" => Some("`--signal INT`"),
            "-s" => Some("`--signal SIGNAL`"),
            "-y" | "-f" => Some("`--yes` does not ask"),
            "-n" | "-i" => Some("`--dry-run` only shows; without `--yes` it asks"),
            _ => None,
        },
        "lease" | "free" => match option {
            "-n" | "-c" => Some("`--count K` for several"),
            "-p" => {
                Some("`--port PORT` leases this one; `ports doctor PORT` says whether it is free")
            }
            "-e" | "--env" | "--var" => {
                Some("the port is in `PORT`: `ports lease -- sh -c 'WEB_PORT=$PORT exec CMD'`")
            }
            _ => None,
        },
        "sniff" => match option {
            "-n" | "-nn" => Some("addresses and ports are numbers anyway"),
            "-r" => Some("it reads no files: `tcpdump -r`, or Wireshark"),
            "-A" | "-X" | "-x" | "-s" => Some(
                "it shows headers; `--write FILE.pcap` keeps whole packets for tcpdump and Wireshark",
            ),
            _ => None,
        },
        _ => None,
    };
    tip.map(str::to_owned)
}

fn of_scan(option: &str) -> Option<&'static str> {
    let tip = match option {
        "-sS" => "`--method syn`; without it, it is so where it is permitted",
        "-sT" => "`--method connect`",
        "-sU" => "`--udp`",
        "-sn" | "-sP" => "`--discover -p 80` asks first who is there, and then scans little",
        "-sV" | "-sC" | "-O" | "-A" | "--script" => {
            "it tells the usual service of a port, and does not ask who answers there"
        }
        "-s" => "`--method connect`, `--method syn` or `--udp`",
        "-Pn" | "-P0" | "-PN" | "-P" => {
            "leave it out: every port is asked, unless `--discover` is given"
        }
        "-F" | "--top-ports" => "`-p top:100`",
        "-n" | "-R" => "leave it out: addresses are not turned into names",
        "-iL" => "`@FILE` is the targets of a file, `-` those of standard input",
        "-oX" => "`-o xml:FILE`",
        "-oG" => "`-o grepable:FILE`",
        "-oN" | "-oS" => "`-o table:FILE`",
        "-oA" => "`-o xml:FILE -o grepable:FILE -o table:FILE`",
        "-T" | "--min-rate" | "--max-rate" => {
            "it finds its pace; `--rate N` is the most probes per second"
        }
        "-e" => "`--interface NAME`",
        "-S" => "`--source ADDR`",
        "--open" => "open ports are what is shown, unless `--show` says otherwise",
        "--max-retries" => "`--retries N`",
        "--host-timeout" | "--max-rtt-timeout" => "`--timeout TIME` bounds each wait",
        "-r" => "`--seed N` chooses the order",
        _ => return None,
    };
    Some(tip)
}

fn of_conversation(command: &str, option: &str) -> Option<&'static str> {
    let tip = match (command, option.get(..2).unwrap_or(option)) {
        ("connect", "-z") => "`ports connect --wait 0s HOST:PORT` only sees whether it is up",
        ("connect", "-w") => "`--connect-timeout TIME`",
        ("connect", "-k") => "`--insecure`",
        ("connect", "-l") => "`ports listen HOST:PORT`",
        ("connect", "-s") => "`--source ADDR`",
        (_, "-u") => "the scheme says it: `udp://HOST:PORT`",
        ("listen", "-l" | "-k") => {
            "it listens; `--service` echo, discard or relay serves many, one after the other and at once"
        }
        ("listen", "-p") => "the port is part of the endpoint: `HOST:PORT`",
        ("forward", "-L" | "-l") => {
            "`ports forward 127.0.0.1:5432 db:5432`, as `ssh -L 5432:db:5432`"
        }
        _ => match option {
            "--ssl" | "--tls" => "the scheme says it: `tls://HOST:PORT`",
            _ => return None,
        },
    };
    Some(tip)
}
