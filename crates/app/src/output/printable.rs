//! What comes from elsewhere, such as the name of a process, made fit for a terminal.

/// A character as a terminal may have it: U+FFFD for one that steers it, or that turns the text round or
/// hides in it, and so would change how what stands beside it is read.
pub(crate) fn printable(letter: char) -> char {
    if letter.is_control() || is_format(letter) { char::REPLACEMENT_CHARACTER } else { letter }
}

/// As [`printable`], each letter of a text.
pub(crate) fn printed(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// Directions (Unicode Standard Annex 9), separators of lines, and what takes no room.
const fn is_format(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_turns_its_text_round() {
        for letter in ['\0', '\n', '\x1b', '\x7f', '\u{9b}', '\u{202e}', '\u{2066}', '\u{feff}'] {
            assert_eq!(printable(letter), '\u{fffd}', "{letter:?}");
        }
        for letter in ['a', ' ', '\u{e9}', '\u{301}', '\u{6f22}', '\u{1f600}', '\u{fffd}'] {
            assert_eq!(printable(letter), letter);
        }
    }
}
