//! How many of something, in words.

use std::fmt::Display;

/// `1 process`, `2 processes`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(
    count: N,
    one: &str,
    many: &str,
) -> String {
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}

/// `1 byte`, `2 bytes`.
pub(crate) fn bytes<N: Copy + Display + PartialEq + From<u8>>(count: N) -> String {
    counted(count, "byte", "bytes")
}

#[cfg(test)]
mod tests {
    use super::{bytes, counted};

    #[test]
    fn only_one_is_one() {
        assert_eq!(counted(1_usize, "process", "processes"), "1 process");
        assert_eq!(counted(0_u64, "process", "processes"), "0 processes");
        assert_eq!(counted(21_u64, "process", "processes"), "21 processes");
        assert_eq!((&*bytes(1_u64), &*bytes(2_usize)), ("1 byte", "2 bytes"));
    }
}
