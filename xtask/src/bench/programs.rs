//! Which programs are here, and how each is told to scan the same thing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::geteuid;

use super::contender::{Contender, Side};
use super::findings::OutputFormat;
use super::link::Wire;
use super::plan::Ports;

/// The tightest connect loop of this workspace.
pub(super) const BARE: &str = "bare loop";
pub(super) const OURS_CONNECT: &str = "ports connect";
pub(super) const OURS_SYN: &str = "ports syn";
pub(super) const OURS_AUTO: &str = "ports auto";
pub(super) const NMAP_CONNECT: &str = "nmap -sT";
pub(super) const NMAP_SYN: &str = "nmap -sS";
pub(super) const NMAP_SYN_FAST: &str = "nmap -sS -T4";
pub(super) const MASSCAN: &str = "masscan";
pub(super) const ZMAP: &str = "zmap";
pub(super) const RUSTSCAN: &str = "rustscan";

/// `RustScan`'s batch size in the baselines; larger ones cost more memory and gain nothing here.
const RUSTSCAN_BATCH: &str = "4500";
/// How long masscan and `ZMap` wait for late answers, in seconds: their own 10 and 8 are meant for
/// the Internet. Both are held to the same.
const COOL_DOWN: &str = "2";
/// masscan's word for no limit: more than any machine sends.
const MASSCAN_UNLIMITED: u32 = 100_000_000;

/// What everyone is told to scan.
pub(super) struct Job<'a> {
    /// An address or a prefix.
    pub(super) targets: String,
    pub(super) ports: Ports,
    /// What a program with its own network stack must know.
    pub(super) wire: Option<&'a Wire>,
    /// A ceiling in probes per second, or a program's own choice.
    pub(super) rate: Option<u32>,
}

/// The programs of this machine.
pub(super) struct Programs {
    pub(super) ours: PathBuf,
    pub(super) xtask: PathBuf,
    /// Whether our scanner offers `--method syn`.
    pub(super) has_syn: bool,
    pub(super) is_root: bool,
    /// `ZMap` refuses to start without a list of what not to scan; this one is empty.
    empty_list: PathBuf,
}

impl Programs {
    /// Our two from the directory of release binaries; `scratch` takes a file that `ZMap` wants.
    pub(super) fn find(release: &Path, scratch: &Path) -> Result<Self> {
        let exe = |name: &str| release.join(name).with_extension(env::consts::EXE_EXTENSION);
        let ours = exe("ports");
        let empty_list = scratch.join("empty-list");
        std::fs::write(&empty_list, "")
            .with_context(|| format!("cannot write {}", empty_list.display()))?;
        Ok(Self {
            has_syn: offers(&ours, "syn")?,
            is_root: geteuid().is_root(),
            xtask: exe("xtask"),
            ours,
            empty_list,
        })
    }

    /// Our scanner by one of its methods.
    pub(super) fn ours(&self, name: &'static str, job: &Job<'_>) -> Result<Contender, String> {
        let method = name.strip_prefix("ports ").unwrap_or("auto");
        if method == "syn" && !self.has_syn {
            return Err(format!("{name} (this build refuses --method syn)"));
        }
        if method == "syn" && !self.is_root {
            return Err(format!("{name} (needs root)"));
        }
        let mut arguments = words(&["scan", &job.targets, "-p", &job.ports.to_string()]);
        arguments.extend(words(&["--method", method, "--format", "jsonl"]));
        if let Some(rate) = job.rate {
            arguments.extend(["--rate".into(), rate.to_string()]);
        }
        let output = OutputFormat::JsonLines;
        Ok(contender(name, Side::Ours, self.ours.clone(), arguments, output))
    }

    /// The bare connect loop over the same ports of 127.0.0.1.
    pub(super) fn bare(&self, job: &Job<'_>) -> Contender {
        let arguments = words(&["bare-connect", &job.ports.to_string()]);
        contender(BARE, Side::Peer, self.xtask.clone(), arguments, OutputFormat::Bare)
    }

    /// nmap, by what its name says: method and timing.
    pub(super) fn nmap(&self, name: &'static str, job: &Job<'_>) -> Result<Contender, String> {
        let program = installed("nmap")?;
        if name != NMAP_CONNECT && !self.is_root {
            return Err(format!("{name} (needs root)"));
        }
        let mut arguments: Vec<String> = name.split(' ').skip(1).map(str::to_owned).collect();
        arguments.extend(words(&["-n", "-Pn", "-p", &job.ports.to_string(), "-oG", "-"]));
        if let Some(rate) = job.rate {
            let rate = rate.to_string();
            arguments.extend(words(&["--min-rate", &rate, "--max-rate", &rate]));
        }
        arguments.push(job.targets.clone());
        Ok(contender(name, Side::Peer, program, arguments, OutputFormat::NmapGrepable))
    }

    /// masscan, over a link: its own network stack cannot scan loopback.
    pub(super) fn masscan(job: &Job<'_>) -> Result<Contender, String> {
        let program = installed(MASSCAN)?;
        let Some(wire) = job.wire else {
            return Err(format!("{MASSCAN} (its own network stack cannot scan loopback)"));
        };
        let rate = job.rate.unwrap_or(MASSCAN_UNLIMITED).to_string();
        let arguments = words(&[
            &job.targets,
            &format!("-p{}", job.ports),
            "-e",
            wire.interface,
            "--adapter-ip",
            &wire.spare.to_string(),
            "--router-mac",
            &wire.peer_mac,
            "--rate",
            &rate,
            "--wait",
            COOL_DOWN,
            "-oL",
            "-",
        ]);
        Ok(contender(MASSCAN, Side::Peer, program, arguments, OutputFormat::MasscanList))
    }

    /// `ZMap`, over a link; it asks one port only.
    pub(super) fn zmap(&self, job: &Job<'_>) -> Result<Contender, String> {
        let program = installed(ZMAP)?;
        let (Some(wire), 1) = (job.wire, job.ports.count()) else {
            return Err(format!("{ZMAP} (asks one port of many hosts over a link, nothing else)"));
        };
        // 0 is ZMap's word for no limit.
        let rate = job.rate.unwrap_or(0).to_string();
        let arguments = words(&[
            "-p",
            &job.ports.to_string(),
            "-G",
            &wire.peer_mac,
            "-i",
            wire.interface,
            "-S",
            &wire.source.to_string(),
            "-b",
            &self.empty_list.to_string_lossy(),
            "-c",
            COOL_DOWN,
            "-r",
            &rate,
            "-q",
            "-o",
            "-",
            &job.targets,
        ]);
        Ok(contender(
            ZMAP,
            Side::Peer,
            program,
            arguments,
            OutputFormat::ZmapAddresses { port: job.ports.first },
        ))
    }

    /// `RustScan`, ports only, without the nmap it would start afterwards.
    pub(super) fn rustscan(job: &Job<'_>) -> Result<Contender, String> {
        let program = installed(RUSTSCAN)?;
        let ports = job.ports.to_string();
        let arguments = words(&["-a", &job.targets, "-r", &ports, "-b", RUSTSCAN_BATCH, "-g"]);
        Ok(contender(RUSTSCAN, Side::Peer, program, arguments, OutputFormat::RustScanGreppable))
    }
}

fn contender(
    name: &'static str,
    side: Side,
    program: PathBuf,
    arguments: Vec<String>,
    output: OutputFormat,
) -> Contender {
    Contender { name, side, program, arguments, output, most_rounds: None }
}

/// Whether our scanner knows the method: without a target it refuses either way, and says why.
fn offers(ours: &Path, method: &str) -> Result<bool> {
    let output = Command::new(ours)
        .args(["scan", "--method", method])
        .output()
        .with_context(|| format!("cannot start {}", ours.display()))?;
    Ok(!String::from_utf8_lossy(&output.stderr).contains("invalid value"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn installed(name: &str) -> Result<PathBuf, String> {
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} (not on PATH)"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn programs(has_syn: bool, is_root: bool) -> Programs {
        Programs {
            ours: "/nowhere/ports".into(),
            xtask: "/nowhere/xtask".into(),
            has_syn,
            is_root,
            empty_list: "/nowhere/empty".into(),
        }
    }

    fn job(rate: Option<u32>) -> Job<'static> {
        Job { targets: "10.77.0.2".into(), ports: Ports::HTTP, wire: None, rate }
    }

    #[test]
    fn ours_is_told_the_method_and_the_rate() {
        let ours = programs(true, true).ours(OURS_SYN, &job(Some(2000))).unwrap();
        assert_eq!(
            ours.command_line(),
            "ports scan 10.77.0.2 -p 80 --method syn --format jsonl --rate 2000"
        );
        let ours = programs(true, true).ours(OURS_CONNECT, &job(None)).unwrap();
        assert!(ours.command_line().ends_with("--method connect --format jsonl"));
    }

    #[test]
    fn what_cannot_run_says_why() {
        let refusal = |programs: Programs| programs.ours(OURS_SYN, &job(None)).err().unwrap();
        assert_eq!(refusal(programs(false, true)), "ports syn (this build refuses --method syn)");
        assert_eq!(refusal(programs(true, false)), "ports syn (needs root)");
    }

    #[test]
    fn programs_with_their_own_stack_take_part_over_a_link_only() {
        // Installed or not, they are absent.
        assert!(Programs::masscan(&job(None)).is_err());
        assert!(programs(true, true).zmap(&job(None)).is_err());
        let wire = Wire {
            interface: "va",
            source: Ipv4Addr::LOCALHOST,
            spare: Ipv4Addr::LOCALHOST,
            peer_mac: "02::1".into(),
        };
        let job = Job { ports: Ports::ALL, wire: Some(&wire), ..job(None) };
        assert!(programs(true, true).zmap(&job).is_err());
    }
}
