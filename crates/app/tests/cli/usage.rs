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
        (&["scan", "127.0.0.1", "--timeout", "0s"], "more than zero"),
        (&["scan", "127.0.0.1", "--rate", "0"], "--rate"),
        (&["scan", "127.0.0.1", "--exclude", "127.0.0.1"], "no address is left to scan"),
        (&["scan", "127.0.0.1", "-p", "1", "--exclude-ports", "1"], "no port is left to scan"),
        (&["scan", "127.0.0.0-128.0.0.0", "-p", "1"], "--yes"),
        (&["scan", "127.0.0.1", "--timeout", "99999999999h"], "the longest is 1h"),
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
