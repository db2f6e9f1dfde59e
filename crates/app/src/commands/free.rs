//! `ports free`: a port that is free now.

use std::io::{self, Write};

use anyhow::Context;
use ports_core::{Port, Transport};
use ports_lease::LeaseError;
use serde::Serialize;

use super::lease::{ephemeral, request};
use crate::args::{Format, FreeArgs};
use crate::exit::{Exit, NotPermitted};
use crate::output::{Terminal, io_error};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename = "free")]
struct Free {
    port: Port,
    transports: &'static [Transport],
}

pub(crate) fn run(args: &FreeArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let stdout = terminal.stdout()?;
    let lease = ports_lease::lease(&request(&args.ports)).map_err(refused)?;
    let transports = lease.transports();
    let free: Vec<Free> = lease.ports().map(|port| Free { port, transports }).collect();
    let ephemeral = lease.is_ephemeral().then(|| ephemeral(&lease));
    lease.release();
    write(args.format, io::BufWriter::new(stdout), &free)
        .context("cannot write to standard output")?;
    if let Some(ephemeral) = ephemeral {
        terminal.warn(&format!("{ephemeral}, and look there with --range)"));
    }
    terminal.warn(
        "only a hint: anybody may take it before you do (`ports lease -- CMD` holds it for CMD)",
    );
    Ok(Exit::Done)
}

/// Where ports were left out because they need a privilege, that is what the user lacks.
fn refused(error: LeaseError) -> anyhow::Error {
    match error {
        LeaseError::Exhausted { privileged: 1.., .. } => {
            NotPermitted(format!("{error} (root may bind those)")).into()
        }
        error => error.into(),
    }
}

/// As a table it is the bare number, for a shell to take.
fn write(format: Format, mut writer: impl Write, free: &[Free]) -> io::Result<()> {
    match format {
        Format::Table => free.iter().try_for_each(|free| writeln!(writer, "{}", free.port))?,
        Format::Jsonl => {
            for free in free {
                serde_json::to_writer(&mut writer, free)?;
                writer.write_all(b"\n")?;
            }
        }
        Format::Csv => {
            let mut rows = csv::Writer::from_writer(&mut writer);
            rows.write_record(["port", "transports"]).map_err(io_error)?;
            for free in free {
                let names: Vec<&str> = free.transports.iter().map(|t| t.name()).collect();
                rows.write_record([free.port.to_string(), names.join(" ")]).map_err(io_error)?;
            }
            rows.flush()?;
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_root_may_is_not_permitted() {
        let refused = |privileged: u32, in_use: u32| {
            refused(LeaseError::Exhausted {
                transports: "tcp",
                range: "1-100".parse().unwrap(),
                count: 1,
                longest: 100,
                leased: 0,
                squatted: 0,
                squatter: None,
                in_use,
                privileged,
            })
        };
        for error in [refused(100, 0), refused(99, 1)] {
            assert!(error.is::<NotPermitted>() && error.to_string().contains("privileged"));
        }
        assert!(!refused(0, 100).is::<NotPermitted>());
    }
}
