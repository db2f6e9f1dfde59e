//! What other tools have taught to type: where it is wrong usage here, a tip says what does the same.

mod commands;
mod options;
mod values;

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use super::Args;

/// nmap's options for files. Here `-oX` alone would be a file of the name `X`, and what should be
/// the file a target.
const FILES_OF_NMAP: [&str; 5] = ["-oX", "-oN", "-oG", "-oA", "-oS"];

/// A line that can be parsed, and means something else than whoever typed it thinks.
pub(super) fn taken_amiss(line: &[OsString]) -> Option<Error> {
    let (command, rest) = split(line)?;
    let error = |kind| Error::new(kind).with_cmd(&Args::command());
    let string = |text: &str| ContextValue::String(text.to_owned());
    match command {
        "scan" => {
            let option = rest.iter().find(|word| FILES_OF_NMAP.contains(word))?;
            let mut error = error(ErrorKind::UnknownArgument);
            error.insert(ContextKind::InvalidArg, string(option));
            Some(error)
        }
        // Else it is a host of that name, which is looked up.
        "listen" | "forward" => {
            let endpoint = rest.iter().find(|word| values::listens_in_socat(word))?;
            let mut error = error(ErrorKind::ValueValidation);
            error.insert(ContextKind::InvalidArg, string("<ENDPOINT>"));
            error.insert(ContextKind::InvalidValue, string(endpoint));
            Some(error)
        }
        _ => None,
    }
}

/// Puts the tip below the error, where there is one.
pub(super) fn advise(error: &mut Error, line: &[OsString]) {
    let Some((command, rest)) = split(line) else { return };
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => text(error, ContextKind::InvalidSubcommand)
            .and_then(|typed| commands::tip(typed, rest.first().copied())),
        ErrorKind::UnknownArgument => {
            let Some(typed) = text(error, ContextKind::InvalidArg) else { return };
            let tip = if typed.starts_with('-') {
                let word = rest.iter().find(|word| word.starts_with(typed)).unwrap_or(&typed);
                options::tip(command, word).or_else(|| options::tip(command, typed))
            } else {
                let before = rest.iter().take_while(|word| **word != typed).last();
                values::left_over(command, typed, before.copied())
            };
            // clap's own is how to pass `-x` as a value; nothing here has such values.
            error.remove(ContextKind::Suggested);
            tip
        }
        ErrorKind::ValueValidation => {
            let option = text(error, ContextKind::InvalidArg).unwrap_or_default();
            text(error, ContextKind::InvalidValue)
                .and_then(|typed| values::tip(command, option, typed))
        }
        _ => None,
    };
    if let Some(tip) = tip {
        // What looks alike is beside the point where it is known what was meant.
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

/// The first word of a line, and those behind it up to a `--`.
fn split(line: &[OsString]) -> Option<(&str, Vec<&str>)> {
    let mut words = line.iter().skip(1).filter_map(|word| word.to_str());
    let mut command = words.next()?;
    while command.starts_with('-') {
        if command == "--color" {
            words.next();
        }
        command = words.next()?;
    }
    Some((command, words.take_while(|word| *word != "--").collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let line: Vec<_> = line.split(' ').map(OsString::from).collect();
        super::super::parse(&line).unwrap_err().render().to_string()
    }

    #[test]
    fn what_other_tools_taught_gets_a_tip() {
        for (line, tip) in [
            ("ports netstat", "`ports ls`"),
            ("ports lsof -i :80", "`ports who PORT`"),
            ("ports 8080", "`ports who 8080`"),
            ("ports tcpdump", "`ports sniff`"),
            ("ports scan -sU host", "`--udp`"),
            ("ports scan -sS host", "`--method syn`"),
            ("ports scan -T4 host", "`--rate N`"),
            ("ports scan --top-ports 100 host", "`-p top:100`"),
            ("ports scan --top-ports=100 host", "`-p top:100`"),
            ("ports scan -iL hosts", "`@FILE`"),
            ("ports scan -oX x.xml host", "`-o xml:FILE`"),
            ("ports scan -oN x host", "`-o table:FILE`"),
            ("ports scan localhost 8080", "`-p 8080`"),
            ("ports scan localhost:8080", "`localhost -p 8080`"),
            ("ports scan -p T:80,U:53 localhost", "`--udp -p 53`"),
            ("ports connect -zv host 80", "--wait 0s"),
            ("ports connect localhost 8080", "`localhost:8080`"),
            ("ports connect http://localhost:80/x", "`tcp://localhost:80`"),
            ("ports connect https://localhost/x", "`tls://localhost:443`"),
            ("ports connect tcp:localhost:80", "`tcp://localhost:80`"),
            ("ports connect unix:/run/x.sock", "UNIX sockets"),
            ("ports listen -lk 9999", "`--service`"),
            ("ports listen 8080", "`:8080`"),
            ("ports listen -u :53", "`udp://HOST:PORT`"),
            ("ports forward TCP-LISTEN:5432,fork,reuseaddr TCP:db:5432", "`tcp://:5432`"),
            ("ports forward :5432 TCP4:db:5432", "`tcp://db:5432`"),
            ("ports forward udp-listen:53 udp://db:53", "`udp://:53`"),
            ("ports listen TCP4-L:80", "`tcp://:80`"),
            ("ports ls 8080", "`--port 8080`"),
            ("ports ls -p :8080", "`--port 8080`"),
            ("ports ls --sport 80", "`--port PORTS`"),
            ("ports who :8080", "`8080`"),
            ("ports kill 127.0.0.1:8080", "`8080`"),
            ("ports doctor 127.0.0.1:8080", "`8080 --address 127.0.0.1`"),
            ("ports kill tcp:8080", "`8080/tcp`"),
            ("ports kill -9 8080", "`--signal KILL`"),
            ("ports free -n 4", "`--count K`"),
            ("ports lease python3 -m http.server", "`ports lease -- python3"),
            ("ports sniff -nn", "numbers"),
        ] {
            let said = said(line);
            assert!(said.contains("  tip: ") && said.contains(tip), "{line}: {said}");
        }
    }

    #[test]
    fn no_tip_sends_anybody_astray() {
        for line in ["ports scan -j host", "ports connect --nonsense x:1", "ports who x y"] {
            assert!(!said(line).contains("as a value"), "{line}: {}", said(line));
        }
        for line in
            ["ports connect --wait 5 x:1", "ports scan --rate x host", "ports kill --timeout 5 1"]
        {
            assert!(
                !said(line).contains("tip"),
                "an option's value is no endpoint: {}",
                said(line)
            );
        }
        assert!(said("ports liste").contains("'listen'"));
        let line: Vec<_> = ["ports", "scan", "-o", "X", "::1"].map(OsString::from).into();
        assert!(super::super::parse(&line).is_ok(), "a file may be called so");
    }
}
