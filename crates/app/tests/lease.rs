//! The real binary: `ports lease`, `ports leases`, `ports free`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/docker.rs"]
mod docker;
#[path = "driver/ports.rs"]
mod driver;
#[path = "lease/ends.rs"]
mod ends;
#[path = "lease/guide.rs"]
mod guide;
#[path = "lease/guide/engine.rs"]
mod guide_engine;
#[path = "lease/guide/programs.rs"]
mod guide_programs;
#[path = "lease/places.rs"]
mod places;
#[path = "lease/rows.rs"]
mod rows;
#[path = "lease/terminal.rs"]
mod terminal;

use std::net::UdpSocket;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use driver::{Ended, Ports, run};

/// Held shared by tests that lease any port, alone by one that is to get a port of them again.
static ANY_PORT: RwLock<()> = RwLock::new(());

fn any_port() -> RwLockReadGuard<'static, ()> {
    ANY_PORT.read().unwrap_or_else(PoisonError::into_inner)
}

/// What the command printed, word by word.
fn words(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = str::from_utf8(&ended.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

/// The port in the first line that a running command prints.
fn port_of(ports: &Ports) -> u16 {
    ports.stdout.line("", 0).trim().parse().unwrap()
}

#[test]
fn the_command_finds_its_ports_in_its_environment() {
    let _any = any_port();
    let ended =
        run(&["lease", "--", "sh", "-c", "echo $PORT $PORT1 ${PORT2-none} ${LISTEN_FDS-none}"]);
    let words = words(&ended);
    assert_eq!(words[0], words[1]);
    assert_eq!(words[2..], ["none", "none"]);
    assert!(words[0].parse::<u16>().unwrap() >= 10_000);

    let script = "echo $PORT $PORT1 $PORT2 $PORT3";
    let three = self::words(&run(&["lease", "--count", "3", "--", "sh", "-c", script]));
    let numbers: Vec<u16> = three.iter().map(|word| word.parse().unwrap()).collect();
    assert_eq!(numbers, [numbers[0], numbers[0], numbers[0] + 1, numbers[0] + 2]);
}

#[test]
fn a_range_a_port_and_a_transport() {
    let range = run(&["lease", "--range", "3000-3019", "--udp", "--", "printenv", "PORT"]);
    let port: u16 = words(&range)[0].parse().unwrap();
    assert!((3000..3020).contains(&port));
    let exact = port.to_string();
    assert_eq!(
        words(&run(&["lease", "--port", &exact, "--udp", "--", "printenv", "PORT"])),
        [exact]
    );
}

#[test]
fn a_name_gets_its_port_again() {
    let port = |name: &str| {
        words(&run(&["lease", "--range", "3020-3099", "--name", name, "--", "printenv", "PORT"]))
    };
    assert_eq!(port("web"), port("web"));
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let _any = any_port();
    assert_eq!(run(&["lease", "--", "sh", "-c", "exit 42"]).code, Some(42));
    let killed = run(&["lease", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.code, None, "a signal that ends the command ends this process");
}

#[test]
fn its_own_failures_have_codes_of_their_own() {
    let _any = any_port();
    for (args, code, text) in [
        (&["lease", "--", "/no/such/command"][..], 127, "cannot run `/no/such/command`: "),
        (&["lease", "--", "/etc/passwd"], 126, "cannot run `/etc/passwd`: "),
        (&["lease", "--count", "0", "--", "true"], 125, "--count"),
        (&["lease", "--bad", "--", "true"], 125, "--bad"),
        (&["lease"], 125, "CMD"),
        (&["lease", "--port", "0", "--", "true"], 125, "leave --port out for any that is free"),
        (
            &["lease", "--port", "65535", "--count", "2", "--", "true"],
            125,
            "with --count 2, --port may be 65534 at most",
        ),
        (&["-q", "lease", "--range", "3000-3003", "--count", "5", "--", "true"], 125, "no 5 neigh"),
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{args:?}: {}", ended.stderr);
    }
    // Other commands keep theirs, and help is no failure.
    assert_eq!(run(&["leases", "--bad"]).code, Some(2));
    assert_eq!(run(&["lease", "--help"]).code, Some(0));
    assert_eq!(run(&["--version"]).code, Some(0));
}

#[test]
fn a_port_in_use_is_told_with_its_user() {
    // Of another process: one that this process starts meanwhile would have a copy for a moment.
    let user = Ports::start(&["listen", "tcp://127.0.0.1:0"]);
    let port = user.listening(0).port().to_string();
    let ended = run(&["lease", "--port", &port, "--", "true"]);
    assert_eq!(ended.code, Some(125));
    let who = format!("(process {})", user.child.id());
    assert!(ended.stderr.contains(&who) && ended.stderr.contains("(LISTEN)"), "{}", ended.stderr);
}

#[test]
fn sockets_are_passed_from_descriptor_three_on() {
    let script = "echo $PORT $LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID $$; \
        readlink /proc/self/fd/3 /proc/self/fd/4; test -e /proc/self/fd/5 || echo no more";
    let fd = ["--fd", "--tcp", "--udp", "--name", "web", "--range", "3100-3119"];
    let mut ports = Ports::start(&[&["lease"], &fd[..], &["--", "sh", "-c", script]].concat());
    ports.end_input();
    let ended = ports.end();
    let words = words(&ended);
    assert_eq!(words[1..3], ["2", "web-tcp-1:web-udp-1"]);
    assert_eq!(words[3], words[4], "LISTEN_PID is the process itself");
    assert!(words[5].starts_with("socket:[") && words[6].starts_with("socket:["), "{words:?}");
}

#[test]
fn passed_sockets_listen_at_the_port_and_leave_no_others_open() {
    let _any = any_port();
    let script = "echo $PORT; exec cat";
    let mut ports = Ports::start(&["lease", "--fd", "--", "sh", "-c", script]);
    let port = port_of(&ports);
    // Nobody accepts, but it is there: at 127.0.0.1 only.
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.2", port)).is_err());
    assert!(UdpSocket::bind(("127.0.0.1", port)).is_ok());
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
}

#[test]
fn what_stood_at_descriptor_three_is_overwritten_only_with_fd() {
    let _any = any_port();
    let ports = env!("CARGO_BIN_EXE_ports");
    let run = |flag: &str| {
        let script =
            format!("exec 3</dev/null; exec {ports} lease {flag} -- readlink /proc/self/fd/3");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(""), "/dev/null\n");
    assert!(run("--fd").starts_with("socket:["));
}

/// What a script prints, with the program as `$0`.
fn script(text: &str) -> String {
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", text, env!("CARGO_BIN_EXE_ports")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_starts_with_the_signals_and_streams_of_its_caller() {
    let _any = any_port();
    let ignored = |trap: &str| {
        let line = script(&format!("{trap} exec \"$0\" lease -- grep SigIgn /proc/self/status"));
        u64::from_str_radix(line.trim_start_matches("SigIgn:").trim(), 16).unwrap()
    };
    // SIGPIPE is 13, SIGXFSZ 25. Whoever runs the tests may ignore others.
    assert_eq!(ignored("trap '' PIPE;") & (1 << 12), 1 << 12);
    assert_eq!(ignored("trap '' XFSZ;") & (1 << 24), 1 << 24);
    // 32 and 33 are the C library's: whoever starts a thread handles them.
    let own = !(0b11 << 31);
    assert_eq!(ignored("") & own, script_status("SigIgn") & own);
    let closed = "exec \"$0\" lease -- sh -c 'test -e /proc/$$/fd/0 || echo closed' <&-";
    assert_eq!(script(closed), "closed\n");
}

/// A mask of signals that programs have that are started from here.
fn script_status(field: &str) -> u64 {
    let line = script(&format!("exec grep {field} /proc/self/status"));
    u64::from_str_radix(line.rsplit(':').next().unwrap().trim(), 16).unwrap()
}

#[test]
fn ports_of_an_outer_lease_are_not_taken_for_its_own() {
    let _any = any_port();
    let inner = "'echo ${PORT1-none} ${PORT2-none} ${PORT3-none} ${PORTAL-none}'";
    let line = format!(
        "PORTAL=kept exec \"$0\" lease --count 3 -- \"$0\" lease --count 2 -- sh -c {inner}"
    );
    let said = script(&line);
    let words: Vec<&str> = said.split_whitespace().collect();
    let number = |word: &str| word.parse::<u16>().unwrap();
    assert_eq!(number(words[0]) + 1, number(words[1]));
    assert_eq!(words[2..], ["none", "kept"]);
    // A handover to the caller is none to the command; with `--fd` there is a new one.
    let stale = "LISTEN_PIDFDID=7 exec \"$0\" lease --fd -- sh -c 'echo ${LISTEN_PIDFDID-none}'";
    assert_eq!(script(stale), "none\n");
}

#[test]
fn a_long_run_takes_a_descriptor_for_each_port() {
    let _any = any_port();
    assert_eq!(script("ulimit -n 64; exec \"$0\" lease --count 50 -- echo done"), "done\n");
}

#[test]
fn too_few_descriptors_are_a_failure_of_its_own() {
    let _any = any_port();
    // With any limit: there is no lease, or it cannot be passed on, or all is well.
    let mut said = String::new();
    for limit in 10..40 {
        let line = format!("ulimit -n {limit}; exec \"$0\" lease --fd --count 8 -- true");
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &line, env!("CARGO_BIN_EXE_ports")]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => assert_eq!(errors, ""),
            Some(125) => assert!(errors.contains("Too many open files"), "{limit}: {errors}"),
            code => panic!("{limit}: {code:?}: {errors}"),
        }
        said.push_str(&errors);
    }
    assert!(said.contains("error: cannot pass the lease on: Too many open files"), "{said}");
    assert!(said.contains("cannot take the abstract name"), "{said}");
}

#[test]
fn sockets_have_names_of_one_scheme() {
    for (args, names) in [
        (&[][..], "lease-tcp-1"),
        (&["--name", "a:b"], "a_b-tcp-1"),
        (&["--count", "2", "--tcp", "--udp"], "lease-tcp-1:lease-tcp-2:lease-udp-1:lease-udp-2"),
    ] {
        let command = ["--", "printenv", "LISTEN_FDNAMES"];
        let range = ["lease", "--fd", "--range", "3120-3199"];
        assert_eq!(words(&run(&[&range[..], args, &command[..]].concat())), [names]);
    }
}
