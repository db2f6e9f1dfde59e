//! The sending side of an open socket.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use socket2::SockRef;
use sockets_sys::{BatchSender, Destination, OutgoingMessage, SendControl};
use tokio::io::Interest;

use crate::event::{Event, EventSource};
use crate::open_socket::{Blame, OpenSocket, blame};
use crate::segments::Segments;

/// How often one send is tried while the kernel reports errors of earlier datagrams instead. It
/// hands out each once, so that more than one in a row takes a new ICMP message in between.
pub(crate) const SEND_ATTEMPTS: usize = 8;

/// How many messages go to the kernel in one call.
pub(crate) const MESSAGES_PER_CALL: usize = 64;

/// A datagram, or several of one length, checked, as the kernel is to have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) data: &'a [u8],
    /// As the caller named it.
    pub(crate) target: SocketAddr,
    pub(crate) kernel_target: SocketAddr,
    pub(crate) control: SendControl,
}

impl<'a> Message<'a> {
    /// The same way for other bytes, which the kernel is to cut if a size is given.
    pub(crate) fn with_data(self, data: &'a [u8], segment_size: Option<NonZeroU16>) -> Self {
        Self { data, control: SendControl { segment_size, ..self.control }, ..self }
    }

    pub(crate) const fn segments(&self) -> Segments {
        Segments::new(self.data.len(), self.control.segment_size)
    }

    fn outgoing(self) -> OutgoingMessage<'a> {
        OutgoingMessage {
            bytes: self.data,
            destination: Destination::Socket(self.kernel_target),
            control: self.control,
        }
    }
}

/// What a batched call needs, kept for the next one: as many as calls were made at the same time.
#[derive(Debug, Default)]
pub(crate) struct Senders(Mutex<Vec<BatchSender>>);

impl Senders {
    fn with<T>(&self, send: impl FnOnce(&mut BatchSender) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sender = { idle().pop() }.unwrap_or_else(|| BatchSender::new(MESSAGES_PER_CALL));
        let result = send(&mut sender);
        idle().push(sender);
        result
    }
}

impl OpenSocket {
    /// Gives a datagram to the kernel, if it has room. `unclear` lives as long as the attempts to
    /// send this one datagram.
    pub(crate) fn send(
        &self,
        message: &Message<'_>,
        unclear: &mut Option<io::ErrorKind>,
        events: &EventSource,
    ) -> io::Result<Poll<()>> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.try_send(message) {
                Ok(()) => {
                    if let Some(kind) = unclear.take() {
                        self.note_peer_error(kind, events);
                    }
                    self.note_sent(message, events);
                    return Ok(Poll::Ready(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Poll::Pending);
                }
                Err(error) => error,
            };
            match blame(&error) {
                Blame::Nobody => {}
                Blame::Us => return Err(error),
                _ if attempts >= SEND_ATTEMPTS => return Err(error),
                Blame::Peer => self.note_peer_error(error.kind(), events),
                // Of an earlier datagram it is gone now; of this one it comes again.
                Blame::Unclear if unclear.is_none() => *unclear = Some(error.kind()),
                Blame::Unclear => {
                    // What this machine found itself is kept, too.
                    self.note_kept_errors(events);
                    return Err(error);
                }
            }
        }
    }

    /// Gives the first messages to the kernel, as many as it takes in one call; how many. An error
    /// is of the first message or of an earlier datagram; nothing was sent then.
    pub(crate) fn send_run<'a>(
        &self,
        messages: impl Iterator<Item = Message<'a>> + Clone,
        events: &EventSource,
    ) -> io::Result<Poll<usize>> {
        let outgoing = messages.clone().map(Message::outgoing);
        let result = self
            .senders
            .with(|sender| self.ask_for_room(|| sender.send(&self.socket, outgoing.clone())));
        match result {
            Ok(taken) => {
                self.account.sent_all(
                    messages
                        .clone()
                        .take(taken)
                        .flat_map(|message| message.segments().ranges().map(|range| range.len())),
                );
                if events.datagrams_are_wanted() {
                    messages.take(taken).for_each(|message| tell_sent(&message, events));
                }
                Ok(Poll::Ready(taken))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Poll::Pending),
            Err(error) => Err(error),
        }
    }

    fn try_send(&self, message: &Message<'_>) -> io::Result<()> {
        if message.control == SendControl::default() {
            let (socket, target) = (SockRef::from(&self.socket), message.kernel_target.into());
            return self.ask_for_room(|| socket.send_to(message.data, &target)).map(drop);
        }
        let outgoing = message.outgoing();
        self.senders
            .with(|sender| self.ask_for_room(|| sender.send(&self.socket, [outgoing])))
            .map(drop)
    }

    /// Asks the kernel, whatever the runtime has seen: of a new socket it has seen nothing yet, and
    /// what is to be sent would wait though there is room.
    fn ask_for_room<T>(&self, mut send: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut asked = false;
        let result = self.socket.try_io(Interest::WRITABLE, || {
            asked = true;
            send()
        });
        if asked { result } else { send() }
    }

    fn note_sent(&self, message: &Message<'_>, events: &EventSource) {
        self.account.sent(message.data.len());
        tell_sent(message, events);
    }
}

fn tell_sent(message: &Message<'_>, events: &EventSource) {
    for range in message.segments().ranges() {
        events.emit_datagram(|| Event::Sent { len: range.len(), target: message.target });
    }
}
