//! Datagrams that stay where they are, sent many in one system call (`sendmmsg`).

use std::io;
use std::os::fd::AsFd;

use crate::address::Name;
use crate::headers::{Headers, OutgoingSlot};
use crate::send_batch::Destination;
use crate::send_control::{EncodedControl, SendControl};

/// One datagram to send, or several of one length, in the caller's memory.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingMessage<'a> {
    /// The payload.
    pub bytes: &'a [u8],
    /// Where it goes.
    pub destination: Destination,
    /// How.
    pub control: SendControl,
}

/// Room for the addresses and control messages of a number of datagrams; nothing is allocated
/// after [`BatchSender::new`], and no payload is copied on the way to the kernel.
///
/// [`SendBatch`](crate::SendBatch) is for packets that have to be kept until they are sent.
pub struct BatchSender {
    headers: Headers,
    names: Box<[Name]>,
    controls: Box<[EncodedControl]>,
}

impl BatchSender {
    /// The most messages the kernel takes in one call.
    pub const MOST_PER_CALL: usize = 1024;

    /// Room for `messages` messages; at most [`Self::MOST_PER_CALL`] are made room for.
    pub fn new(messages: usize) -> Self {
        let messages = messages.min(Self::MOST_PER_CALL);
        Self {
            headers: Headers::new(messages),
            names: vec![Name::EMPTY; messages].into(),
            controls: vec![EncodedControl::EMPTY; messages].into(),
        }
    }

    /// How many messages it sends at once.
    pub const fn capacity(&self) -> usize {
        self.names.len()
    }

    /// Sends the first [`capacity`](Self::capacity) messages, or fewer, in one call that does not
    /// wait, and returns how many the kernel took. It stops at the first that it refuses; that one
    /// tells why when it is the first of a call.
    ///
    /// # Errors
    ///
    /// What the kernel says of the first message: `WouldBlock` where there is no room now.
    /// `InvalidInput` where its [`SendControl`] has a source or an interface, and the destination is
    /// no IP address or of another family.
    pub fn send<'a>(
        &mut self,
        fd: impl AsFd,
        messages: impl IntoIterator<Item = OutgoingMessage<'a>>,
    ) -> io::Result<usize> {
        let mut senseless = false;
        let room = self.names.iter_mut().zip(&mut self.controls);
        let slots = room.zip(messages).map_while(|((name, control), message)| {
            let name_size = name.encode(&message.destination);
            senseless = !control.encode(&message.control, &message.destination);
            (!senseless).then_some(OutgoingSlot {
                bytes: message.bytes,
                name,
                name_size,
                control: control.bytes(),
            })
        });
        let taken = self.headers.send(fd.as_fd(), slots)?;
        if taken == 0 && senseless {
            let reason = "a source or an interface that does not go with the destination";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(taken)
    }
}

impl std::fmt::Debug for BatchSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchSender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
