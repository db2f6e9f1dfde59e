//! The words of a text, one by one, without holding the text.

use std::io::{self, Read};

/// The longest word kept: more than any target has. What is longer is an error.
const MAX_WORD: usize = 1_024;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// What some editors begin a file with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
    /// Whether the place of a byte order mark is behind.
    begun: bool,
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
        let (chunk, word) = (vec![0; CHUNK], Vec::new());
        Self { reader, chunk, position: 0, filled: 0, word, line: 1, comment: false, begun: false }
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
        if !self.begun {
            self.begun = true;
            self.skip_mark()?;
        }
        if self.position == self.filled {
            (self.position, self.filled) = (0, 0);
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
        self.position += 1;
        Ok(Some(self.chunk[self.position - 1]))
    }

    fn skip_mark(&mut self) -> io::Result<()> {
        // A pipe may bring it in pieces.
        while self.filled < BYTE_ORDER_MARK.len() && self.fill()? > 0 {}
        if self.chunk[..self.filled].starts_with(BYTE_ORDER_MARK) {
            self.position = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }

    /// Reads behind what is there; how many bytes came.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.chunk[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.filled += read;
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: impl Read) -> Vec<(u64, String)> {
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
        assert_eq!(words(&text[..]), expected.map(|(line, word)| (line, word.to_owned())));
        assert!(words(&b""[..]).is_empty() && words(&b"\xef\xbb\xbf\n#"[..]).is_empty());
    }

    #[test]
    fn a_byte_order_mark_ends_no_list() {
        for first in ["# hosts\n", "\n", " ", "\r\n#\n"] {
            let text = format!("\u{feff}{first}one\ntwo");
            let plain = words(text.trim_start_matches('\u{feff}').as_bytes());
            assert_eq!(plain.len(), 2);
            assert_eq!(words(text.as_bytes()), plain);
            let in_pieces = text.as_bytes()[..2].chain(&text.as_bytes()[2..]);
            assert_eq!(words(in_pieces), plain);
        }
        assert_eq!(words("one \u{feff}".as_bytes()).len(), 2, "elsewhere it is part of a word");
        assert_eq!(words(&b"\xef\xbb"[..]).len(), 1, "half a mark is none");
    }

    #[test]
    fn a_word_without_end_is_not_held() {
        let found = words(&vec![b'a'; 200_000][..]);
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
