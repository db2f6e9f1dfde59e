//! What a conversation lost, in words that are the same for both of its ends.

use std::fmt::Display;

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
            (unsent > 0).then(|| format!("at least {unsent} bytes of input did not get to {peer}")),
            (unacknowledged > 0).then(|| {
                format!(
                    "{peer} has not acknowledged {unacknowledged} bytes that were sent: whether it \
                     gets them is not known"
                )
            }),
            (unwritten > 0).then(|| {
                format!("up to {unwritten} bytes of {peer} not written to standard output")
            }),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
