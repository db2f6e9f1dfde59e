//! A request and all of its answers.

use std::io;
use std::time::Duration;

use super::{Attributes, Message, Messages, NetlinkReceiveError, NetlinkRequest, NetlinkSocket};

/// The kernel's text in an error (`NLMSGERR_ATTR_MSG`).
const ERROR_TEXT: u16 = 1;
/// An error code and the header of the request, which `NETLINK_CAP_ACK` cuts it to.
const ERROR_HEADER: usize = 4 + super::message::HEADER;

impl NetlinkSocket {
    /// Sends `request` and gives each message of the answer to `on_message`, until it is complete:
    /// a dump at its end, a request with acknowledgement at that, any other at its first message.
    /// Answers to earlier requests, told by their number, are passed over.
    ///
    /// `timeout` is for each datagram, not for the whole: the kernel sends the next one when asked.
    ///
    /// Where an answer was left in the middle, the next exchange begins with a fresh descriptor, which
    /// has none of the options that were set by the old one.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`]. After one of its variants, messages given to `on_message` before are true
    /// but not all there are.
    pub fn exchange(
        &mut self,
        request: &NetlinkRequest,
        buffer: &mut [u8],
        timeout: Duration,
        on_message: impl FnMut(Message<'_>),
    ) -> Result<(), ExchangeError> {
        if self.is_spoiled {
            self.reopen().map_err(|source| ExchangeError::Reopen { source })?;
        }
        // Also where `on_message` panics.
        self.is_spoiled = true;
        let result = self.ask(request, buffer, timeout, on_message);
        // All others end before the answer does.
        self.is_spoiled = !matches!(
            result,
            Ok(())
                | Err(ExchangeError::Send { .. }
                    | ExchangeError::Refused { .. }
                    | ExchangeError::Changed)
        );
        result
    }

    fn ask(
        &self,
        request: &NetlinkRequest,
        buffer: &mut [u8],
        timeout: Duration,
        mut on_message: impl FnMut(Message<'_>),
    ) -> Result<(), ExchangeError> {
        self.send(request.as_bytes()).map_err(|source| ExchangeError::Send { source })?;
        let flags = i32::from(request.flags().bits());
        let is_dump = flags & libc::NLM_F_DUMP == libc::NLM_F_DUMP;
        let ends_at_first = !is_dump && flags & libc::NLM_F_ACK == 0;
        let mut changed = false;
        loop {
            let mut messages = Messages::new(self.receive(buffer, timeout)?);
            for message in messages.by_ref() {
                if message.sequence != request.sequence() {
                    continue;
                }
                changed |= i32::from(message.flags) & libc::NLM_F_DUMP_INTR != 0;
                match message.kind {
                    Message::NOOP => {}
                    Message::OVERRUN => return Err(NetlinkReceiveError::Overrun.into()),
                    Message::ERROR | Message::DONE => {
                        return match verdict(&message) {
                            Ok(()) if changed => Err(ExchangeError::Changed),
                            other => other,
                        };
                    }
                    _ => {
                        on_message(message);
                        if ends_at_first {
                            return Ok(());
                        }
                    }
                }
            }
            if !messages.rest().is_empty() {
                return Err(ExchangeError::Malformed);
            }
        }
    }
}

/// What the last message of an answer says: 0, or an errno below 0.
fn verdict(message: &Message<'_>) -> Result<(), ExchangeError> {
    let code = match message.payload.first_chunk() {
        Some(code) => i32::from_ne_bytes(*code),
        // The end of a dump carried no code before Linux 2.6.
        None if message.kind == Message::DONE => 0,
        None => return Err(ExchangeError::Malformed),
    };
    if code >= 0 {
        return Ok(());
    }
    // The end of a dump has no request's header in it.
    let header = if message.kind == Message::DONE { 4 } else { ERROR_HEADER };
    let text = message.payload.get(header..).and_then(|attributes| {
        Attributes::new(attributes).find(|attribute| attribute.kind == ERROR_TEXT)?.text()
    });
    Err(ExchangeError::Refused {
        text: text.map(str::to_owned),
        source: io::Error::from_raw_os_error(code.saturating_neg()),
    })
}

/// Why a request has no complete answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The exchange before this one failed, and there is no fresh socket for this one.
    #[error("cannot open another netlink socket")]
    Reopen {
        /// The cause.
        source: io::Error,
    },
    /// The request could not be sent.
    #[error("cannot send to the netlink socket")]
    Send {
        /// The cause.
        source: io::Error,
    },
    /// An answer did not come, or not whole.
    #[error(transparent)]
    Receive(#[from] NetlinkReceiveError),
    /// The kernel refused the request.
    #[error("the kernel refused the request{}", text.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// The kernel's words, where it gave some.
        text: Option<String>,
        /// Its error code.
        source: io::Error,
    },
    /// What was dumped changed meanwhile (`NLM_F_DUMP_INTR`), so that the answer is of no one
    /// moment: ask again.
    #[error("what was asked for changed while the kernel told it")]
    Changed,
    /// The answer is not netlink.
    #[error("the kernel's answer is malformed")]
    Malformed,
}

#[cfg(test)]
mod tests;
