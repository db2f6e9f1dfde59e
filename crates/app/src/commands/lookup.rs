//! `ports lookup`: what is 5432? which port is https?

mod row;

use std::slice;

use ports_core::{Service, ServiceTable, Transport};

use self::row::ServiceRow;
use crate::args::{LookupArgs, Query, Subject};
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &LookupArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<ServiceRow<'_>>(&args.output, terminal.stdout()?)?;
    let mut exit = Exit::Done;
    for query in &args.queries {
        match services(query) {
            Ok(services) => {
                for service in &services {
                    rows.write(&ServiceRow { service })?;
                }
            }
            Err(why) => {
                exit = Exit::No;
                terminal.warn(&why);
            }
        }
    }
    rows.finish()?;
    Ok(exit)
}

/// What was asked for, or that there is none.
fn services(query: &Query) -> Result<Vec<Service>, String> {
    let transports = query.transport.as_ref().map_or(&Transport::ALL[..], slice::from_ref);
    let range = match &query.what {
        Subject::Name(name) => {
            return ServiceTable.named(name, transports).map_err(|unknown| unknown.to_string());
        }
        Subject::Ports(range) => range,
    };
    let of_port = |port| ServiceTable.services_of_port(port);
    let is_meant = |service: &Service| transports.contains(&service.transport);
    let services: Vec<Service> = range.iter().flat_map(of_port).filter(is_meant).collect();
    if !services.is_empty() {
        return Ok(services);
    }
    let over = query.transport.map(|transport| format!(" over {transport}")).unwrap_or_default();
    Err(if range.len() == 1 {
        format!("port {range} ({}) has no service{over}", range.first().class())
    } else {
        format!("no port of {range} has a service{over}")
    })
}
