//! Names of leases, as they can be shown.

/// Bytes of a name for people: as many as a file name may have.
pub(crate) const LONGEST_NAME: usize = 255;
/// As much of it as fits in a label, the address of a UNIX socket: 107 bytes (`sun_path` without the NUL
/// that makes it abstract) less all that comes before.
pub(crate) const LABEL_PART: usize = 48;
/// The same of the names beside the label that hold the rest.
const MORE_PART: usize = 72;
/// The end of a name that was cut.
const CUT: char = '\u{2026}';

/// A name without control characters, cut where it is too long, which is seen at its end.
pub(crate) fn shown(name: &str) -> String {
    // A line of /proc/net/unix ends at a line feed, and a terminal obeys others.
    let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let (part, _) = split(&name, LONGEST_NAME - CUT.len_utf8());
    format!("{part}{CUT}")
}

/// What a label holds of a name that can be shown, and what is left for other names.
pub(crate) fn parts(name: &str) -> (&str, Vec<&str>) {
    let (first, mut rest) = split(name, LABEL_PART);
    let mut more = Vec::new();
    while !rest.is_empty() {
        let (part, left) = split(rest, MORE_PART);
        more.push(part);
        rest = left;
    }
    (first, more)
}

/// Cuts between two characters, so that the first part has at most so many bytes.
fn split(text: &str, most: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(most))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_no_control_characters_and_an_end() {
        assert_eq!(shown("a\nb\0c"), "a?b?c");
        let longest = "x".repeat(LONGEST_NAME);
        assert_eq!(shown(&longest), longest);
        assert_eq!(shown(&"ä".repeat(200)), format!("{}{CUT}", "ä".repeat(126)));
    }

    proptest! {
        #[test]
        fn parts_are_the_whole(name in ".{0,300}") {
            let name = shown(&name);
            prop_assert!(name.len() <= LONGEST_NAME);
            prop_assert_eq!(&shown(&name), &name);
            let (first, more) = parts(&name);
            prop_assert!(first.len() <= LABEL_PART && more.len() <= 3);
            prop_assert!(more.iter().all(|part| !part.is_empty() && part.len() <= MORE_PART));
            prop_assert_eq!(format!("{first}{}", more.concat()), name);
        }
    }
}
