//! `ports lookup`: what is 5432? which port is https?

use anyhow::Context;
use ports_core::{Service, ServiceTable};

use crate::args::{Format, LookupArgs, Query, Subject};
use crate::exit::Exit;
use crate::output::{self, CsvServices, JsonlServices, ServiceWriter, TableServices, Terminal};

pub(crate) fn run(args: &LookupArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut writers: Vec<(String, Box<dyn ServiceWriter>)> = Vec::new();
    for file in &args.output.output {
        let writer = output::create(&file.path)?;
        let name = format!("`{}`", file.path.display());
        writers.push((name, service_writer(file.format(args.output.format), writer)?));
    }
    let stdout = service_writer(args.output.format, terminal.stdout())?;
    writers.push(("to standard output".to_owned(), stdout));

    let mut exit = Exit::Done;
    for query in &args.queries {
        let services = services(query);
        if services.is_empty() {
            exit = Exit::No;
            terminal.warn(&not_found(query));
        }
        for (name, writer) in &mut writers {
            for service in &services {
                writer.write(service).with_context(|| format!("cannot write {name}"))?;
            }
        }
    }
    for (name, writer) in &mut writers {
        writer.finish().with_context(|| format!("cannot write {name}"))?;
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
