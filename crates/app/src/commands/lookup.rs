//! `ports lookup`: what is 5432? which port is https?

mod row;

use ports_core::{Service, ServiceTable};

use self::row::ServiceRow;
use crate::args::{LookupArgs, Query, Subject};
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &LookupArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<ServiceRow<'_>>(&args.output, terminal.stdout()?)?;
    let mut exit = Exit::Done;
    for query in &args.queries {
        let services = services(query);
        if services.is_empty() {
            exit = Exit::No;
            terminal.warn(&not_found(query));
        }
        for service in &services {
            rows.write(&ServiceRow { service })?;
        }
    }
    rows.finish()?;
    Ok(exit)
}

fn services(query: &Query) -> Vec<Service> {
    let asked = |service: &Service| query.transport.is_none_or(|asked| asked == service.transport);
    match &query.what {
        Subject::Ports(range) => range
            .iter()
            .flat_map(|port| ServiceTable.services_of_port(port))
            .filter(asked)
            .collect(),
        Subject::Name(name) => ServiceTable.by_name(name).filter(asked).collect(),
    }
}

fn not_found(query: &Query) -> String {
    let over = query.transport.map(|transport| format!(" over {transport}")).unwrap_or_default();
    match &query.what {
        Subject::Ports(range) if range.len() == 1 => {
            let class = range.first().class();
            format!("port {range} ({class}) has no service{over}")
        }
        Subject::Ports(range) => format!("no port of {range} has a service{over}"),
        Subject::Name(name) => format!("no service is called `{name}`{over}"),
    }
}
