//! What a conversation lost, in words that are the same for both of its ends.

use std::fmt::Display;

use crate::output::bytes;

/// What did not get where it was to go, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::commands) struct Lost {
    /// Of input; the kernel never had them, as far as it is known.
    pub(in crate::commands) unsent: u64,
    /// That the kernel had when the connection was left to it, and the peer had not acknowledged.
    pub(in crate::commands) unacknowledged: u64,
    /// Of the peer; standard output did not take them all.
    pub(in crate::commands) unwritten: u64,
}

impl Lost {
    /// `None` where nothing is lost.
    pub(in crate::commands) fn in_words(self, peer: &impl Display) -> Option<String> {
        let Self { unsent, unacknowledged, unwritten } = self;
        let words = [
            (unsent > 0).then(|| format!("at least {} of input did not get to {peer}", bytes(unsent))),
            (unacknowledged > 0).then(|| {
                format!(
                    "{peer} has not acknowledged {} that were sent: whether it gets them is not known",
                    bytes(unacknowledged)
                )
            }),
            (unwritten > 0).then(|| {
                format!("up to {} of {peer} not written to standard output", bytes(unwritten))
            }),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
