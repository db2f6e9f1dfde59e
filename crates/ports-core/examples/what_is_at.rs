//! What is usually at the ports of a spec: `cargo run --example what_is_at -- 22,https,8000-8080`.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "an example shows what it does"
)]

use std::error::Error;

use ports_core::{Port, PortSet, ServiceTable, Transport};

/// One port with its class and the services it has, over every transport.
fn row(port: Port) -> String {
    let services: Vec<String> = ServiceTable
        .services_of_port(port)
        .map(|service| format!("{}/{} ({})", service.name, service.transport, service.source))
        .collect();
    format!("{port:>5}  {:<7}  {}", port.class(), services.join(", "))
}

fn rows(spec: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let ports = PortSet::parse(spec, Transport::Tcp)?;
    Ok(ports.iter().map(row).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let spec = std::env::args().nth(1).unwrap_or_else(|| "22,https,5432,9200".to_owned());
    for row in rows(&spec)? {
        println!("{row}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_looked_up() {
        let rows = rows("https,22").unwrap();
        assert!(rows[0].starts_with("   22  system   ssh/tcp (iana)"), "{rows:?}");
        assert!(rows[1].contains("https/tcp (iana)"), "{rows:?}");
        assert!(super::rows("8100-8000").is_err());
    }
}
