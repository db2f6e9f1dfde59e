//! Help, completions and the manual page.

use super::program::run;

#[test]
fn help_of_every_command() {
    for command in [
        "scan",
        "diff",
        "lookup",
        "listen",
        "connect",
        "forward",
        "lease",
        "leases",
        "free",
        "ls",
        "who",
        "kill",
        "doctor",
        "watch",
        "sniff",
        "demo",
        "completions",
        "man",
    ] {
        let help = run(&[command, "--help"]);
        help.assert_code(0);
        insta::assert_snapshot!(format!("help-{command}"), help.stdout);
    }
    let help = run(&["--help"]);
    help.assert_code(0);
    insta::assert_snapshot!("help", help.stdout);
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = run(&["completions", shell]);
        completions.assert_code(0);
        assert!(
            completions.stdout.contains("ports") && completions.stdout.contains("exclude-ports")
        );
    }
}

#[test]
fn the_manual_has_every_command() {
    let man = run(&["man"]);
    man.assert_code(0);
    assert!(man.stdout.contains(".TH ports 1"));
    for command in [
        "SCAN", "DIFF", "LOOKUP", "LISTEN", "CONNECT", "FORWARD", "LEASE", "LEASES", "FREE", "LS",
        "WHO", "KILL", "DOCTOR", "WATCH", "SNIFF", "DEMO",
    ] {
        assert!(man.stdout.contains(&format!(".SH \"PORTS {command}\"")), "{command}");
    }
    for what_stands_below_the_help in ["fd: is the TCP listeners", "Keys: ? help", "ports who 8080"]
    {
        assert!(man.stdout.contains(what_stands_below_the_help), "{what_stands_below_the_help}");
    }
    assert!(!man.stdout.contains("(1)"), "one page has all, and refers to no other");
}
