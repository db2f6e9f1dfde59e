//! `ports lookup`: what is 5432? which port is https?

use ports_core::{Service, ServiceTable};

use crate::args::{Format, LookupArgs, Query};
use crate::exit::Exit;
use crate::output::{self, CsvServices, JsonlServices, ServiceWriter, TableServices, Terminal};

pub(crate) fn run(args: &LookupArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut writers: Vec<Box<dyn ServiceWriter>> = Vec::new();
    for file in &args.output.output {
        let writer = output::create(&file.path)?;
        writers.push(service_writer(file.format(args.output.format), writer)?);
    }
    writers.push(service_writer(args.output.format, terminal.stdout())?);

    let mut exit = Exit::Done;
    for query in &args.queries {
        let services = services(query);
        if services.is_empty() {
            exit = Exit::No;
            terminal.warn(&not_found(query));
        }
        for writer in &mut writers {
            for service in &services {
                writer.write(service)?;
            }
        }
    }
    for writer in &mut writers {
        writer.finish()?;
    }
    Ok(exit)
}

fn service_writer(
    format: Format,
    writer: impl std::io::Write + 'static,
) -> anyhow::Result<Box<dyn ServiceWriter>> {
    Ok(match format {
        Format::Table => Box::new(TableServices::new(writer)),
        Format::Jsonl => Box::new(JsonlServices(std::io::BufWriter::new(writer))),
        Format::Csv => Box::new(CsvServices::new(writer)?),
    })
}

fn services(query: &Query) -> Vec<Service> {
    match query {
        Query::Ports(range) => {
            range.iter().flat_map(|port| ServiceTable.services_of_port(port)).collect()
        }
        Query::Name(name) => ServiceTable.by_name(name).collect(),
    }
}

fn not_found(query: &Query) -> String {
    match query {
        Query::Ports(range) if range.len() == 1 => {
            let class = range.first().class();
            format!("port {range} ({class}) has no service")
        }
        Query::Ports(range) => format!("no port of {range} has a service"),
        Query::Name(name) => format!("no service is called `{name}`"),
    }
}
