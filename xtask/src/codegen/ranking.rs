//! The port rankings: one item a line, best known first.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};

use super::rows::Row;

/// The item that stands for every System Port (0 to 1023) that has a name in IANA's registry.
const ASSIGNED_SYSTEM: &str = "assigned-system";

/// Reads a ranking: a port (an error if it is ranked already), or a range `8000-8100` or
/// `assigned-system`, which add those of their ports that are not. `#` starts a comment.
pub(super) fn parse(text: &str, transport: &str, rows: &[Row]) -> Result<Vec<u16>> {
    let mut ranking = Ranking::default();
    for (index, line) in text.lines().enumerate() {
        let item = line.split('#').next().unwrap_or_default().trim();
        if !item.is_empty() {
            ranking
                .add(item, transport, rows)
                .with_context(|| format!("line {}: `{line}`", index + 1))?;
        }
    }
    ensure!(!ranking.seen.contains(&0), "port 0 is ranked");
    Ok(ranking.ports)
}

#[derive(Default)]
struct Ranking {
    ports: Vec<u16>,
    seen: HashSet<u16>,
}

impl Ranking {
    fn add(&mut self, item: &str, transport: &str, rows: &[Row]) -> Result<()> {
        if item == ASSIGNED_SYSTEM {
            let assigned = rows.iter().filter(|row| {
                !row.common && row.transport_name() == transport && (1..1024).contains(&row.port)
            });
            self.extend(assigned.map(|row| row.port));
        } else if let Some((first, last)) = item.split_once('-') {
            let (first, last): (u16, u16) = (first.parse()?, last.parse()?);
            ensure!(first < last, "backward range");
            self.extend(first..=last);
        } else {
            let port = item.parse()?;
            if !self.seen.insert(port) {
                bail!("ranked already");
            }
            self.ports.push(port);
        }
        Ok(())
    }

    fn extend(&mut self, ports: impl Iterator<Item = u16>) {
        self.ports.extend(ports.filter(|port| self.seen.insert(*port)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::rows;

    #[test]
    fn ranges_fill_up_and_ports_stand_alone() {
        let rows = rows::parse("7\ttcp\techo\tEcho\n7\tudp\techo\tEcho\n9\tudp\tx\tX\n").unwrap();
        let text = "# best first\n82\n80-83 # family\nassigned-system\n";
        assert_eq!(parse(text, "tcp", &rows).unwrap(), [82, 80, 81, 83, 7]);
        for bad in ["80\n80", "80-83\n81", "9-8", "0", "-", "http"] {
            assert!(parse(bad, "tcp", &rows).is_err(), "{bad}");
        }
    }
}
