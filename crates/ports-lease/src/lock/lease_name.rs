//! Names of leases, as they can be shown.

/// Bytes of a name for people, so that a label fits in the address of a UNIX socket: 107 (`sun_path`
/// without the NUL that makes it abstract) less all that comes before.
pub(crate) const LONGEST_NAME: usize = 48;

/// A name without control characters, as much of it as fits in a label.
pub(crate) fn shown(name: &str) -> String {
    let mut shown = String::new();
    for character in name.chars() {
        // A line of /proc/net/unix ends at a line feed, and a terminal obeys others.
        let character = if character.is_control() { '?' } else { character };
        if shown.len() + character.len_utf8() > LONGEST_NAME {
            break;
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters_and_have_no_control_characters() {
        assert_eq!(shown("a\nb\0c"), "a?b?c");
        assert_eq!(shown(&"ä".repeat(40)), "ä".repeat(24));
        let odd = format!("x{}", "ä".repeat(40));
        assert_eq!(shown(&odd).len(), 47);
    }
}
