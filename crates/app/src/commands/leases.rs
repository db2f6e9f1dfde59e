//! `ports leases`: who holds what.

mod row;

use stats::system::UserNames;

use self::row::LeaseRow;
use crate::args::LeasesArgs;
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &LeasesArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<LeaseRow>(&args.output, terminal.stdout()?)?;
    let records = ports_lease::leases()?;
    let users = UserNames::read();
    if records.is_empty() {
        terminal.note("no port is leased");
    }
    for record in records {
        rows.write(&LeaseRow::new(record, &users))?;
    }
    rows.finish()?;
    Ok(Exit::Done)
}
