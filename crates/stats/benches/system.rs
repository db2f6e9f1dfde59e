//! What reading the machine's sockets costs, beside `ss` where it is installed, in one run.
//!
//! `cargo bench -p stats --features system --bench system` prints a table of the fastest of some
//! runs, each of ours next to one of `ss`. 99,000 TCP sockets in 5 processes, then 10,000 in 1,000;
//! `-- --sockets N` takes fewer. The processes are this program again: each holds both ends of its
//! connections, and ends when its standard input does. All on 127.0.0.0/8.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table")]

#[cfg(target_os = "linux")]
mod machine {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use stats::system::{Query, Snapshot, StateSet, SystemSockets};

    const ROUNDS: usize = 5;
    /// An argument that makes this program one that holds sockets.
    const HOLD: &str = "--hold";

    /// Processes that hold sockets, until this is dropped.
    struct Holders(Vec<Child>);

    impl Holders {
        fn start(processes: usize, sockets: usize) -> Self {
            let program = std::env::current_exe().expect("this program has a path");
            let each = (sockets / processes).to_string();
            let start = |index: usize| {
                // Addresses of its own, so that ephemeral ports suffice.
                Command::new(&program)
                    .args([HOLD, &each, &(index % 200 + 1).to_string()])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("this program starts again")
            };
            let mut children: Vec<Child> = (0..processes).map(start).collect();
            for child in &mut children {
                let ready = child.stdout.take().expect("it is piped");
                let mut line = String::new();
                BufReader::new(ready).read_line(&mut line).expect("a holder says when it is ready");
                assert_eq!(
                    line, "ready\n",
                    "a holder failed: is the limit of descriptors too low?"
                );
            }
            Self(children)
        }
    }

    impl Drop for Holders {
        fn drop(&mut self) {
            for child in &mut self.0 {
                drop(child.stdin.take());
            }
            for child in &mut self.0 {
                let _ = child.wait();
            }
        }
    }

    /// Holds a listener and both ends of connections, `sockets` in all.
    fn hold(sockets: usize, subnet: u8) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 9, subnet, 1], 0))).expect("bind");
        let address = listener.local_addr().expect("bound");
        let mut kept = Vec::new();
        while kept.len() + 2 < sockets {
            let client = TcpStream::connect(address).expect("connect");
            let server = listener.accept().expect("accept").0;
            for end in [&client, &server] {
                // Nothing is left of them in TIME-WAIT when the process ends.
                socket2::SockRef::from(end).set_linger(Some(Duration::ZERO)).expect("linger");
            }
            kept.extend([client, server]);
        }
        println!("ready");
        std::io::stdout().flush().expect("flush");
        let _ = std::io::stdin().read(&mut [0; 1]);
    }

    /// The fastest of some runs of each, in turn.
    fn fastest<const N: usize>(mut tasks: [(&str, &mut dyn FnMut() -> usize); N]) -> [Duration; N] {
        let mut best = [Duration::MAX; N];
        for _ in 0..ROUNDS {
            for (best, (_, task)) in best.iter_mut().zip(&mut tasks) {
                let started = Instant::now();
                let rows = std::hint::black_box(task());
                *best = (*best).min(started.elapsed());
                assert!(rows > 0);
            }
        }
        best
    }

    fn ss(arguments: &'static str) -> impl FnMut() -> usize {
        move || {
            let output = Command::new("ss").arg(arguments).output().expect("ss ran before");
            output.stdout.split(|byte| *byte == b'\n').count()
        }
    }

    fn fresh(query: &Query) -> Snapshot {
        SystemSockets::new().snapshot(query).expect("the kernel tells")
    }

    fn row(what: &str, ours: Duration, peer: &str, theirs: Duration, bar: f64) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let verdict = if ratio <= bar { "" } else { "  MISSED" };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{what:<44} {:>8.1} ms  {peer:<14} {:>8.1} ms  {ratio:>6.3} (bar {bar}){verdict}",
            milliseconds(ours),
            milliseconds(theirs),
        );
    }

    fn few_processes(sockets: usize) {
        let _holders = Holders::start(5, sockets);
        let (plain, with) = (Query::tcp(), Query::tcp().processes(true));
        let listening = Query::tcp().states(StateSet::LISTENING).processes(true);
        println!("{} sockets in 5 processes", fresh(&plain).len());
        let mut warm = SystemSockets::new();
        warm.snapshot(&with).expect("the kernel tells");
        let [ours, theirs] = fastest([("", &mut || fresh(&plain).len()), ("", &mut ss("-tanH"))]);
        row("snapshot", ours, "ss -tanH", theirs, 0.5);
        let [first, second] = fastest([
            ("", &mut || fresh(&with).processes().len()),
            ("", &mut || warm.snapshot(&with).expect("the kernel tells").processes().len()),
        ]);
        row("second snapshot with processes", second, "the first", first, 0.3);
        let [ours, theirs] =
            fastest([("", &mut || fresh(&with).processes().len()), ("", &mut ss("-tanpH"))]);
        row("snapshot with processes", ours, "ss -tanpH", theirs, 0.15);
        let [ours, theirs] =
            fastest([("", &mut || fresh(&listening).processes().len()), ("", &mut ss("-tlnpH"))]);
        row("listening sockets with processes", ours, "ss -tlnpH", theirs, 0.3);
    }

    fn many_processes(sockets: usize) {
        let _holders = Holders::start(1000, sockets);
        let with = Query::tcp().processes(true);
        println!("{} sockets in 1,000 processes", fresh(&with).len());
        let mut warm = SystemSockets::new();
        warm.snapshot(&with).expect("the kernel tells");
        let [ours, second, theirs] = fastest([
            ("", &mut || fresh(&with).processes().len()),
            ("", &mut || warm.snapshot(&with).expect("the kernel tells").processes().len()),
            ("", &mut ss("-tanpH")),
        ]);
        row("snapshot with processes", ours, "ss -tanpH", theirs, 0.5);
        row("second snapshot with processes", second, "the first", ours, 0.3);
    }

    pub(super) fn run() {
        let arguments: Vec<String> = std::env::args().collect();
        let number = |name: &str, place: usize| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + place)?.parse::<usize>().ok()
        };
        if let (Some(sockets), Some(subnet)) = (number(HOLD, 1), number(HOLD, 2)) {
            return hold(sockets, subnet as u8);
        }
        if Command::new("ss").arg("-V").output().is_err() {
            println!("ss is not installed: nothing to compare with");
            return;
        }
        let sockets = number("--sockets", 1).unwrap_or(99_000);
        few_processes(sockets);
        many_processes(sockets.min(10_000));
    }
}

fn main() {
    #[cfg(target_os = "linux")]
    machine::run();
}
