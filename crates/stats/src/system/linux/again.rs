//! A second look for sockets that an earlier snapshot had and a dump did not tell of: it may have left
//! them out.

use super::Dump;
use ports_core::Port;

use super::diag::{DiagError, Diagnosis};
use super::told::Told;
use crate::system::number_map::NumberSet;
use crate::system::row::Row;
use crate::system::{Protocol, Query, Snapshot, State, StateSet};

/// So many sockets are asked for one by one, at some microseconds each; more by another dump.
const MOST_ONE_BY_ONE: usize = 1024;

/// Adds those sockets of `earlier` that are not `told` of and are there all the same. Returns how many.
pub(super) fn look(
    diagnosis: &mut Diagnosis,
    query: &Query,
    earlier: &Snapshot,
    told: &Told,
    snapshot: &mut Snapshot,
) -> Result<usize, (Protocol, DiagError)> {
    let before = snapshot.rows.len();
    let missing = earlier.rows.iter().filter(|row| told.lacks(row));
    let (mut named, mut others): (Vec<&Row>, Vec<&Row>) = missing.partition(|row| has_a_name(row));
    if named.len() > MOST_ONE_BY_ONE {
        others.append(&mut named);
    }
    for row in named {
        if !diagnosis.find(row, query, snapshot).map_err(|error| (row.protocol, error))? {
            others.push(row);
        }
    }
    if !others.is_empty() {
        let cookies: NumberSet = others.iter().map(|row| row.cookie).collect();
        let narrow = narrow(query, &others);
        let mut second = Snapshot::new();
        for dump in Dump::all(&narrow) {
            let asked = diagnosis.dump(dump, &narrow, None, &mut second);
            asked.map_err(|error| (dump.protocol(), error))?;
        }
        Told::default().keep_one_of_each(&mut second.rows);
        second.rows.retain(|row| cookies.contains(&row.cookie) && query.matches(row));
        snapshot.append(second);
    }
    Ok(snapshot.rows.len() - before)
}

/// Whether the kernel finds it, and no other one, by what is known of it. Where several sockets share an
/// address, it finds any of them, and one that is only bound it does not find.
const fn has_a_name(row: &Row) -> bool {
    row.is_connection() || row.protocol.is_unix()
}

/// A query for these rows and not much else.
fn narrow(query: &Query, rows: &[&Row]) -> Query {
    let mut narrow = query.clone().only(|protocol| {
        rows.iter()
            .any(|row| row.protocol == protocol || (row.protocol.is_unix() && protocol.is_unix()))
    });
    if rows.iter().any(|row| row.protocol.is_unix()) {
        return narrow;
    }
    narrow = narrow.local_ports(rows.iter().map(|row| Port::new(row.local.port())).collect());
    if rows.iter().all(|row| row.protocol == Protocol::Tcp && !row.is_connection()) {
        // Without a walk through all connections.
        narrow = narrow.states(StateSet::NONE.with(State::Listen).with(State::Bound));
    }
    narrow
}

#[cfg(test)]
mod tests;
