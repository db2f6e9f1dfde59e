//! Reads the packed rows of the generated table.

use std::ops::Range;

use super::generated::{
    DESCRIPTION_BITS, DESCRIPTION_ENDS, DESCRIPTIONS, NAME_BITS, NAME_ENDS, NAME_ROW_ENDS,
    NAME_ROWS, NAME_SLOTS, NAMES, NO_NAME, PORTS, ROWS,
};
use super::{Service, ServiceSource};
use crate::{Port, Transport};

/// How many rows there are.
pub(super) const LEN: usize = PORTS.len();

/// The ports with these numbers; lets the generated rankings be plain numbers.
pub(super) const fn ports<const N: usize>(numbers: [u16; N]) -> [Port; N] {
    let mut ports = [Port::ANY; N];
    let mut index = 0;
    while index < N {
        ports[index] = Port::new(numbers[index]);
        index += 1;
    }
    ports
}

/// The service in a row.
pub(super) fn service(row: usize) -> Service {
    let port = Port::new(PORTS[row]);
    let packed = ROWS[row];
    let tag = packed >> (NAME_BITS + DESCRIPTION_BITS);
    Service {
        port,
        transport: transport(row),
        name: name((packed & ((1 << NAME_BITS) - 1)) as usize),
        description: description((packed >> NAME_BITS & ((1 << DESCRIPTION_BITS) - 1)) as usize),
        class: port.class(),
        source: if tag & 1 == 0 { ServiceSource::Iana } else { ServiceSource::Common },
    }
}

/// The transport of a row.
pub(super) fn transport(row: usize) -> Transport {
    Transport::ALL[(ROWS[row] >> (NAME_BITS + DESCRIPTION_BITS + 1)) as usize]
}

/// The rows of a port: by transport, then preferred first.
pub(super) fn rows_of_port(port: Port) -> Range<usize> {
    let number = port.number();
    let start = PORTS.partition_point(|other| *other < number);
    let len = PORTS[start..].iter().take_while(|other| **other == number).count();
    start..start + len
}

/// The rows with a name, in any case, ascending.
pub(super) fn rows_of_name(text: &str) -> &'static [u16] {
    // Never full, so that a miss ends at an empty slot.
    let mut slot = fnv1a(text) as usize % NAME_SLOTS.len();
    while NAME_SLOTS[slot] != NO_NAME {
        let index = usize::from(NAME_SLOTS[slot]);
        if name(index).eq_ignore_ascii_case(text) {
            let start = index.checked_sub(1).map_or(0, |before| NAME_ROW_ENDS[before]);
            return &NAME_ROWS[usize::from(start)..usize::from(NAME_ROW_ENDS[index])];
        }
        slot = (slot + 1) % NAME_SLOTS.len();
    }
    &[]
}

/// Every name, once.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    (0..NAME_ENDS.len()).map(name)
}

fn name(index: usize) -> &'static str {
    let start = index.checked_sub(1).map_or(0, |before| NAME_ENDS[before]);
    &NAMES[usize::from(start)..usize::from(NAME_ENDS[index])]
}

fn description(index: usize) -> &'static str {
    let start = index.checked_sub(1).map_or(0, |before| DESCRIPTION_ENDS[before]);
    &DESCRIPTIONS[start as usize..DESCRIPTION_ENDS[index] as usize]
}

/// FNV-1a, 32 bits, of the bytes in lower case: the hash that `cargo xtask codegen` filled
/// `NAME_SLOTS` with.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}
