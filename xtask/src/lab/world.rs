//! The networks: a link to a host of its own kernel, or a device with a simulated network behind it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use simnet::{Network as Model, SimulationReport, Transport};
use xshell::Shell;

use super::attendant::Attendant;
use super::scenario::{Link, Network};
use super::truth::Truth;
use super::{listeners, simnet as simulated};

/// The namespace the scanner runs in.
pub(super) const HERE: &str = "here";
/// The host at the other end of the link.
const THERE: &str = "there";
const THERE_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 2));
/// A device's queue is short by itself (500 packets), and a scanner's burst is no loss of the path's.
const QUEUE: &str = "60000";

/// For what the kernel does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// In the /run that only the lab sees.
const NETWORK_FILE: &str = "/run/network.toml";

/// A network that stands until it is dropped. There is one at a time.
pub(super) struct World {
    kind: Kind,
}

enum Kind {
    Link { link: Link, open: BTreeSet<u16>, _listeners: Attendant },
    Simulated { model: Box<Model>, attendant: Attendant },
}

/// What a world says of itself in the end.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Packets that the scanner's device had no room for.
    pub(super) device_drops: u64,
    /// What the simulated network did.
    pub(super) simulation: Option<SimulationReport>,
}

impl World {
    /// Makes the network.
    pub(super) fn build(network: Network) -> Result<Self> {
        clear();
        ip("netns add here")?;
        ip("-n here link set lo up")?;
        let kind = match network {
            Network::Link(link) => build_link(link)?,
            Network::Simulated(toml) => build_simulated(toml)?,
        };
        Ok(Self { kind })
    }

    /// What is true of one port.
    pub(super) fn truth(&self, transport: Transport, host: IpAddr, port: u16) -> Truth {
        match &self.kind {
            Kind::Link { open, .. } if host == THERE_ADDRESS && open.contains(&port) => Truth::Open,
            Kind::Link { link, .. } => link.others,
            Kind::Simulated { model, .. } => {
                Truth::of(transport, model.behaviour(transport, host, port))
            }
        }
    }

    /// Takes it down.
    pub(super) fn end(self) -> Result<Remains> {
        let device = match self.kind {
            Kind::Link { .. } => "veth0",
            Kind::Simulated { .. } => "sim0",
        };
        let device_drops = drops(device)?;
        let simulation = match self.kind {
            Kind::Link { .. } => None,
            Kind::Simulated { attendant, .. } => Some(attendant.finish()?),
        };
        Ok(Remains { device_drops, simulation })
    }
}

/// What the world before left behind, in whatever way it ended.
fn clear() {
    for host in [HERE, THERE] {
        // Most often there is none.
        let _ = Command::new("ip").args(["netns", "del", host]).output();
    }
}

fn build_link(link: Link) -> Result<Kind> {
    ip("netns add there")?;
    ip("link add veth0 netns here type veth peer name veth0 netns there")?;
    for (host, end) in [(HERE, 1), (THERE, 2)] {
        ip(&format!("-n {host} addr add 10.77.0.{end}/24 dev veth0"))?;
        ip(&format!("-n {host} addr add fd77::{end}/64 dev veth0 nodad"))?;
        ip(&format!("-n {host} link set veth0 up"))?;
    }
    ip("-n there link set lo up")?;
    for (host, address) in [(HERE, "fd77::1"), (THERE, "fd77::2")] {
        await_own(host, address)?;
    }
    write_there("/proc/sys/net/ipv4/ip_forward", "1")?;
    // What the far side says is to be seen whole; limits are the simulated networks' subject.
    write_there("/proc/sys/net/ipv4/icmp_ratelimit", "0")?;
    // Before Linux 6.12 the limit on all messages belongs to the whole machine: then it stays.
    let _ = write_there("/proc/sys/net/ipv4/icmp_msgs_per_sec", "1000000");
    let _ = write_there("/proc/sys/net/ipv4/icmp_msgs_burst", "1000000");
    let count = link.open.to_string();
    let (attendant, ready) = Attendant::start::<listeners::Ready>(
        THERE,
        &["lab-listen", &THERE_ADDRESS.to_string(), &count],
    )?;
    let open = BTreeSet::from_iter(ready.ports);
    if !link.firewall.is_empty() {
        let ports = open.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let rules = format!("table inet lab {{\n{}\n}}\n", link.firewall.replace("OPEN", &ports));
        let shell = Shell::new()?;
        xshell::cmd!(shell, "ip netns exec {THERE} nft -f -")
            .stdin(&rules)
            .quiet()
            .run()
            .context("cannot set the firewall's rules")?;
    }
    for command in link.here {
        ip(&format!("-n here {command}"))?;
    }
    Ok(Kind::Link { link, open, _listeners: attendant })
}

fn build_simulated(toml: &str) -> Result<Kind> {
    let model = Model::from_toml(toml).context("the scenario's network")?;
    std::fs::write(NETWORK_FILE, toml).with_context(|| format!("cannot write {NETWORK_FILE}"))?;
    let (attendant, ready) =
        Attendant::start::<simulated::Ready>(HERE, &["simnet", "sim0", NETWORK_FILE])?;
    ensure!(ready.device == "sim0", "the device is called {}", ready.device);
    for command in [
        "addr add 10.79.0.1/32 dev sim0",
        "addr add fd79::1/128 dev sim0 nodad",
        &format!("link set sim0 up txqueuelen {QUEUE}"),
        "route add 10.80.0.0/16 dev sim0 src 10.79.0.1",
        "route add fd80::/32 dev sim0 src fd79::1",
    ] {
        ip(&format!("-n {HERE} {command}"))?;
    }
    await_own(HERE, "fd79::1")?;
    Ok(Kind::Simulated { model: Box::new(model), attendant })
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments.split_ascii_whitespace())
        .output()
        .context("cannot start ip")?;
    ensure!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Waits until packets to this IPv6 address of the host's arrive: the kernel makes the route that does it
/// some time after the address, in a worker (`addrconf_dad_work` in net/ipv6/addrconf.c).
fn await_own(host: &str, address: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let output = Command::new("ip")
            .args(["-n", host, "route", "get", address])
            .output()
            .context("cannot start ip")?;
        if output.stdout.starts_with(b"local ") {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{address} does not become an address of `{host}`");
    }
}

fn write_there(path: &str, value: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(["netns", "exec", THERE, "sh", "-c", "echo \"$0\" > \"$1\"", value, path])
        .output()
        .context("cannot start ip")?;
    ensure!(output.status.success(), "cannot write {value} to {path} of the far side");
    Ok(())
}

#[derive(Deserialize)]
struct LinkDetails {
    stats64: Statistics,
}

#[derive(Deserialize)]
struct Statistics {
    tx: Sent,
}

#[derive(Deserialize)]
struct Sent {
    dropped: u64,
}

/// What the device of the scanner's side dropped on its way out.
fn drops(device: &str) -> Result<u64> {
    let output = Command::new("ip")
        .args(["-n", HERE, "-json", "-stats", "link", "show", "dev", device])
        .output()
        .context("cannot start ip")?;
    let links: Vec<LinkDetails> =
        serde_json::from_slice(&output.stdout).context("ip speaks another JSON")?;
    Ok(links.iter().map(|link| link.stats64.tx.dropped).sum())
}
