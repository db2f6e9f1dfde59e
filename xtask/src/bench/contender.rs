//! Who takes part: our program, the bare loop, and the peers that are installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use xshell::cmd;

use super::findings::OutputFormat;
use super::plan::Ports;
use crate::workspace;

/// The name of our own row.
pub(super) const OURS: &str = "ports";
/// The name of the row all others are divided by.
pub(super) const BARE: &str = "bare";

const TARGET: &str = "127.0.0.1";
/// `RustScan`'s batch size in the baselines; larger ones cost more memory and gain nothing here.
const RUSTSCAN_BATCH: &str = "4500";

/// A program, how to start it, and how to read what it prints.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) output: OutputFormat,
}

/// Who takes part, and who does not and why.
pub(super) struct Contenders {
    pub(super) present: Vec<Contender>,
    pub(super) absent: Vec<String>,
}

/// Our two from the directory of release binaries, the peers from PATH.
pub(super) fn all(release: &Path, ports: Ports) -> Result<Contenders> {
    let exe = |name: &str| release.join(name).with_extension(env::consts::EXE_EXTENSION);
    let ports = ports.to_string();
    let mut present = vec![
        Contender {
            name: OURS,
            program: exe("ports"),
            arguments: words(&["scan", TARGET, "-p", &ports, "--format", "jsonl"]),
            output: OutputFormat::JsonLines,
        },
        Contender {
            name: BARE,
            program: exe("xtask"),
            arguments: words(&["bare-connect", &ports]),
            output: OutputFormat::Bare,
        },
    ];
    let mut absent = Vec::new();

    if let Some(nmap) = find_on_path("nmap") {
        let mut nmap_with = |name, method: &str| {
            present.push(Contender {
                name,
                program: nmap.clone(),
                arguments: words(&[method, "-n", "-Pn", "-p", &ports, "-oG", "-", TARGET]),
                output: OutputFormat::NmapGrepable,
            });
        };
        nmap_with("nmap -sT", "-sT");
        if is_root()? {
            nmap_with("nmap -sS", "-sS");
        } else {
            absent.push("nmap -sS (needs root)".into());
        }
    } else {
        absent.push("nmap (not on PATH)".into());
    }
    match find_on_path("rustscan") {
        Some(program) => present.push(Contender {
            name: "rustscan",
            program,
            arguments: words(&["-a", TARGET, "-r", &ports, "-b", RUSTSCAN_BATCH, "-g"]),
            output: OutputFormat::RustScanGreppable,
        }),
        None => absent.push("rustscan (not on PATH)".into()),
    }
    absent.push(match find_on_path("masscan") {
        Some(_) => "masscan (has its own TCP stack, which cannot scan loopback)".into(),
        None => "masscan (not on PATH)".into(),
    });
    Ok(Contenders { present, absent })
}

impl Contender {
    /// The command as one would type it.
    pub(super) fn command_line(&self) -> String {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        format!("{program} {}", self.arguments.join(" "))
    }

    /// The first line of `--version`; `None` where there is none.
    pub(super) fn version(&self) -> Option<String> {
        let output = Command::new(&self.program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn find_on_path(name: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(name)).find(|path| path.is_file())
}

fn is_root() -> Result<bool> {
    let shell = workspace::shell()?;
    Ok(cmd!(shell, "id -u").quiet().read()? == "0")
}
