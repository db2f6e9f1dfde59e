//! The tightest connect scan the kernel allows: two threads, and for each port nothing but socket,
//! connect, close. What a scanner takes beyond it is the scanner's own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::plan::Ports;

/// One per core of the machine the baselines were taken on.
const THREADS: usize = 2;
/// Shorter than the kernel's first SYN retransmission (1 s, RFC 6298 section 2.1): `connect` gives
/// up before it would send another. On loopback an answer takes microseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);
/// How often a port is tried again after the probe met itself.
const MOST_ATTEMPTS: u32 = 3;

/// Arguments of the hidden `cargo xtask bare-connect`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ports of 127.0.0.1 to connect to.
    #[arg(value_name = "FIRST-LAST")]
    ports: Ports,
}

/// What the loop saw. Every port is in exactly one of the four.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Ports that took the connection.
    pub(super) open: Vec<u16>,
    /// How many refused it.
    pub(super) closed: u32,
    /// How many did not answer in time.
    pub(super) silent: u32,
    /// How many this machine could not even try.
    pub(super) local_errors: u32,
}

/// Connects to each port once and prints the outcome as one line of JSON.
///
/// # Errors
///
/// Where a thread panicked or standard output is closed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let outcome = connect_to_all(args.ports)?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn connect_to_all(ports: Ports) -> Result<Outcome> {
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || connect_to_every_nth(ports, thread)))
            .collect();
        for thread in threads {
            let part = thread.join().map_err(|_| anyhow!("a thread of the bare loop panicked"))?;
            total.open.extend(part.open);
            total.closed += part.closed;
            total.silent += part.silent;
            total.local_errors += part.local_errors;
        }
        Ok(total)
    })
}

fn connect_to_every_nth(ports: Ports, offset: usize) -> Outcome {
    let mut outcome = Outcome::default();
    for port in (ports.first..=ports.last).skip(offset).step_by(THREADS) {
        match connect(port) {
            Ok(()) => outcome.open.push(port),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => outcome.closed += 1,
            Err(error) if is_timeout(&error) => outcome.silent += 1,
            Err(_) => outcome.local_errors += 1,
        }
    }
    outcome
}

fn connect(port: u16) -> io::Result<()> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = SockAddr::from(peer);
    for _ in 0..MOST_ATTEMPTS {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // A reset instead of TIME_WAIT: 65,535 of those would use up the ephemeral ports.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
        socket.connect(&address)?;
        // The kernel may choose the probed port as the source: then nobody listens, the probe
        // met itself (simultaneous open, RFC 9293 section 3.5).
        if socket.local_addr()?.as_socket() != Some(peer) {
            return Ok(());
        }
    }
    Err(io::Error::other("every attempt met itself"))
}

/// `SO_SNDTIMEO` ends a blocking connect with EINPROGRESS (socket(7)).
fn is_timeout(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listening_port_is_open_and_every_port_is_accounted_for() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports = Ports { first: port.saturating_sub(50), last: port };
        let outcome = connect_to_all(ports).unwrap();
        assert!(outcome.open.contains(&port), "{outcome:?}");
        let open = u32::try_from(outcome.open.len()).unwrap();
        assert_eq!(
            open + outcome.closed + outcome.silent + outcome.local_errors,
            ports.count(),
            "{outcome:?}"
        );
    }
}
