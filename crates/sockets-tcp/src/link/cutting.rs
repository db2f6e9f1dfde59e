//! A stream that is not brought to its end.

use super::Link;
use super::sending::End;
use crate::events::lock;

impl Link {
    /// Has the stream end in a reset, unless its end was asked for already, or the connection broke
    /// by itself; says whether it does.
    pub(crate) fn cut_short(&self) -> bool {
        let broke = self.read_failure().is_some();
        let mut sending = lock(&self.sending);
        let cut = !broke && sending.end == End::Open && sending.failed.is_none();
        sending.truncated |= cut;
        cut
    }
}
