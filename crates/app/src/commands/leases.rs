//! `ports leases`: who holds what.

mod row;

use ports_core::{Port, Transport};
use ports_lease::LeaseRecord;

use self::row::LeaseRow;
use crate::args::LeasesArgs;
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &LeasesArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let rows = RowOutputs::open::<LeaseRow>(&args.output, terminal.stdout()?)?;
    let mut rows = rows.fitting(LeaseRow::NAME);
    let records = ports_lease::leases()?;
    if records.is_empty() {
        terminal.warn("no leases");
    }
    for record in records {
        rows.write(&LeaseRow::from(record))?;
    }
    rows.finish()?;
    Ok(Exit::Done)
}

/// The leases on a port. Where they cannot be listed, the user is told.
pub(super) fn leases_of(
    transports: &[Transport],
    port: Port,
    terminal: Terminal,
) -> Vec<LeaseRecord> {
    let mut records = ports_lease::leases().unwrap_or_else(|error| {
        let error = anyhow::Error::from(error);
        terminal.warn(&format!("whether the port is leased is not known: {error:#}"));
        Vec::new()
    });
    records.retain(|record| record.port == port && transports.contains(&record.transport));
    records
}
