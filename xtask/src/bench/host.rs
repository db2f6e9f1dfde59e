//! A host of the bench: a network namespace without a name, which lives as long as the process in
//! it. That process ends when its standard input does, so nothing is left over however the bench
//! ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::listeners::listen;
use super::plan::Ports;

/// Arguments of the hidden `cargo xtask bench-host`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ports among which to listen, on every address.
    #[arg(long, value_name = "FIRST-LAST", default_value = "80")]
    ports: Ports,
    /// On how many of them, spread evenly.
    #[arg(long, value_name = "N", default_value_t = 0)]
    count: u32,
}

/// Listens, prints the ports as one line of JSON, and stays until standard input ends.
///
/// # Errors
///
/// Where not one port can be bound, or standard output is closed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With a lower limit a bind fails, and that shows.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let ports: Vec<u16> = match args.count {
        0 => Vec::new(),
        count => listen(Ipv4Addr::UNSPECIFIED, args.ports, count)?.into_iter().collect(),
    };
    println!("{}", serde_json::to_string(&ports)?);
    std::io::stdin().read_to_end(&mut Vec::new()).context("cannot read standard input")?;
    Ok(())
}

/// The process that holds a namespace, seen from the bench; ended when dropped.
pub(super) struct Host {
    process: Child,
    ports: Vec<u16>,
}

impl Host {
    /// A host that listens on `count` of these ports.
    ///
    /// # Errors
    ///
    /// Where the namespace cannot be made (it needs root), or not all ports can be bound.
    pub(super) fn start(xtask: &Path, ports: Ports, count: u32) -> Result<Self> {
        let mut process = Command::new("unshare")
            .args(["--net", "--"])
            .arg(xtask)
            .args(["bench-host", "--ports", &ports.to_string(), "--count", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare")?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        // From here on, dropping it ends the process.
        let mut host = Self { process, ports: Vec::new() };
        host.ports = serde_json::from_str(&line)
            .context("no network namespace with listening sockets; see the message above")?;
        let listening = host.ports.len();
        ensure!(listening == count as usize, "{listening} of {count} listening sockets");
        Ok(host)
    }

    /// The ports it listens on.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The process in the namespace, by which the kernel names it.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What to put before a command so that it runs on this host, and ends with the bench.
    pub(super) fn prefix(&self) -> Vec<String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.id());
        ["setpriv", "--pdeathsig", "KILL", "nsenter", &namespace].map(str::to_owned).to_vec()
    }

    /// Runs a command on this host, its words separated by spaces, with this standard input.
    pub(super) fn run(&self, command: &str, input: &str) -> Result<()> {
        let prefix = self.prefix();
        let mut child = Command::new(&prefix[0])
            .args(&prefix[1..])
            .args(command.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{command}`"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that fails may not read it; its own message says more.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{command}` failed: {}", message.trim());
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It has no more to do than to see the end of its input.
        let _ = self.process.wait();
    }
}
