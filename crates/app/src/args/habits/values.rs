//! Values as other tools take them: endpoints of socat and nc, ports of lsof, targets with ports.

/// What to type instead of a value that a command refused, as that of an option or, where that begins
/// with `<`, by its place.
pub(super) fn tip(command: &str, option: &str, typed: &str) -> Option<String> {
    let has_place = option.starts_with('<');
    match command {
        "listen" | "connect" | "forward" if has_place => endpoint(command, typed),
        "who" | "kill" | "doctor" if has_place => held_port(command, typed),
        "scan" if has_place => transports(typed).or_else(|| target(typed)),
        "scan" if option.starts_with("--ports") => transports(typed),
        _ => None,
    }
}

/// What to do with a word too many.
pub(super) fn left_over(command: &str, typed: &str, before: Option<&str>) -> Option<String> {
    let port = typed.trim_start_matches(':');
    let is_port = port.parse::<u16>().is_ok();
    match (command, before) {
        ("connect", Some(host)) if is_port => {
            Some(format!("host and port are one word: `{host}:{port}`"))
        }
        ("ls" | "watch", _) if is_port => {
            Some(format!("`--port {port}` filters by port; `ports who {port}` says who holds it"))
        }
        ("free", _) if is_port => Some(format!(
            "`ports doctor {port}` says whether this one is free; `--count K` is for several"
        )),
        ("who" | "kill" | "doctor", _) if is_port => Some("one port at a time".to_owned()),
        ("lease", _) => {
            Some(format!("the command stands behind `--`: `ports lease -- {typed} ...`"))
        }
        ("man", _) => {
            Some(format!("one page has all commands; `ports help {typed}` has one of them"))
        }
        _ => None,
    }
}

/// `8080`, `http://host/path`, `TCP-LISTEN:8080,fork`, `tcp:host:80`, `/run/x.sock`
fn endpoint(command: &str, typed: &str) -> Option<String> {
    if typed.parse::<u16>().is_ok() {
        let every = if command == "connect" { "this machine" } else { "every address" };
        return Some(format!(
            "`:{typed}` is this port of {every}, `127.0.0.1:{typed}` of loopback only"
        ));
    }
    if typed.starts_with(['/', '.']) || starts_with(typed, "unix") {
        return Some("UNIX sockets are not spoken: endpoints are tcp, tls or udp".to_owned());
    }
    for (scheme, ours, port) in [("http://", "tcp", "80"), ("https://", "tls", "443")] {
        if let Some(rest) = typed.strip_prefix(scheme) {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let port = if host.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':') {
                String::new()
            } else {
                format!(":{port}")
            };
            return Some(format!("it speaks no HTTP; the socket below is `{ours}://{host}{port}`"));
        }
    }
    let (scheme, rest) = typed.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let ours = match scheme.split(['-', '4', '6']).next() {
        Some("tcp") => "tcp",
        Some("udp") => "udp",
        Some("ssl" | "openssl" | "tls") => "tls",
        _ => return None,
    };
    let rest = rest.trim_start_matches('/').split(',').next().unwrap_or_default();
    let host = if rest.contains(':') { "" } else { ":" };
    Some(format!("it is written `{ours}://{host}{rest}`"))
}

/// `TCP-LISTEN:80`, `udp6-l:53`: one without options could be a host's name.
pub(super) fn listens_in_socat(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let Some((scheme, _)) = word.split_once(':') else { return false };
    let Some((scheme, listen)) = scheme.split_once('-') else { return false };
    let scheme = scheme.trim_end_matches(['4', '6']);
    ["tcp", "udp", "openssl"].contains(&scheme) && ["l", "listen"].contains(&listen)
}

/// `:8080`, `tcp:8080`, `127.0.0.1:8080`
fn held_port(command: &str, typed: &str) -> Option<String> {
    let (before, port) = typed.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let transport = before.to_ascii_lowercase();
    Some(match (command, transport.as_str()) {
        (_, "tcp" | "udp") => format!("a port and its transport are written `{port}/{transport}`"),
        ("doctor", address) if !address.is_empty() => {
            format!("`{port} --address {}`", address.trim_matches(['[', ']']))
        }
        _ => format!("only the number: `{port}`"),
    })
}

/// `T:80,U:53`
fn transports(typed: &str) -> Option<String> {
    let is_nmaps = starts_with(typed, "T:") || starts_with(typed, "U:");
    is_nmaps.then(|| "one transport at a time: `-p 80`, and `--udp -p 53`".to_owned())
}

/// `host:8080`, `8080`
fn target(typed: &str) -> Option<String> {
    if typed.parse::<u16>().is_ok() {
        return Some(format!("ports are given by `-p {typed}`"));
    }
    let (host, port) = typed.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    Some(format!("`{} -p {port}`", host.trim_matches(['[', ']'])))
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
