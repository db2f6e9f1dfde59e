//! What a case consists of: a network, a scan of it, and how exact the answer must be.

use std::time::Duration;

use simnet::Transport;

use super::truth::Truth;

/// A network and what to scan in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) network: Network,
    pub(super) targets: &'static [&'static str],
    /// As both `ports scan -p` and the lab read them: `22,80,8000-8100`.
    pub(super) ports: &'static str,
    pub(super) transport: Transport,
    /// Further arguments of the scan.
    pub(super) arguments: &'static [&'static str],
    pub(super) tolerance: Tolerance,
    /// The scan's exit code.
    pub(super) exit: i32,
    /// The scan is ended after this long, and has failed.
    pub(super) patience: Duration,
    /// Left out of a quick run, with this method, or with any.
    pub(super) slow: Slow,
}

/// What is scanned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network {
    /// A host of its own kernel at the other end of a link.
    Link(Link),
    /// A simulated network in TOML; its prefixes lie in 10.80.0.0/16 and `fd80::/32`.
    Simulated(&'static str),
}

/// The other end of the link, 10.77.0.2 and `fd77::2`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// How many ports are open there.
    pub(super) open: u16,
    /// What is true of everything else.
    pub(super) others: Truth,
    /// Rules of its firewall, in nft's language; `OPEN` stands for the open ports.
    pub(super) firewall: &'static str,
    /// Commands of `ip` on the scanner's side.
    pub(super) here: &'static [&'static str],
}

impl Link {
    /// A host where every port that is not open is closed.
    pub(super) const fn new(open: u16) -> Self {
        Self { open, others: Truth::Closed, firewall: "", here: &[] }
    }
}

/// How many verdicts may be wrong. No tolerance goes as far as a port
/// falsely called open or closed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tolerance {
    /// Open ports that may be missed.
    pub(super) missed: u64,
    /// Other ports whose verdict may be wrong.
    pub(super) mistaken: u64,
}

impl Tolerance {
    pub(super) const NONE: Self = Self { missed: 0, mistaken: 0 };
    /// Every open port, whatever is said of the others: their answers are limited or lost.
    pub(super) const OTHERS: Self = Self { missed: 0, mistaken: u64::MAX };
}

/// Which cases of a scenario take too long for a quick run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slow {
    None,
    Connect,
    All,
}

/// How the scanner asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Connect,
    Syn,
    Udp,
}

/// An option that `ports scan` must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// As one would type it.
    pub(super) option: &'static str,
    /// What its help says where it is there.
    pub(super) mark: &'static str,
}

/// A scenario, scanned with one method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) scenario: Scenario,
    pub(super) method: Method,
}

impl Case {
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.scenario.name, self.method.name())
    }

    /// Whether a name on the command line means this case.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.scenario.name || name == self.name()
    }

    pub(super) fn is_slow(&self) -> bool {
        self.scenario.slow == Slow::All
            || self.scenario.slow == Slow::Connect && self.method == Method::Connect
    }

    pub(super) fn needs(&self) -> Vec<Need> {
        match self.method {
            Method::Connect => Vec::new(),
            Method::Syn => vec![Need { option: "--method syn", mark: "- syn:" }],
            Method::Udp => vec![Need { option: "--udp", mark: "--udp" }],
        }
    }

    /// The arguments of the scan.
    pub(super) fn arguments(&self, seed: u64) -> Vec<String> {
        let Scenario { targets, ports, arguments, .. } = self.scenario;
        let method: &[&str] = match self.method {
            Method::Connect => &["--method", "connect"],
            Method::Syn => &["--method", "syn"],
            Method::Udp => &["--udp"],
        };
        let seed = seed.to_string();
        let fixed = ["-p", ports, "--show", "all", "--format", "jsonl", "--seed", &seed];
        [&["scan"], targets, &fixed[..], method, arguments]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Syn => "syn",
            Self::Udp => "udp",
        }
    }
}
