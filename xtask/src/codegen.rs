//! `cargo xtask codegen`: makes the service table of ports-core from its `data/`.

mod emit;
mod ranking;
mod rows;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use self::rows::Row;

/// What is read and written, in the directory of ports-core.
const IANA: &str = "data/iana-services.tsv";
const COMMON: &str = "data/common-services.tsv";
const RANKINGS: [(&str, &str); 2] = [("tcp", "data/top-tcp.txt"), ("udp", "data/top-udp.txt")];
const GENERATED: &str = "src/service/generated.rs";

/// What must be true of the data, whatever else changes: transport, name, first and last port.
const KNOWN: [(&str, &str, u16, u16); 3] =
    [("tcp", "http", 80, 80), ("tcp", "https", 443, 443), ("tcp", "x11", 6000, 6063)];
/// Fewest ports of a ranking.
const SHORTEST_RANKING: usize = 1000;

/// Writes `generated.rs`, or with `check` fails if it is not what the data says.
pub(crate) fn run(check: bool) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/ports-core");
    let generated = generate(&directory)?;
    let path = directory.join(GENERATED);
    if !check {
        return fs::write(&path, generated).with_context(|| format!("write {}", path.display()));
    }
    let checked_in =
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    if checked_in != generated {
        let line = checked_in.lines().zip(generated.lines()).take_while(|(a, b)| a == b).count();
        bail!(
            "crates/ports-core/{GENERATED} is not what crates/ports-core/data says (from line {}): \
             run `cargo xtask codegen` and check the result in",
            line + 1
        );
    }
    Ok(())
}

/// The whole text of `generated.rs`.
fn generate(directory: &Path) -> Result<String> {
    let iana = rows::parse(&read(&directory.join(IANA))?).context(IANA)?;
    let common = rows::parse(&read(&directory.join(COMMON))?).context(COMMON)?;
    let rows = rows::merge(iana, common)?;
    check_known(&rows)?;
    let mut rankings = Vec::new();
    for (transport, file) in RANKINGS {
        let ranking =
            ranking::parse(&read(&directory.join(file))?, transport, &rows).context(file)?;
        ensure!(ranking.len() >= SHORTEST_RANKING, "{file}: only {} ports", ranking.len());
        rankings.push((transport, ranking));
    }
    emit::module(&rows, &rankings)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn check_known(rows: &[Row]) -> Result<()> {
    for (transport, name, first, last) in KNOWN {
        let ports: Vec<u16> = rows
            .iter()
            .filter(|row| row.transport_name() == transport && row.name == name)
            .map(|row| row.port)
            .collect();
        ensure!(
            ports == (first..=last).collect::<Vec<_>>(),
            "{name}/{transport} should be {first} to {last}, and is {ports:?}"
        );
    }
    Ok(())
}
