//! Who listens on this machine, and at which TCP ports: `cargo run --example who_listens --features system`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use stats::system::{Query, SnapshotError, StateSet, SystemSockets};

/// The local address of each listener, and its processes; a `?` where they may not be seen.
fn listeners() -> Result<Vec<String>, SnapshotError> {
    let query = Query::tcp().states(StateSet::LISTENING).processes(true);
    let snapshot = SystemSockets::new().snapshot(&query)?;
    let row = |row: stats::system::SocketRow<'_>| {
        let mut holders: Vec<String> = row
            .holdings()
            .map(|held| format!("{} ({})", held.process.name(), held.process.pid()))
            .collect();
        if holders.is_empty() {
            holders.push("?".to_owned());
        }
        format!("{:<28} {}", row.local().to_string(), holders.join(", "))
    };
    Ok(snapshot.iter().map(row).collect())
}

fn main() -> Result<(), SnapshotError> {
    for line in listeners()? {
        println!("{line}");
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_among_them() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let lines = listeners().unwrap();
        let line = lines.iter().find(|line| line.starts_with(&format!("{address} "))).unwrap();
        assert!(line.contains(&format!("({})", std::process::id())), "{line}");
    }
}
