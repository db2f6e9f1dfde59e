//! The open ports in what each contender prints.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::bare;

/// How a contender prints what it found.
#[derive(Clone, Copy)]
pub(super) enum OutputFormat {
    /// Our scanner's JSON lines.
    JsonLines,
    /// The bare loop's one line.
    Bare,
    /// `nmap -oG -`.
    NmapGrepable,
    /// `masscan -oL -`.
    MasscanList,
    /// `zmap -o -`: addresses, of a port that was agreed on.
    ZmapAddresses { port: u16 },
    /// `rustscan -g`.
    RustScanGreppable,
}

/// A line of our scanner, as far as the bench reads it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Port {
        host: IpAddr,
        port: u16,
        state: String,
    },
    Summary {
        errors: u64,
    },
    #[serde(other)]
    Other,
}

/// The open ports.
///
/// # Errors
///
/// Where the output is not whole, or says that ports were not probed: a scan that did less work
/// must not win.
pub(super) fn open_ports(format: OutputFormat, output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    match format {
        OutputFormat::JsonLines => from_json_lines(output),
        OutputFormat::Bare => from_bare(output),
        OutputFormat::NmapGrepable => from_nmap(output),
        OutputFormat::MasscanList => from_masscan(output),
        OutputFormat::ZmapAddresses { port } => from_zmap(output, port),
        OutputFormat::RustScanGreppable => from_rustscan(output),
    }
}

fn from_json_lines(output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    let mut open = BTreeSet::new();
    let mut errors = None;
    for line in output.lines() {
        match serde_json::from_str(line).with_context(|| format!("not a scan's line: {line}"))? {
            Line::Port { host: IpAddr::V4(host), port, state } if state == "open" => {
                open.insert(SocketAddrV4::new(host, port));
            }
            Line::Summary { errors: count } => errors = Some(count),
            Line::Port { .. } | Line::Other => {}
        }
    }
    match errors {
        Some(0) => Ok(open),
        Some(errors) => bail!("{errors} ports could not be probed"),
        None => bail!("no summary line: the scan did not end"),
    }
}

fn from_bare(output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    let outcome: bare::Outcome =
        serde_json::from_str(output).context("not the bare loop's output")?;
    ensure!(outcome.local_errors == 0, "{} ports could not be probed", outcome.local_errors);
    Ok(outcome.open.into_iter().map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).collect())
}

/// `Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///, 80/open/tcp//http///\tIgnored State: ...`,
/// closed by `# Nmap done at ...`.
fn from_nmap(output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    ensure!(output.contains("# Nmap done"), "no closing line: the scan did not end");
    let mut open = BTreeSet::new();
    for line in output.lines() {
        let Some((host, fields)) =
            line.strip_prefix("Host: ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let ports = fields.split('\t').filter_map(|field| field.strip_prefix("Ports: "));
        for port in ports.flat_map(|ports| ports.split(", ")) {
            if let Some((port, _)) = port.split_once("/open/") {
                open.insert(endpoint(host, port)?);
            }
        }
    }
    Ok(open)
}

/// `open tcp 80 10.78.0.1 1795365383` between `#masscan` and `# end`; where nothing is open, no
/// line at all.
fn from_masscan(output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    ensure!(
        output.is_empty() || output.lines().any(|line| line == "# end"),
        "no closing line: the scan did not end"
    );
    output
        .lines()
        .filter_map(|line| line.strip_prefix("open tcp "))
        .map(|line| {
            let mut fields = line.split(' ');
            let (port, host) = (fields.next(), fields.next());
            endpoint(host.unwrap_or_default(), port.unwrap_or_default())
        })
        .collect()
}

/// One address a line, under the name of the column in some versions.
fn from_zmap(output: &str, port: u16) -> Result<BTreeSet<SocketAddrV4>> {
    output
        .lines()
        .filter(|line| *line != "saddr")
        .map(|line| {
            let host = line.parse().with_context(|| format!("not an address: {line}"))?;
            Ok(SocketAddrV4::new(host, port))
        })
        .collect()
}

/// `127.0.0.1 -> [22,80]`; nothing where nothing is open.
fn from_rustscan(output: &str) -> Result<BTreeSet<SocketAddrV4>> {
    let mut open = BTreeSet::new();
    for line in output.lines() {
        if let Some((host, ports)) = line.split_once(" -> [")
            && let Some(ports) = ports.strip_suffix(']')
        {
            for port in ports.split(',') {
                open.insert(endpoint(host, port)?);
            }
        }
    }
    Ok(open)
}

fn endpoint(host: &str, port: &str) -> Result<SocketAddrV4> {
    let host = host.parse().with_context(|| format!("not an address: {host}"))?;
    let port = port.trim().parse().with_context(|| format!("not a port: {port}"))?;
    Ok(SocketAddrV4::new(host, port))
}

#[cfg(test)]
mod tests;
