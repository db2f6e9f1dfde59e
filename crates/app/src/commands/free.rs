//! `ports free`: a port that is free now.

use std::io::{self, Write};

use anyhow::Context;
use ports_core::{Port, Transport};
use serde::Serialize;

use super::lease::request;
use crate::args::{Format, FreeArgs};
use crate::exit::Exit;
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
    let lease = ports_lease::lease(&request(&args.ports))?;
    let transports = lease.transports();
    let free: Vec<Free> = lease.ports().map(|port| Free { port, transports }).collect();
    lease.release();
    write(args.format, io::BufWriter::new(stdout), &free)
        .context("cannot write to standard output")?;
    terminal.warn(
        "only a hint: anybody may take it before you do (`ports lease -- CMD` holds it for CMD)",
    );
    Ok(Exit::Done)
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
