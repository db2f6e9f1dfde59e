//! The open ports in what each contender prints.

use std::collections::BTreeSet;

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
    /// `rustscan -g`.
    RustScanGreppable,
}

/// A line of our scanner, as far as the bench reads it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Port {
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
pub(super) fn open_ports(format: OutputFormat, output: &str) -> Result<BTreeSet<u16>> {
    match format {
        OutputFormat::JsonLines => from_json_lines(output),
        OutputFormat::Bare => from_bare(output),
        OutputFormat::NmapGrepable => from_nmap(output),
        OutputFormat::RustScanGreppable => from_rustscan(output),
    }
}

fn from_json_lines(output: &str) -> Result<BTreeSet<u16>> {
    let mut open = BTreeSet::new();
    let mut errors = None;
    for line in output.lines() {
        match serde_json::from_str(line).with_context(|| format!("not a scan's line: {line}"))? {
            Line::Port { port, state } if state == "open" => {
                open.insert(port);
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

fn from_bare(output: &str) -> Result<BTreeSet<u16>> {
    let outcome: bare::Outcome =
        serde_json::from_str(output).context("not the bare loop's output")?;
    ensure!(outcome.local_errors == 0, "{} ports could not be probed", outcome.local_errors);
    Ok(outcome.open.into_iter().collect())
}

/// `Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///, 80/open/tcp//http///\tIgnored State: ...`,
/// closed by `# Nmap done at ...`.
fn from_nmap(output: &str) -> Result<BTreeSet<u16>> {
    ensure!(output.contains("# Nmap done"), "no closing line: the scan did not end");
    output
        .lines()
        .flat_map(|line| line.split('\t'))
        .filter_map(|field| field.strip_prefix("Ports: "))
        .flat_map(|ports| ports.split(", "))
        .filter_map(|port| port.split_once("/open/"))
        .map(|(port, _)| port.trim().parse().with_context(|| format!("not a port: {port}")))
        .collect()
}

/// `127.0.0.1 -> [22,80]`; nothing where nothing is open.
fn from_rustscan(output: &str) -> Result<BTreeSet<u16>> {
    output
        .lines()
        .filter_map(|line| line.split_once("-> [")?.1.strip_suffix(']'))
        .flat_map(|ports| ports.split(','))
        .map(|port| port.trim().parse().with_context(|| format!("not a port: {port}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_format() {
        let bare = r#"{"open":[80,22],"closed":65533,"silent":0,"local_errors":0}"#;
        let json = concat!(
            r#"{"type":"scan","targets":["127.0.0.1"]}"#,
            "\n",
            r#"{"type":"port","host":"127.0.0.1","port":22,"state":"open","reason":"syn-ack"}"#,
            "\n",
            r#"{"type":"port","host":"127.0.0.1","port":23,"state":"closed"}"#,
            "\n",
            r#"{"type":"port","host":"127.0.0.1","port":80,"state":"open"}"#,
            "\n",
            r#"{"type":"summary","open":2,"errors":0}"#,
            "\n",
        );
        let nmap = "# Nmap 7.93 scan initiated\nHost: 127.0.0.1 ()\tStatus: Up\n\
            Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///, 23/filtered/tcp/////, \
            80/open/tcp//http///\tIgnored State: closed (65532)\n# Nmap done at now\n";
        let rustscan = "127.0.0.1 -> [80,22]\n";
        for (format, output) in [
            (OutputFormat::Bare, bare),
            (OutputFormat::JsonLines, json),
            (OutputFormat::NmapGrepable, nmap),
            (OutputFormat::RustScanGreppable, rustscan),
        ] {
            assert_eq!(open_ports(format, output).unwrap(), BTreeSet::from([22, 80]));
        }
    }

    #[test]
    fn a_scan_that_did_not_end_is_an_error() {
        for (format, output) in [
            (OutputFormat::Bare, ""),
            (OutputFormat::JsonLines, ""),
            (OutputFormat::JsonLines, "{\"type\":\"port\",\"port\":22,\"state\":\"open\"}\n"),
            (OutputFormat::NmapGrepable, "Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///\n"),
        ] {
            assert!(open_ports(format, output).is_err(), "{output}");
        }
    }

    #[test]
    fn ports_not_probed_are_an_error() {
        let json = "{\"type\":\"summary\",\"errors\":3}\n";
        let error = open_ports(OutputFormat::JsonLines, json).unwrap_err();
        assert_eq!(error.to_string(), "3 ports could not be probed");
        let bare = r#"{"open":[],"closed":0,"silent":0,"local_errors":2}"#;
        assert!(open_ports(OutputFormat::Bare, bare).is_err());
    }

    #[test]
    fn nothing_open_is_an_answer() {
        assert_eq!(open_ports(OutputFormat::RustScanGreppable, "").unwrap(), BTreeSet::new());
    }
}
