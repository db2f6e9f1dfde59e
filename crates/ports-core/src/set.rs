//! A set of ports, as a bitmap.

mod algebra;
mod iter;

use std::fmt;

pub use self::iter::PortSetIter;
use crate::{Port, PortRange};

/// Bits of one word of the bitmap.
const WORD_BITS: u32 = u64::BITS;
/// Words that hold one bit for each of the 65,536 ports.
const WORDS: usize = (1 << 16) / WORD_BITS as usize;
/// Ranges shown by `Debug` before it shortens.
const DEBUG_RANGES: usize = 8;

/// A set of ports, as a bitmap of 65,536 bits: 8 KiB on the heap whatever it holds.
///
/// Membership is constant time; the algebra, [`len`](Self::len) and [`nth`](Self::nth) walk the
/// bitmap's 1,024 words. Text is read by [`parse`](Self::parse) and `FromStr`, and printed back as
/// its maximal ranges, or `none` where the set is empty.
///
/// ```
/// use ports_core::{Port, PortSet};
///
/// let web: PortSet = "http,https,8000-8003".parse()?;
/// let open = PortSet::from([Port::new(22), Port::new(443), Port::new(8001)]);
/// assert_eq!((&web & &open).to_string(), "443,8001");
/// assert_eq!((&web - &open).to_string(), "80,8000,8002-8003");
/// # Ok::<(), ports_core::ParsePortSetError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PortSet {
    words: Box<[u64; WORDS]>,
}

impl PortSet {
    /// The empty set.
    pub fn new() -> Self {
        Self { words: Box::new([0; WORDS]) }
    }

    /// Ports 1 to 65,535: what `all` means in a spec. Port 0 is in a set only where it was put
    /// there by number; `PortSet::from(PortRange::ALL)` holds it too.
    pub fn all() -> Self {
        let mut set = Self::from(PortRange::ALL);
        set.remove(Port::ANY);
        set
    }

    /// Adds a port; whether it was absent.
    pub fn insert(&mut self, port: Port) -> bool {
        let (word, bit) = position(port);
        let absent = self.words[word] & bit == 0;
        self.words[word] |= bit;
        absent
    }

    /// Adds every port of a range.
    pub fn insert_range(&mut self, range: PortRange) {
        for (word, mask) in masks(range) {
            self.words[word] |= mask;
        }
    }

    /// Takes a port out; whether it was there.
    pub fn remove(&mut self, port: Port) -> bool {
        let (word, bit) = position(port);
        let present = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        present
    }

    /// Takes every port of a range out.
    pub fn remove_range(&mut self, range: PortRange) {
        for (word, mask) in masks(range) {
            self.words[word] &= !mask;
        }
    }

    /// Takes every port out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Whether the port is in the set.
    pub fn contains(&self, port: Port) -> bool {
        let (word, bit) = position(port);
        self.words[word] & bit != 0
    }

    /// How many ports the set holds, 0 to 65,536.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The lowest port.
    pub fn first(&self) -> Option<Port> {
        self.at_or_after(0)
    }

    /// The highest port.
    pub fn last(&self) -> Option<Port> {
        self.iter().next_back()
    }

    /// The port with this index in ascending order, from 0.
    ///
    /// Walks the bitmap. To look up many, collect [`iter`](Self::iter) into a `Vec<Port>` once.
    pub fn nth(&self, index: usize) -> Option<Port> {
        let mut left = index;
        for (word, bits) in self.words.iter().enumerate() {
            let ones = bits.count_ones() as usize;
            if left < ones {
                let mut bits = *bits;
                for _ in 0..left {
                    bits &= bits - 1;
                }
                return Some(port_at(word as u32 * WORD_BITS + bits.trailing_zeros()));
            }
            left -= ones;
        }
        None
    }
}

/// The word and the bit of a port.
const fn position(port: Port) -> (usize, u64) {
    let number = port.number() as u32;
    ((number / WORD_BITS) as usize, 1 << (number % WORD_BITS))
}

/// The port of a bit of the bitmap, which has 65,536 of them.
const fn port_at(bit: u32) -> Port {
    Port::new(bit as u16)
}

/// The words a range touches, with the bits it has in each.
fn masks(range: PortRange) -> impl Iterator<Item = (usize, u64)> {
    let (first, last) = (u32::from(range.first().number()), u32::from(range.last().number()));
    (first / WORD_BITS..=last / WORD_BITS).map(move |word| {
        let low = first.saturating_sub(word * WORD_BITS);
        let high = (last - word * WORD_BITS).min(WORD_BITS - 1);
        (word as usize, (u64::MAX << low) & (u64::MAX >> (WORD_BITS - 1 - high)))
    })
}

impl Default for PortSet {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Into<PortRange>> From<T> for PortSet {
    fn from(ports: T) -> Self {
        Self::from_iter([ports])
    }
}

impl<T: Into<PortRange>, const N: usize> From<[T; N]> for PortSet {
    fn from(ports: [T; N]) -> Self {
        Self::from_iter(ports)
    }
}

/// From ports or from ranges.
impl<T: Into<PortRange>> FromIterator<T> for PortSet {
    fn from_iter<I: IntoIterator<Item = T>>(ports: I) -> Self {
        let mut set = Self::new();
        set.extend(ports);
        set
    }
}

/// By ports or by ranges.
impl<T: Into<PortRange>> Extend<T> for PortSet {
    fn extend<I: IntoIterator<Item = T>>(&mut self, ports: I) {
        for range in ports {
            self.insert_range(range.into());
        }
    }
}

/// `PortSet(22,80,8000-8100)`; a set of many ranges is cut short, with its number of ports.
impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortSet(")?;
        for (index, range) in self.ranges().take(DEBUG_RANGES).enumerate() {
            write!(f, "{}{range}", if index == 0 { "" } else { "," })?;
        }
        if self.ranges().nth(DEBUG_RANGES).is_some() {
            write!(f, ",..: {} ports", self.len())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests;
