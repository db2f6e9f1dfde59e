//! The rows of the two service files, and how they become one table.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// Transports in the order of `ports_core::Transport::ALL`.
const TRANSPORTS: [&str; 4] = ["tcp", "udp", "sctp", "dccp"];
/// The mark, in the fifth column, of a name that goes before IANA's.
const PREFERRED: &str = "preferred";

/// One name of one port of one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) port: u16,
    /// Index into [`TRANSPORTS`].
    pub(super) transport: u8,
    pub(super) name: String,
    pub(super) description: String,
    /// Whether it is of our own file, not of IANA's.
    pub(super) common: bool,
    preferred: bool,
}

impl Row {
    pub(super) fn transport_name(&self) -> &'static str {
        TRANSPORTS[usize::from(self.transport)]
    }

    fn key(&self) -> (u16, u8) {
        (self.port, self.transport)
    }
}

/// Reads `port, transport, name, description[, preferred]`, tab-separated; `#` starts a comment.
pub(super) fn parse(text: &str) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let row = parse_row(line).with_context(|| format!("line {}: `{line}`", index + 1))?;
        if let Some(last) = rows.last() {
            ensure!(last.key() <= row.key(), "line {}: not sorted by port, transport", index + 1);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn parse_row(line: &str) -> Result<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (port, transport, name, description, preferred) = match fields[..] {
        [port, transport, name, description] => (port, transport, name, description, false),
        [port, transport, name, description, PREFERRED] => {
            (port, transport, name, description, true)
        }
        _ => bail!("expected four columns, or five with `{PREFERRED}` as the last"),
    };
    let Some(transport) = TRANSPORTS.iter().position(|known| *known == transport) else {
        bail!("unknown transport");
    };
    ensure!(is_name(name), "invalid name");
    ensure!(description.trim() == description, "spaces around the description");
    ensure!(!description.contains(char::is_control), "control character in the description");
    Ok(Row {
        port: port.parse().context("port")?,
        transport: transport as u8,
        name: name.to_owned(),
        description: description.to_owned(),
        common: false,
        preferred,
    })
}

/// Names as in RFC 6335 section 5.1, in lower case, and with the `_` and `+` of older entries. A
/// letter is needed: what has none is a number to the reader of a port spec.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.contains(|char: char| char.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'+'))
        && !["all", "none"].contains(&name)
}

/// One table, sorted by port and transport, each port's preferred name first, then IANA's in
/// IANA's order, then ours.
pub(super) fn merge(iana: Vec<Row>, common: Vec<Row>) -> Result<Vec<Row>> {
    let mut table: BTreeMap<(u16, u8), Vec<Row>> = BTreeMap::new();
    for row in iana {
        ensure!(!row.preferred, "{}: IANA's rows carry no mark", row.name);
        let names = table.entry(row.key()).or_default();
        ensure!(!names.iter().any(|known| known.name == row.name), "IANA has {row:?} twice");
        names.push(row);
    }
    for row in common {
        let names = table.entry(row.key()).or_default();
        let row = match names.iter().position(|known| known.name == row.name) {
            // A name of IANA's may be preferred to IANA's first; it stays IANA's.
            Some(index) if row.preferred && index > 0 && !names[index].common => {
                Row { preferred: true, ..names.remove(index) }
            }
            Some(_) => bail!("{}/{} {}: there already", row.port, row.transport_name(), row.name),
            None => Row { common: true, ..row },
        };
        if row.preferred {
            ensure!(!names.iter().any(|known| known.preferred), "{row:?}: a second preferred name");
            names.insert(0, row);
        } else {
            names.push(row);
        }
    }
    Ok(table.into_values().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn preferred_then_iana_then_ours() {
        let iana = parse("53\ttcp\tdomain\tDNS\n80\ttcp\thttp\tWeb\n80\ttcp\twww\tWeb\n").unwrap();
        let common =
            parse("53\ttcp\tdns\tDNS\tpreferred\n80\ttcp\tweb\tWeb\n80\ttcp\twww\t\tpreferred\n");
        let rows = merge(iana, common.unwrap()).unwrap();
        assert_eq!(names(&rows), ["dns", "domain", "www", "http", "web"]);
        let ours: Vec<bool> = rows.iter().map(|row| row.common).collect();
        assert_eq!(ours, [true, false, false, false, true]);
    }

    #[test]
    fn what_is_there_already_is_refused() {
        let iana = parse("80\ttcp\thttp\tWeb\n").unwrap();
        assert!(merge(iana.clone(), parse("80\ttcp\thttp\tWeb\n").unwrap()).is_err());
        let two = parse("80\ttcp\ta\t\tpreferred\n80\ttcp\tb\t\tpreferred\n").unwrap();
        assert!(merge(iana, two).is_err());
    }

    #[test]
    fn bad_rows_are_refused() {
        for text in [
            "80\ttcp\t8-0\tno letter",
            "80\ttcp\tHTTP\tupper case",
            "80\ttcp\ta b\tspace",
            "80\ttcp\tall\treserved word",
            "80\ticmp\tping\ttransport",
            "65536\ttcp\thigh\tport",
            "80\ttcp\thttp",
            "80\ttcp\thttp\tWeb\tfavourite",
            "81\ttcp\ta\torder\n80\ttcp\tb\torder",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
