//! Processes that hold sockets: this program again, each with both ends of its connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Addresses of their own, so that the ports for connections suffice: 127.9.1.1 to 127.9.200.1.
const SUBNETS: u32 = 200;

/// Arguments of the hidden `cargo xtask hold-sockets`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many sockets.
    sockets: u32,
    /// Which 127.9.N.1.
    subnet: u8,
}

/// Holds a listener and both ends of connections until standard input ends; says at which port.
///
/// # Errors
///
/// Where there are too few descriptors or ports.
pub(crate) fn run(args: &Args) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("cannot raise the limit of descriptors")?;
    let address = SocketAddr::from((Ipv4Addr::new(127, 9, args.subnet, 1), 0));
    let listener = TcpListener::bind(address).with_context(|| format!("cannot bind {address}"))?;
    let address = listener.local_addr()?;
    let mut kept = Vec::new();
    while kept.len() as u32 + 2 < args.sockets {
        let client = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to {address} beside {}", kept.len()))?;
        kept.extend([client, listener.accept().context("cannot accept")?.0]);
    }
    println!("{}", address.port());
    std::io::stdout().flush()?;
    let _ = std::io::stdin().read(&mut [0; 1]);
    Ok(())
}

/// Running holders; they end when this is dropped.
pub(super) struct Holders {
    children: Vec<Child>,
    port: u16,
}

impl Holders {
    pub(super) fn start(xtask: &Path, processes: u32, sockets: u32) -> Result<Self> {
        let mut holders = Self { children: Vec::new(), port: 0 };
        let each = (sockets / processes).to_string();
        for index in 0..processes {
            let child = Command::new(xtask)
                .args(["hold-sockets", &each, &(index % SUBNETS + 1).to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot start a holder of sockets")?;
            holders.children.push(child);
        }
        for child in &mut holders.children {
            let mut line = String::new();
            let stdout = child.stdout.take().context("a holder has no standard output")?;
            BufReader::new(stdout).read_line(&mut line).context("cannot hear a holder")?;
            holders.port = line.trim().parse().context("a holder failed; it says why above")?;
        }
        Ok(holders)
    }

    /// The port that one of them listens at.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}
