//! The lines of a stream, each behind a prefix and whole.

use bytes::Bytes;

/// The longest line that is held back for its end; a longer one goes on in pieces, with the prefix
/// before the first.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// A stream that comes in pieces, as messages of whole lines.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    prefix: &'a [u8],
    /// The beginning of a line whose end is still to come; with its prefix.
    begun: Vec<u8>,
    /// The beginning of the present line has gone on already.
    inside_line: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(prefix: &'a [u8]) -> Self {
        Self { prefix, begun: Vec::new(), inside_line: false }
    }

    /// The lines that this piece completes. A message is not much longer than [`LONGEST_LINE`],
    /// however long the prefix: every outbox has room for it.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Bytes> {
        let mut messages = Vec::new();
        let mut message = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.is_empty() && !self.inside_line {
                self.begun.extend_from_slice(self.prefix);
            }
            self.begun.extend_from_slice(part);
            let ended = part.ends_with(b"\n");
            if ended || self.begun.len() >= self.prefix.len() + LONGEST_LINE {
                message.append(&mut self.begun);
                self.inside_line = !ended;
            }
            if message.len() >= LONGEST_LINE {
                messages.push(Bytes::from(std::mem::take(&mut message)));
            }
        }
        if !message.is_empty() {
            messages.push(message.into());
        }
        // A client may be idle from here on: what it keeps is what was begun, and no more than twice.
        if self.begun.capacity() > 2 * self.begun.len() {
            self.begun.shrink_to_fit();
        }
        messages
    }

    /// What is left when the stream has ended.
    pub(super) fn end(&mut self) -> Vec<Bytes> {
        let rest = std::mem::take(&mut self.begun);
        if rest.is_empty() { Vec::new() } else { vec![rest.into()] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_wait_for_their_end() {
        let mut lines = Lines::new(b"> ");
        assert!(lines.take(b"on").is_empty());
        assert_eq!(lines.take(b"e\ntwo\nth"), [Bytes::from_static(b"> one\n> two\n")]);
        assert_eq!(lines.end(), [Bytes::from_static(b"> th")]);
        assert!(lines.end().is_empty());
    }

    #[test]
    fn a_line_too_long_to_wait_for_goes_on_in_pieces_with_one_prefix() {
        let mut lines = Lines::new(b"> ");
        let first = lines.take(&vec![b'x'; LONGEST_LINE]);
        assert_eq!(first.concat().len(), LONGEST_LINE + 2);
        assert!(lines.take(b"tail").is_empty());
        assert_eq!(lines.take(b"\nnext\n").concat(), b"tail\n> next\n");
    }

    #[test]
    fn no_more_is_held_than_the_line_that_was_begun() {
        let mut lines = Lines::new(b"> ");
        lines.take(&[b'x'; 10_000]);
        lines.take(b"\n");
        assert_eq!(lines.begun.capacity(), 0);
        lines.take(&[b'x'; 10_000]);
        lines.take(b"\nbegun");
        assert!(lines.begun.capacity() <= 2 * b"> begun".len(), "{}", lines.begun.capacity());
    }

    #[test]
    fn messages_are_bounded_however_long_the_prefix() {
        let prefix = [b'p'; 1000];
        let messages = Lines::new(&prefix).take(&vec![b'\n'; LONGEST_LINE]);
        assert!(messages.iter().all(|message| message.len() <= LONGEST_LINE + prefix.len() + 1));
        assert_eq!(messages.concat().len(), LONGEST_LINE * 1001);
    }

    proptest! {
        #[test]
        fn the_cut_of_the_stream_does_not_show(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300),
            cuts in prop::collection::vec(1usize..20, 1..40),
        ) {
            let mut lines = Lines::new(b"# ");
            let (mut output, mut rest, mut cuts) = (Vec::new(), &input[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                output.extend(lines.take(piece).concat());
                rest = after;
            }
            output.extend(lines.end().concat());
            let whole = input.split_inclusive(|byte| *byte == b'\n');
            let expected: Vec<u8> = whole.flat_map(|line| [b"# ", line].concat()).collect();
            prop_assert_eq!(output, expected);
        }
    }
}
