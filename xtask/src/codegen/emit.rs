//! Lays the table out in arrays, and writes them as Rust.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use anyhow::{Result, ensure};

use super::rows::Row;

/// Bits of a name's index in a packed row.
const NAME_BITS: u32 = 14;
/// Bits of a description's index in a packed row.
const DESCRIPTION_BITS: u32 = 14;
/// Slots of the hash table of names: a power of two, more than twice the names.
const SLOTS: usize = 1 << 14;
/// A slot that holds no name.
const NO_NAME: u16 = u16::MAX;
/// Where lines are broken.
const WIDTH: usize = 100;

/// Strings in one text, each found by the offset of its end.
struct Strings<'a> {
    text: String,
    ends: Vec<usize>,
    index: BTreeMap<&'a str, usize>,
}

impl<'a> Strings<'a> {
    /// Each string once, in order.
    fn new(strings: impl Iterator<Item = &'a str>) -> Self {
        let mut index: BTreeMap<&str, usize> = strings.map(|string| (string, 0)).collect();
        let (mut text, mut ends) = (String::new(), Vec::new());
        for (number, (string, place)) in index.iter_mut().enumerate() {
            *place = number;
            text.push_str(string);
            ends.push(text.len());
        }
        Self { text, ends, index }
    }
}

/// The text of `generated.rs`.
pub(super) fn module(rows: &[Row], rankings: &[(&str, Vec<u16>)]) -> Result<String> {
    let names = Strings::new(rows.iter().map(|row| row.name.as_str()));
    let descriptions = Strings::new(rows.iter().map(|row| row.description.as_str()));
    ensure!(names.ends.len() < (1 << NAME_BITS), "more names than {NAME_BITS} bits can tell");
    ensure!(
        descriptions.ends.len() < (1 << DESCRIPTION_BITS),
        "more descriptions than {DESCRIPTION_BITS} bits can tell"
    );
    ensure!(rows.len() < usize::from(u16::MAX), "more rows than 16 bits can tell");
    ensure!(u16::try_from(names.text.len()).is_ok(), "more name text than 16 bits can tell");

    let packed: Vec<u32> = rows
        .iter()
        .map(|row| {
            let name = names.index[row.name.as_str()] as u32;
            let description = descriptions.index[row.description.as_str()] as u32;
            let tag = u32::from(row.transport) << 1 | u32::from(row.common);
            (tag << DESCRIPTION_BITS | description) << NAME_BITS | name
        })
        .collect();
    let mut by_name: Vec<usize> = (0..rows.len()).collect();
    by_name.sort_by_key(|row| (names.index[rows[*row].name.as_str()], *row));
    let mut name_row_ends = vec![0; names.ends.len()];
    for (position, row) in by_name.iter().enumerate() {
        name_row_ends[names.index[rows[*row].name.as_str()]] = position + 1;
    }
    let slots = slots(&names)?;
    let ports = ports_of(rows);

    let mut out = String::new();
    let bytes = rows.len() * (2 + 4 + 2)
        + names.text.len()
        + names.ends.len() * (2 + 2)
        + SLOTS * 2
        + descriptions.text.len()
        + descriptions.ends.len() * 4;
    let ranked: usize = rankings.iter().map(|(_, ranking)| ranking.len() * 2).sum();
    writeln!(
        out,
        "//! Made by `cargo xtask codegen` from `data/`: change those files, then run it again.\n\
         //!\n\
         //! {} rows, {} names, {} descriptions. Cost in the binary: {bytes} bytes, of them {} for\n\
         //! descriptions; rankings: {ranked} bytes.\n\n\
         use super::rows::ports;\n\
         use crate::Port;\n\n\
         /// Low bits of a packed row: the index of its name. Above: its description, then one bit\n\
         /// for \"ours, not IANA's\", then its transport's index in `Transport::ALL`.\n\
         pub(super) const NAME_BITS: u32 = {NAME_BITS};\n\
         /// Bits of a description's index in a packed row.\n\
         pub(super) const DESCRIPTION_BITS: u32 = {DESCRIPTION_BITS};\n\
         /// A slot that holds no name.\n\
         pub(super) const NO_NAME: u16 = {NO_NAME};\n",
        rows.len(),
        names.ends.len(),
        descriptions.ends.len(),
        descriptions.text.len() + descriptions.ends.len() * 4,
    )?;
    array(&mut out, "The port of each row, ascending.", "PORTS", "u16", &ports)?;
    array(&mut out, "The rest of each row.", "ROWS", "u32", &packed)?;
    text(&mut out, "All names, ascending.", "NAMES", &names.text)?;
    array(&mut out, "Where each name ends.", "NAME_ENDS", "u16", &names.ends)?;
    array(&mut out, "Rows, by name.", "NAME_ROWS", "u16", &by_name)?;
    array(
        &mut out,
        "Where each name's rows end in `NAME_ROWS`.",
        "NAME_ROW_ENDS",
        "u16",
        &name_row_ends,
    )?;
    array(&mut out, "Hash table of names: FNV-1a, linear probing.", "NAME_SLOTS", "u16", &slots)?;
    text(&mut out, "All descriptions.", "DESCRIPTIONS", &descriptions.text)?;
    array(&mut out, "Where each description ends.", "DESCRIPTION_ENDS", "u32", &descriptions.ends)?;
    for (transport, ranking) in rankings {
        let name = format!("TOP_{}", transport.to_uppercase());
        writeln!(out, "/// The ranking of {transport}, best known first.")?;
        writeln!(out, "pub(super) static {name}: [Port; {}] = ports([", ranking.len())?;
        numbers(&mut out, ranking)?;
        out.push_str("]);\n\n");
    }
    out.truncate(out.trim_end().len() + 1);
    Ok(out)
}

fn ports_of(rows: &[Row]) -> Vec<u16> {
    rows.iter().map(|row| row.port).collect()
}

/// The hash table: each name's index in the slot of its hash, or the next free one.
fn slots(names: &Strings<'_>) -> Result<Vec<u16>> {
    ensure!(names.ends.len() * 2 < SLOTS, "the hash table is too small");
    let mut slots = vec![NO_NAME; SLOTS];
    for (name, index) in &names.index {
        let mut slot = fnv1a(name) as usize % SLOTS;
        while slots[slot] != NO_NAME {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = u16::try_from(*index)?;
    }
    Ok(slots)
}

/// FNV-1a, 32 bits, of the bytes in lower case.
fn fnv1a(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}

fn array<T: Display>(
    out: &mut String,
    doc: &str,
    name: &str,
    element: &str,
    values: &[T],
) -> Result<()> {
    writeln!(out, "/// {doc}\npub(super) static {name}: [{element}; {}] = [", values.len())?;
    numbers(out, values)?;
    out.push_str("];\n\n");
    Ok(())
}

/// Numbers, as many a line as fit.
fn numbers<T: Display>(out: &mut String, values: &[T]) -> Result<()> {
    let mut line = String::new();
    for value in values {
        let item = format!("{value},");
        if line.len() + item.len() > WIDTH {
            writeln!(out, "{line}")?;
            line.clear();
        }
        line.push_str(&item);
    }
    writeln!(out, "{line}")?;
    Ok(())
}

/// A string literal over several lines. A line ends in `\`, after which Rust skips white space:
/// so it never ends before a space.
fn text(out: &mut String, doc: &str, name: &str, content: &str) -> Result<()> {
    writeln!(out, "/// {doc}\npub(super) static {name}: &str = \"\\")?;
    let mut line = String::new();
    for char in content.chars() {
        if line.len() >= WIDTH - 4 && char != ' ' {
            writeln!(out, "{line}\\")?;
            line.clear();
        }
        match char {
            '"' | '\\' => line.extend(['\\', char]),
            _ => line.push(char),
        }
    }
    writeln!(out, "{line}\";\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_is_the_published_function() {
        assert_eq!(fnv1a(""), 0x811c_9dc5);
        assert_eq!(fnv1a("a"), 0xe40c_292c);
        assert_eq!(fnv1a("FooBar"), 0xbf9c_f968);
    }

    #[test]
    fn a_text_line_never_breaks_before_a_space() {
        let mut out = String::new();
        text(&mut out, "Doc.", "TEXT", &"a b\" \\  ".repeat(100)).unwrap();
        assert!(out.lines().skip(3).all(|line| !line.starts_with(' ')), "{out}");
        assert!(out.lines().all(|line| line.len() <= WIDTH + 4), "{out}");
    }
}
