//! The real binary against ncat and socat; for other programs see the modules.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "driver/tls.rs"]
mod certificates;
#[path = "driver/ports.rs"]
mod driver;
#[path = "lab_net/findings.rs"]
mod findings;
#[path = "interop/forward.rs"]
mod forward;
#[path = "interop/hosts.rs"]
mod hosts;
#[path = "lab_net/hosts.rs"]
mod hosts_lab;
#[path = "interop/certificates.rs"]
mod refused;
#[path = "interop/tls.rs"]
mod tls;

use std::net::SocketAddr;
use std::process::Command;

use driver::{Ports, noise};

/// Several megabytes, of every value.
const LENGTH: usize = 5 << 20;

/// Another program, run like ours.
fn other(program: &str, args: &[&str]) -> Ports {
    Ports::spawn(Command::new(program).args(args))
}

/// Where a process of ours listens, by the kernel's own tables (proc(5)): ncat does not say which
/// port it got.
fn listening_port(pid: u32) -> Option<u16> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| {
            std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned)
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // 0A is TCP_LISTEN.
        let ours = fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9]));
        let port = fields[1].rsplit_once(':').unwrap().1;
        ours.then(|| u16::from_str_radix(port, 16).unwrap())
    })
}

fn ncat_listener() -> (Ports, SocketAddr) {
    let ncat = other("ncat", &["-v", "-l", "127.0.0.1", "0"]);
    // Said once it listens.
    ncat.stderr.until(b"Listening on 127.0.0.1");
    let port = listening_port(ncat.child.id()).unwrap();
    (ncat, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn socat_listener(what: &str) -> (Ports, SocketAddr) {
    let socat = other("socat", &["-d", "-d", "-t", "30", "TCP-LISTEN:0,bind=127.0.0.1", what]);
    let said = socat.stderr.wait(|bytes, _| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let line = text.split_once("listening on AF=2 ")?.1.split_once('\n')?.0.to_owned();
        Some(line)
    });
    (socat, said.trim().parse().unwrap())
}

#[test]
#[ignore = "needs ncat and socat"]
fn ncat_and_socat_get_their_megabytes_back_from_our_echo() {
    let server = Ports::start(&["listen", "tcp://127.0.0.1:0", "--service", "echo"]);
    let address = server.listening(0);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let there = format!("TCP:{address}");
    for mut client in [other("ncat", &[&host, &port]), other("socat", &["-t", "30", "-", &there])] {
        let data = noise(LENGTH);
        let feeding = client.feed(data.clone());
        let ended = client.end();
        feeding.join().unwrap().unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout == data, "{} of {LENGTH} bytes", ended.stdout.len());
    }
}

#[test]
#[ignore = "needs ncat and socat"]
fn our_client_gets_its_megabytes_back_from_socat() {
    let (_socat, address) = socat_listener("PIPE");
    let mut ports = Ports::start(&["connect", &address.to_string()]);
    let data = noise(LENGTH);
    let feeding = ports.feed(data.clone());
    let ended = ports.end();
    feeding.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == data, "{} of {LENGTH} bytes", ended.stdout.len());
}

#[test]
#[ignore = "needs ncat and socat"]
fn our_client_and_their_listeners_move_megabytes_both_ways_at_once() {
    for (mut listener, address) in [ncat_listener(), socat_listener("-")] {
        let mut ports = Ports::start(&["connect", &address.to_string()]);
        let (there, back) = (noise(LENGTH), noise(LENGTH / 2));
        let feeding = ports.feed_on(there.clone());
        let fed = listener.feed(back.clone()).join().unwrap().map_err(|error| error.kind());
        // ncat -l ends with its peer's stream, whatever it still has to send.
        ports.stdout.wait(|bytes, _| (bytes.len() >= back.len()).then_some(()));
        drop(feeding.join().unwrap().unwrap());
        let (here, served) = (ports.end(), listener.end());
        let said = format!("{} {}", here.stderr, served.stderr);
        assert_eq!((fed, here.code, served.code), (Ok(()), Some(0), Some(0)), "{said}");
        assert!(here.stdout == back, "{} bytes came back", here.stdout.len());
        assert!(served.stdout == there, "{} bytes got there", served.stdout.len());
    }
}

#[test]
#[ignore = "needs ncat and socat"]
fn their_clients_and_our_pipe_move_megabytes_both_ways_at_once() {
    for program in ["ncat", "socat"] {
        let mut server = Ports::start(&["listen", "tcp://127.0.0.1:0"]);
        let address = server.listening(0);
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut client = match program {
            "ncat" => other("ncat", &[&host, &port]),
            _ => other("socat", &["-t", "30", "-", &format!("TCP:{address}")]),
        };
        let (there, back) = (noise(LENGTH), noise(LENGTH / 2));
        let feeding = [client.feed(there.clone()), server.feed(back.clone())];
        let (here, served) = (client.end(), server.end());
        for feeding in feeding {
            feeding.join().unwrap().unwrap();
        }
        assert_eq!(served.code, Some(0), "{program}: {}", served.stderr);
        assert!(served.stdout == there, "{program}: {} bytes got there", served.stdout.len());
        assert!(here.stdout == back, "{program}: {} bytes came back", here.stdout.len());
    }
}
