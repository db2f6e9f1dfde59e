//! `ports ls`: the sockets of this machine.

mod coverage;
mod events;
mod filter;
mod json;
mod machine;
mod order;
mod row;
mod summary;
mod text;

use stats::system::{SocketRow, SystemSockets, UserNames};

pub(in crate::commands) use self::coverage::notes;
use self::coverage::tell;
pub(crate) use self::events::watch;
pub(in crate::commands) use self::filter::Filter;
pub(in crate::commands) use self::json::{no_process, shown};
pub(in crate::commands) use self::machine::text_of;
pub(in crate::commands) use self::order::Order;
pub(in crate::commands) use self::row::SocketLine;
use self::row::columns;
use self::summary::SummaryLine;
use crate::args::{Column, LsArgs};
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &LsArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let stdout = terminal.stdout()?;
    let users = UserNames::read();
    let filter = Filter::new(&args.filter, &users)?;
    let columns = columns(args);
    let mut rows = if args.summary {
        RowOutputs::open::<SummaryLine>(&args.output, stdout)?
    } else {
        let fields: Vec<&'static str> = columns.iter().map(|column| column.field()).collect();
        let headings: Vec<&'static str> = columns.iter().map(|column| column.heading()).collect();
        RowOutputs::with_columns(&args.output, stdout, &fields, &headings)?
    }
    .always_headed();
    let needs = columns.iter().copied().chain(args.sort);
    let query = filter
        .query()
        .processes(
            filter.needs_processes() || args.process || needs.clone().any(Column::is_of_processes),
        )
        .cgroups(needs.clone().any(Column::is_of_cgroups))
        .details(args.details || needs.clone().any(Column::is_of_details));
    let snapshot = SystemSockets::new().snapshot(&query)?;
    let found = snapshot.iter().filter(|socket| filter.keeps(socket));
    if args.summary {
        for line in summary::count(found, snapshot.coverage().interrupted) {
            rows.write(&line)?;
        }
    } else if let Some(column) = args.sort {
        let mut sorted: Vec<SocketRow<'_>> = found.collect();
        let order = Order { column, reverse: args.reverse, users: &users };
        // Those that are equal stay in the kernel's order.
        order.sort(&mut sorted, |socket| Some(*socket));
        for socket in sorted {
            rows.write(&SocketLine { socket, columns: &columns, users: &users })?;
        }
    } else {
        for socket in found {
            rows.write(&SocketLine { socket, columns: &columns, users: &users })?;
        }
    }
    rows.finish()?;
    tell(&snapshot, terminal);
    Ok(Exit::Done)
}
