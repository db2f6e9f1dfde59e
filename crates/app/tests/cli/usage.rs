//! What bad input gets: a message that names it, and exit code 2.

use proptest::prelude::*;

use super::program::{ports, run};

#[test]
fn wrong_usage_names_the_thing() {
    for (args, part) in [
        (
            &["scan", "127.0.0.1", "-p", "65536"][..],
            "`65536` is not a port: the highest port is 65535",
        ),
        (&["scan", "127.0.0.1", "-p", "80-22"], "range `80-22` is backwards"),
        (&["scan", "127.0.0.1", "-p", "no-such-service"], "no-such-service"),
        (&["scan", "127.0.0.1", "-p", "top:0"], "top:0"),
        (&["scan", "127.0.0.1/33"], "127.0.0.1/33"),
        (&["scan", "a b"], "neither an address nor a host name"),
        (&["scan", "127.0.0.1", "--timeout", "5"], "write a number with its unit"),
        (&["scan", "127.0.0.1", "--timeout", "0s"], "the shortest is 1ms"),
        (&["scan", "127.0.0.1", "--timeout", "1ns"], "the shortest is 1ms"),
        (&["scan", "127.0.0.1", "--timeout", "999us"], "the shortest is 1ms"),
        (
            &["scan", "127.0.0.1", "-p", "1", "--interface", "no-such"],
            "there is no interface `no-such`",
        ),
        (&["scan", "127.0.0.1", "--rate", "0"], "--rate"),
        (&["scan", "127.0.0.1", "--exclude", "127.0.0.1"], "no address is left to scan"),
        (&["scan", "127.0.0.1", "-p", "1", "--exclude-ports", "1"], "no port is left to scan"),
        // One more than 2^24, and on this machine all of them, should it be scanned after all.
        (&["scan", "127.0.0.0/8", "127.0.0.0", "127.255.255.255", "::1", "-p", "1"], "--yes"),
        (&["scan", "fd00::/48", "-p", "1"], "too large to be scanned whole"),
        (&["scan", "fd00::/48", "-p", "1", "--yes"], "`@FILE` reads them from a file"),
        (&["scan", "ff02::/120", "-p", "1"], "only where they are named one by one"),
        (&["scan", "-", "-", "-p", "1"], "standard input can be read only once"),
        (&["scan", "-", "-p", "1"], "no target: `-` has none"),
        (&["scan", "127.0.0.1", "--format", "html"], "html"),
        (&["lookup", "80", "--format", "xml"], "[possible values: table, jsonl, csv]"),
        (&["lookup", "80", "-o", "xml:out"], "`xml` is not a format of this command"),
        (&["lookup", "80", "-o", "out.xml"], "only `ports scan` writes"),
        (&["diff", "a", "b", "--format", "grepable"], "[possible values: table, jsonl, csv]"),
        (&["diff", "a"], "<B>"),
        (&["diff", "-", "-"], "standard input can be read only once"),
        (&["scan", "127.0.0.1", "--timeout", "2h"], "the longest is 1h"),
        (
            &["scan", "127.0.0.1", "::1", "-p", "1", "--source", "127.0.0.1"],
            "one is IPv4, the other IPv6",
        ),
        (&["scan", "0.0.0.0", "-p", "1", "--exclude", "127.0.0.0/8"], "no address is left to scan"),
        (&["scan"], "TARGET"),
        (&["lookup", "65536"], "`65536` is not a port"),
        (&["lookup", "80-22"], "range `80-22` is backwards"),
        (&["listen", "tcp://127.0.0.1:65536"], "65536"),
        (&["connect", "ftp://127.0.0.1:21"], "ftp"),
        (&["demo", "--format", "csv"], "`table` or `jsonl`"),
        (&["who", "htps"], "no tcp or udp service is called `htps`; did you mean `https`"),
        (&["doctor", "syslog/tcp"], "no tcp service is called `syslog`; there is one for udp"),
        (&["kill", "postgresq", "--yes"], "did you mean `postgres` or `postgresql`?"),
        (&["ls", "--udp", "--port", "shell"], "of a udp service; there is one for tcp"),
        (&["sniff", "port", "htps"], "did you mean `https`"),
        (&["nonsense"], "nonsense"),
    ] {
        let run = run(args);
        run.assert_code(2);
        assert!(run.stderr.contains(part), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// No text on the command line makes the program panic (101) or scan by accident.
    #[test]
    fn any_text_is_answered(text in "[^\0]{0,30}") {
        let spec = format!("-p={text},65536");
        let refused = ports(&["scan", "127.0.0.1", &spec]).output().unwrap();
        prop_assert_eq!(refused.status.code(), Some(2));
        let looked_up = ports(&["lookup", "--", &text]).output().unwrap();
        prop_assert!(matches!(looked_up.status.code(), Some(0..=2)));
    }
}

/// One form for all: what, why and what to do, each once, and in words.
#[test]
fn no_message_says_a_thing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let (junk, empty) = (format!("{here}/junk"), format!("{here}/empty"));
    std::fs::write(&junk, "junk\n").unwrap();
    std::fs::write(&empty, "").unwrap();
    let missing = format!("{here}/missing/file");
    for (args, code) in [
        (&["listen", "nope"][..], 2),
        (&["listen", "tcp://::1:80"], 2),
        (&["listen", "fd:"], 4),
        (&["listen", "fd:web"], 4),
        (&["listen", "192.0.2.1:0"], 4),
        (&["listen", "tls://127.0.0.1:0"], 2),
        (&["listen", "tls://127.0.0.1:0", "--cert", &junk, "--key", &junk], 4),
        (&["listen", "127.0.0.1:0", "--events", here], 4),
        (&["listen", "127.0.0.1:0", "--metrics", "127.0.0.1:x"], 2),
        (&["connect", "127.0.0.1:0"], 2),
        (&["connect", "127.0.0.1:htps"], 2),
        (&["connect", "127.0.0.1:1", "--connect-timeout", "5"], 2),
        (&["connect", "tls://127.0.0.1:1", "--ca", &missing], 4),
        (&["connect", "tls://127.0.0.1:1", "--ca", &empty], 4),
        (&["forward", "fd:", "127.0.0.1:1"], 4),
        (&["forward", "udp://127.0.0.1:0", "127.0.0.1:1"], 2),
        (&["scan", "127.0.0.1", "-p", "1", "-o", here], 4),
        (&["scan", "127.0.0.1", "-p", "1", "--resume", &missing], 4),
        (&["scan", "127.0.0.1", "-p", "1", "--resume", &junk], 4),
        (&["scan", "127.0.0.1", "-p", "1", "--source", "192.0.2.1"], 4),
        (&["diff", &missing, &junk], 4),
        (&["diff", &junk, &junk], 4),
        (&["diff", &empty, &empty], 4),
        (&["ls", "--address", "x"], 2),
        (&["ls", "--user", "no such user"], 2),
        (&["who", "80/sctp"], 2),
        (&["doctor", "80", "--address", "fe80::1%nope"], 2),
        (&["sniff", "tpc"], 2),
        (&["lease", "--", &missing], 127),
        (&["lease", "--", &junk], 126),
        (&["free", "--address", "192.0.2.1"], 4),
        (&["leases", "-o", &missing], 4),
    ] {
        let run = run(args);
        run.assert_code(code);
        let errors: Vec<&str> =
            run.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert_eq!(errors.len(), 1, "{args:?}: {}", run.stderr);
        let parts: Vec<&str> = errors[0].split(": ").collect();
        let is_told_twice =
            parts.iter().enumerate().any(|(index, part)| parts[..index].contains(part));
        assert!(!is_told_twice && !parts.contains(&""), "{args:?}: {}", errors[0]);
        // What Rust's `Debug` writes, what its parsers say, and a colon behind one.
        for foreign in ["Os {", "Error(", "Some(", "IP address syntax", ":: no"] {
            assert!(!errors[0].contains(foreign), "{args:?}: {}", errors[0]);
        }
    }
}
