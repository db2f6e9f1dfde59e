//! The words of a text, one by one, without holding the text.

use std::io::{self, Read};

/// The longest word kept: more than any target has. What is longer is an error.
const MAX_WORD: usize = 1_024;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Splits what a reader gives at white space; `#` begins a comment, to the end of its line.
#[derive(Debug)]
pub(super) struct Words<R> {
    reader: R,
    chunk: Vec<u8>,
    position: usize,
    filled: usize,
    word: Vec<u8>,
    line: u64,
    comment: bool,
}

/// What is at a place of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Text(&'a str),
    /// Too long, or not UTF-8.
    Bad(&'static str),
}

impl<R: Read> Words<R> {
    pub(super) fn new(reader: R) -> Self {
        let chunk = vec![0; CHUNK];
        Self { reader, chunk, position: 0, filled: 0, word: Vec::new(), line: 1, comment: false }
    }

    /// The next word and the number of its line, from 1; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Word<'_>)>> {
        self.word.clear();
        let mut line = self.line;
        let mut too_long = false;
        while let Some(byte) = self.byte()? {
            if byte == b'\n' {
                self.line += 1;
                self.comment = false;
            } else if byte == b'#' {
                self.comment = true;
            } else if !self.comment && !byte.is_ascii_whitespace() {
                too_long |= self.word.len() == MAX_WORD;
                if !too_long {
                    self.word.push(byte);
                }
                continue;
            }
            if !self.word.is_empty() {
                break;
            }
            line = self.line;
        }
        if line == 1
            && let Some(rest) = self.word.strip_prefix(b"\xef\xbb\xbf")
        {
            // A byte order mark, as some editors begin a file with.
            self.word = rest.to_vec();
        }
        if self.word.is_empty() {
            return Ok(None);
        }
        let word = match std::str::from_utf8(&self.word) {
            _ if too_long => Word::Bad("a word of more than 1,024 bytes"),
            Ok(text) => Word::Text(text),
            Err(_) => Word::Bad("a word that is not UTF-8"),
        };
        Ok(Some((line, word)))
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.position == self.filled {
            self.position = 0;
            self.filled = loop {
                match self.reader.read(&mut self.chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            if self.filled == 0 {
                return Ok(None);
            }
        }
        self.position += 1;
        Ok(Some(self.chunk[self.position - 1]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &[u8]) -> Vec<(u64, String)> {
        let mut words = Words::new(text);
        let mut all = Vec::new();
        while let Some((line, word)) = words.next().unwrap() {
            all.push((
                line,
                match word {
                    Word::Text(text) => text.to_owned(),
                    Word::Bad(why) => format!("bad: {why}"),
                },
            ));
        }
        all
    }

    #[test]
    fn words_comments_and_line_numbers() {
        let text = b"\xef\xbb\xbfone two\r\n# three\n\n\tfour#five six\n\xff\nlast";
        let expected = [
            (1, "one"),
            (1, "two"),
            (4, "four"),
            (5, "bad: a word that is not UTF-8"),
            (6, "last"),
        ];
        assert_eq!(words(text), expected.map(|(line, word)| (line, word.to_owned())));
        assert!(words(b"").is_empty() && words(b"\xef\xbb\xbf\n#").is_empty());
    }

    #[test]
    fn a_word_without_end_is_not_held() {
        let found = words(&vec![b'a'; 200_000]);
        assert_eq!(found, [(1, "bad: a word of more than 1,024 bytes".to_owned())]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_whole_text(text in "[ab# \t\r\n]{0,80}") {
            let mut naive = Vec::new();
            for (number, line) in text.split('\n').enumerate() {
                let line = line.split('#').next().unwrap();
                let words = line.split_ascii_whitespace();
                naive.extend(words.map(|word| (number as u64 + 1, word.to_owned())));
            }
            prop_assert_eq!(words(text.as_bytes()), naive);
        }
    }
}
