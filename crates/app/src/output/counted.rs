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

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_one() {
        assert_eq!(counted(1_usize, "process", "processes"), "1 process");
        assert_eq!(counted(0_u64, "process", "processes"), "0 processes");
        assert_eq!(counted(21_u64, "process", "processes"), "21 processes");
    }
}
