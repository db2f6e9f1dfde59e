//! Arguments of `ports scan`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use scanner::{EngineConfig, ParseTargetError, PortState, Shard, TargetSpec};

use super::address::address;
use super::duration;
use super::port::PortsArg;
use super::{ScanFormat, ScanOutputArgs};

/// Arguments of `ports scan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports scan localhost\n\
    \x20 ports scan 192.0.2.0/24 -p 22,80,443 -o found.jsonl\n\
    \x20 ports scan --udp 192.0.2.7 -p 53,123 --show all\n\
    \n\
    Targets: a name (every address it has), 192.0.2.7, ::1, 192.0.2.0/24, \
    192.0.2.1-192.0.2.9, 10.0.0-3.1-254, @FILE (targets between white space, # begins a comment), \
    - (the same from standard input).\n\
    Ports: 22,80,8000-8100,49152-,-1024,http,x11,top:100,all.\n\
    Without -p: every port on this machine's own addresses, top:1000 elsewhere.\n\
    Over UDP a silent port is open|filtered: its service may not know what to answer.\n\n\
    Scan only hosts that you own or may scan.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ScanArgs {
    /// Hosts to scan
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<TargetArg>,
    /// Ports to ask
    #[arg(long, short, value_name = "PORTS", allow_hyphen_values = true)]
    pub(crate) ports: Option<PortsArg>,
    /// Ask UDP ports, with the protocols of their usual services
    #[arg(long)]
    pub(crate) udp: bool,
    /// How to ask
    #[arg(long, value_name = "METHOD", default_value = "auto")]
    pub(crate) method: MethodArg,
    /// Leave these hosts out; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub(crate) exclude: Vec<TargetSpec>,
    /// Leave out the hosts of this file; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_file: Vec<PathBuf>,
    /// Leave these ports out
    #[arg(long, value_name = "PORTS", allow_hyphen_values = true)]
    pub(crate) exclude_ports: Option<PortsArg>,
    /// Send at most N probes per second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Wait at most this long for an answer, such as 500ms or 2s; 1ms to 1h
    #[arg(long, value_name = "TIME", value_parser = probe_timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Ask again this often where no answer comes [default: as the loss asks for]
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u16>,
    /// Which ports to show
    #[arg(long, value_name = "STATES", value_delimiter = ',', default_value = "open")]
    pub(crate) show: Vec<StateArg>,
    /// Keep what is done in FILE, and go on from there where it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
    /// Scan but the I-th of N shares
    #[arg(long, value_name = "I/N", default_value_t)]
    pub(crate) shard: Shard,
    /// Seed of the order in which ports are asked
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Send from this address of this machine
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) source: Option<IpAddr>,
    /// Ask first who is there, and scan the ports of those only
    #[arg(long, conflicts_with_all = ["resume", "shard"])]
    pub(crate) discover: bool,
    /// Send by this interface only
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// IPv6 only
    #[arg(short = '6')]
    pub(crate) ipv6: bool,
    /// Scan more than 16,777,216 addresses
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: ScanOutputArgs,
}

/// Less is not worth waiting: an answer of this very machine may take as long on a busy processor.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// A target, or where to read targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetArg {
    Spec(TargetSpec),
    File(PathBuf),
    StandardInput,
}

impl FromStr for TargetArg {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix('@') {
            Some(path) if !path.is_empty() => Self::File(path.into()),
            _ if text == "-" => Self::StandardInput,
            _ => Self::Spec(text.parse()?),
        })
    }
}

impl fmt::Display for TargetArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(target) => target.fmt(f),
            Self::File(path) => write!(f, "@{}", path.display()),
            Self::StandardInput => f.write_str("-"),
        }
    }
}

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// The best one permitted
    Auto,
    /// The kernel's own handshake; needs no privilege
    Connect,
    /// Raw packets, the first of each handshake only; needs privilege
    Syn,
}

/// States to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateArg {
    State(PortState),
    All,
}

impl StateArg {
    const VARIANTS: [Self; PortState::ALL.len() + 1] = {
        let mut variants = [Self::All; PortState::ALL.len() + 1];
        let mut number = 0;
        while number < PortState::ALL.len() {
            variants[number] = Self::State(PortState::ALL[number]);
            number += 1;
        }
        variants
    };
}

impl ValueEnum for StateArg {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let name = match self {
            Self::State(state) => state.name(),
            Self::All => "all",
        };
        let help = match name {
            "open" => "Something accepts connections",
            "closed" => "The host refuses",
            "filtered" => "No answer, or a filter's; open|filtered ones too",
            "open|filtered" => "No answer over UDP, where services need not answer",
            "error" => "This machine could not ask",
            "all" => "Every state",
            _ => "",
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ScanArgs {
    /// The states that have a row.
    pub(crate) fn shown(&self) -> Vec<PortState> {
        let is_shown = |state: &PortState| {
            self.show.iter().any(|arg| match arg {
                StateArg::All => true,
                // One kind of the other.
                StateArg::State(PortState::Filtered) if *state == PortState::OpenFiltered => true,
                StateArg::State(shown) => shown == state,
            })
        };
        PortState::ALL.into_iter().filter(is_shown).collect()
    }

    /// The states that the outputs have to hear of: all where one of them counts what has no row.
    pub(crate) fn reported(&self) -> Vec<PortState> {
        let counts = |format| matches!(format, ScanFormat::Xml | ScanFormat::Grepable);
        let files = &self.output.output;
        if counts(self.output.format)
            || files.iter().any(|file| counts(file.format(self.output.format)))
        {
            PortState::ALL.to_vec()
        } else {
            self.shown()
        }
    }
}

fn probe_timeout(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    let most = EngineConfig::MAX_TIMEOUT;
    if time < MIN_TIMEOUT {
        Err(format!("the shortest is {}", humantime::format_duration(MIN_TIMEOUT)))
    } else if time > most {
        Err(format!("the longest is {}", humantime::format_duration(most)))
    } else {
        Ok(time)
    }
}
