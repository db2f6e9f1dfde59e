//! The Internet checksum (RFC 1071).

/// A sum of 16-bit words in wide arithmetic: carries are folded once, at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes as big-endian words; an odd last byte counts as the high one of its word.
    ///
    /// A packet is at most 65,575 bytes, so that the 64 bits cannot overflow: 2^32 words would fit.
    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        // 32-bit words: 2^16 is 1 in ones' complement, so the halves may be added after folding.
        let sum: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
        let rest = match *rest {
            [] => 0,
            [a] => u64::from(u16::from_be_bytes([a, 0])),
            [a, b] => u64::from(u16::from_be_bytes([a, b])),
            [a, b, c, ..] => u64::from(u32::from_be_bytes([a, b, c, 0])),
        };
        Self(self.0 + sum + rest)
    }

    /// Adds a number, whatever its width: a field at an even offset.
    pub(super) const fn number(self, number: u64) -> Self {
        Self(self.0 + number)
    }

    /// Adds another sum over an even number of bytes.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The checksum: the complement of the folded sum.
    pub(super) const fn checksum(self) -> u16 {
        !self.folded()
    }

    /// Whether the summed bytes, their checksum among them, are as they were sent.
    pub(super) const fn is_valid(self) -> bool {
        self.folded() == 0xffff
    }

    const fn folded(self) -> u16 {
        // 64 bits to 33, to 18, to 17, to 16.
        let mut sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        sum = (sum >> 16) + (sum & 0xffff);
        sum = (sum >> 16) + (sum & 0xffff);
        sum = (sum >> 16) + (sum & 0xffff);
        sum as u16
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071, word by word.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().bytes(&bytes).checksum(), !0xddf2);
    }

    #[test]
    fn the_largest_sum_folds() {
        let longest = vec![0xff; 65_575];
        assert_eq!(Sum(u64::MAX).checksum(), 0);
        assert_eq!(Sum::default().bytes(&longest).checksum(), naive(&longest));
    }

    proptest! {
        #[test]
        fn wide_words_sum_as_narrow_ones(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let sum = Sum::default().bytes(&bytes);
            prop_assert_eq!(sum.checksum(), naive(&bytes));
            let (first, last) = bytes.split_at(bytes.len() / 4 * 2);
            let parts = Sum::default().bytes(first).plus(Sum::default().bytes(last));
            prop_assert_eq!(parts.checksum(), naive(&bytes));
        }
    }
}
