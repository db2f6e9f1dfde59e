//! Two hosts with one link between them: the scanner's, and one with a chosen set of open ports, a
//! chosen loss, a chosen silence.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use anyhow::{Result, ensure};

use super::host::Host;
use super::plan::Ports;

const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// An address of the near side that no kernel has: a scanner with its own network stack must not
/// share one with the kernel, which resets what it did not open.
const SPARE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
/// The first of the addresses that the far host may have besides.
const CROWD: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 0);
const NEAR_INTERFACE: &str = "va";
const FAR_INTERFACE: &str = "vb";
// Locally administered (IEEE 802, section 8.4), and known without asking.
const NEAR_MAC: &str = "02:00:00:00:00:01";
const FAR_MAC: &str = "02:00:00:00:00:02";

/// What is on the far side of the link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// What is scanned on each address.
    pub(super) ports: Ports,
    /// How many of them are open, spread evenly.
    pub(super) open: u32,
    /// How many packets of a hundred are lost, each way.
    pub(super) loss_percent: u8,
    /// Whether the other ports are silent; otherwise they refuse.
    pub(super) silent: bool,
    /// The far host has all addresses of a prefix of this length; otherwise one.
    pub(super) crowd: Option<u8>,
}

impl Scene {
    /// One host with some open ports among those that refuse.
    pub(super) const fn one_host(ports: Ports, open: u32) -> Self {
        Self { ports, open, loss_percent: 0, silent: false, crowd: None }
    }

    /// As many hosts as the prefix holds, each with its one port open.
    pub(super) const fn crowd(prefix: u8) -> Self {
        Self { ports: Ports::HTTP, open: 1, loss_percent: 0, silent: false, crowd: Some(prefix) }
    }

    /// The same with loss.
    pub(super) const fn losing(self, percent: u8) -> Self {
        Self { loss_percent: percent, ..self }
    }

    /// The same, but what is not open says nothing.
    pub(super) const fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    /// How many addresses are scanned.
    pub(super) fn hosts(&self) -> u32 {
        self.crowd.map_or(1, |prefix| 1 << (32 - u32::from(prefix.clamp(8, 32))))
    }

    /// How many ports there are to ask.
    pub(super) fn asked(&self) -> u32 {
        self.hosts() * self.ports.count()
    }

    /// What a scanner is told to scan.
    pub(super) fn targets(&self) -> String {
        self.crowd.map_or_else(|| FAR.to_string(), |prefix| format!("{CROWD}/{prefix}"))
    }

    /// The rules of the far host's packet filter; empty where it needs none.
    fn rules(&self, open: &[u16]) -> String {
        let loss = match self.loss_percent {
            0 => String::new(),
            percent => format!("numgen random mod 100 < {percent} drop\n"),
        };
        let silence = if self.silent {
            let open = open.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            format!("tcp dport {{ {open} }} accept\nmeta l4proto tcp drop\n")
        } else {
            String::new()
        };
        if loss.is_empty() && silence.is_empty() {
            return String::new();
        }
        format!(
            "table ip bench {{\n\
             chain input {{\ntype filter hook input priority 0;\n{loss}{silence}}}\n\
             chain output {{\ntype filter hook output priority 0;\n{loss}}}\n}}\n"
        )
    }
}

/// `65535 ports, 200 open, the rest closed, over a veth pair, 5 % loss each way`.
impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.crowd.is_some() {
            write!(f, "{} hosts, port {}, all open", self.hosts(), self.ports)?;
        } else {
            let rest = if self.silent { "silent" } else { "closed" };
            write!(f, "{} ports, {} open, the rest {rest}", self.ports.count(), self.open)?;
        }
        f.write_str(", over a veth pair")?;
        match self.loss_percent {
            0 => Ok(()),
            percent => write!(f, ", {percent} % loss each way"),
        }
    }
}

/// What a program with its own network stack must know of the near side.
pub(super) struct Wire {
    pub(super) interface: &'static str,
    /// The address that the kernel has, too.
    pub(super) source: Ipv4Addr,
    /// One that only the scanner has.
    pub(super) spare: Ipv4Addr,
    pub(super) peer_mac: String,
}

/// The two hosts; gone when dropped.
pub(super) struct Link {
    pub(super) scene: Scene,
    pub(super) near: Host,
    pub(super) far: Host,
    pub(super) wire: Wire,
    /// What is open.
    pub(super) open: BTreeSet<SocketAddrV4>,
}

impl Link {
    /// Makes both hosts and the link.
    ///
    /// # Errors
    ///
    /// Where one of the steps fails; all of them need root, and loss or silence needs nft.
    pub(super) fn new(xtask: &Path, scene: Scene) -> Result<Self> {
        let near = Host::start(xtask, scene.ports, 0)?;
        let far = Host::start(xtask, scene.ports, scene.open)?;
        near.run(
            &format!(
                "ip link add {NEAR_INTERFACE} address {NEAR_MAC} type veth \
                 peer name {FAR_INTERFACE} address {FAR_MAC} netns {}",
                far.id()
            ),
            "",
        )?;
        for (host, interface, address) in
            [(&near, NEAR_INTERFACE, NEAR), (&far, FAR_INTERFACE, FAR)]
        {
            host.run("ip link set lo up", "")?;
            host.run(&format!("ip addr add {address}/24 dev {interface}"), "")?;
            host.run(&format!("ip link set {interface} up"), "")?;
        }
        // Nobody answers for it but the scanner that uses it, and not every one does.
        let entry = format!("{SPARE} lladdr {NEAR_MAC} dev {FAR_INTERFACE} nud permanent");
        far.run(&format!("ip neigh add {entry}"), "")?;
        if scene.crowd.is_some() {
            let prefix = scene.targets();
            near.run(&format!("ip route add {prefix} via {FAR}"), "")?;
            far.run(&format!("ip route add local {prefix} dev lo"), "")?;
            // Always cookies: half-open connections are not remembered, so none is refused for
            // being one too many (Documentation/networking/ip-sysctl.rst, tcp_syncookies).
            far.run("tee /proc/sys/net/ipv4/tcp_syncookies", "2\n")?;
        }
        let rules = scene.rules(far.ports());
        if !rules.is_empty() {
            far.run("nft -f -", &rules)?;
        }
        let first = scene.crowd.map_or(FAR, |_| CROWD).to_bits();
        let open: BTreeSet<_> = (first..first + scene.hosts())
            .flat_map(|host| {
                far.ports().iter().map(move |&port| SocketAddrV4::new(host.into(), port))
            })
            .collect();
        ensure!(!open.is_empty(), "nothing is open in this scene");
        let wire = Wire {
            interface: NEAR_INTERFACE,
            source: NEAR,
            spare: SPARE,
            peer_mac: FAR_MAC.to_owned(),
        };
        Ok(Self { scene, near, far, wire, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_says_what_it_is() {
        let scene = Scene::one_host(Ports::ALL, 200);
        assert_eq!(
            scene.losing(5).to_string(),
            "65535 ports, 200 open, the rest closed, over a veth pair, 5 % loss each way"
        );
        assert_eq!((scene.asked(), scene.targets().as_str()), (65_535, "10.77.0.2"));
        let crowd = Scene::crowd(16);
        assert_eq!(crowd.to_string(), "65536 hosts, port 80, all open, over a veth pair");
        assert_eq!((crowd.asked(), crowd.targets().as_str()), (65_536, "10.78.0.0/16"));
    }

    #[test]
    fn rules_drop_both_ways_and_spare_the_open_ports() {
        let scene = Scene::one_host(Ports::ALL, 2);
        assert_eq!(scene.rules(&[22, 80]), "");
        let loss = scene.losing(10).rules(&[22, 80]);
        assert_eq!(loss.matches("numgen random mod 100 < 10 drop").count(), 2, "{loss}");
        let silent = scene.silent().rules(&[22, 80]);
        assert!(silent.contains("tcp dport { 22, 80 } accept\nmeta l4proto tcp drop"), "{silent}");
    }
}
