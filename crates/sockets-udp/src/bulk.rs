//! Many bytes to one peer, in datagrams of one length, cut by the kernel where it can.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use crate::event::Event;
use crate::outgoing::{MESSAGES_PER_CALL, Message, SEND_ATTEMPTS};
use crate::segmentation::{Refusal, SegmentationOffload};
use crate::segments::segments_per_message;
use crate::send::{MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Outgoing, SendError};
use crate::socket::{Cost, Stopped, UdpSocket};

/// How many messages of up to 64 datagrams go to the kernel in one call: half a megabyte, so that
/// the other tasks of the thread are not held up for long.
const CUT_MESSAGES_PER_CALL: usize = 8;

/// What was sent of a bulk, from the first byte on.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "it may hold an error"]
pub struct BulkReport {
    /// How many datagrams the kernel took.
    pub datagrams: usize,
    /// How many bytes of payload they have.
    pub bytes: usize,
    /// How many of the datagrams the kernel cut itself (`UDP_SEGMENT`).
    pub segmented: usize,
    /// Why the datagram after those was not sent; the rest was not tried. `None` where all were.
    pub failed: Option<SendError>,
}

impl BulkReport {
    /// Whether all was sent.
    pub const fn is_complete(&self) -> bool {
        self.failed.is_none()
    }
}

/// A bulk on its way.
struct Bulk<'a> {
    data: &'a [u8],
    size: NonZeroU16,
    sent: BulkReport,
}

impl<'a> Bulk<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.data[self.sent.bytes..]
    }

    /// The rest as messages of `datagrams` datagrams each.
    fn messages(
        &self,
        template: Message<'a>,
        datagrams: usize,
    ) -> impl Iterator<Item = Message<'a>> + Clone + use<'a> {
        let size = self.size;
        self.rest().chunks(datagrams * usize::from(size.get())).map(move |chunk| {
            let cut = chunk.len() > size.get().into();
            template.with_data(chunk, cut.then_some(size))
        })
    }

    fn note(&mut self, taken: impl Iterator<Item = Message<'a>>) {
        for message in taken {
            let datagrams = message.segments().count();
            self.sent.datagrams += datagrams;
            self.sent.bytes += message.data.len();
            if message.control.segment_size.is_some() {
                self.sent.segmented += datagrams;
            }
        }
    }
}

impl UdpSocket {
    /// Sends `data` to one peer in datagrams of `segment_size` bytes, the last one as long as what is
    /// left; nothing where `data` is empty. Waits while the kernel's send buffer is full.
    ///
    /// Up to 64 datagrams are handed to the kernel in one piece (`UDP_SEGMENT`), which it cuts as
    /// late as it can. Where it does not, because the datagrams are longer than the path's MTU or
    /// because it cannot, they are sent one by one, many in one call: the peer sees no difference.
    /// [`BulkReport::segmented`] says what was done, and
    /// [`segmentation_offload`](Self::segmentation_offload) whether it will be tried again.
    ///
    /// UDP has no flow control: a receiver that is slower loses what its buffer does not hold.
    ///
    /// The report says how much was sent, and why not the rest: after a datagram that failed no other
    /// is tried.
    ///
    /// # Panics
    ///
    /// Where `segment_size` is 0, as [`slice::chunks`] does.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if it is dropped before it is ready, an unknown number of datagrams was
    /// sent, from the first on; the statistics and the events have them.
    pub async fn send_bulk(
        &self,
        target: SocketAddr,
        data: &[u8],
        segment_size: usize,
    ) -> BulkReport {
        assert!(segment_size > 0, "datagrams of no bytes never come to an end");
        // A longer one fails below, by its length.
        let longest = u16::try_from(segment_size.min(data.len())).unwrap_or(u16::MAX);
        let Some(size) = NonZeroU16::new(longest) else { return BulkReport::default() };
        let mut bulk = Bulk { data, size, sent: BulkReport::default() };
        let first = &data[..segment_size.min(data.len())];
        let result = self.send_bulk_inner(&mut bulk, Outgoing::new(first, target)).await;
        BulkReport { failed: result.err(), ..bulk.sent }
    }

    /// Whether the kernel cuts bulk into datagrams on this socket.
    pub fn segmentation_offload(&self) -> SegmentationOffload {
        self.inner.segmentation.offload()
    }

    async fn send_bulk_inner<'a>(
        &self,
        bulk: &mut Bulk<'a>,
        first: Outgoing<'a>,
    ) -> Result<(), SendError> {
        let template = match self.check(&first) {
            Ok(template) => template,
            Err(error) => {
                self.report_send_error(&error);
                return Err(error);
            }
        };
        let target = first.target;
        let limit = message_limit(&template);
        let together = segments_per_message(bulk.size, limit);
        let mut cut = together > 1 && self.inner.segmentation.is_available();
        let mut refusal = Refusal::None;
        let mut failures = 0;
        while !bulk.rest().is_empty() {
            let (datagrams, most) =
                if cut { (together, CUT_MESSAGES_PER_CALL) } else { (1, MESSAGES_PER_CALL) };
            let run = bulk.messages(template, datagrams).take(most);
            let left = bulk.rest().len().div_ceil(bulk.size.get().into());
            let cost = Cost::of(left.min(datagrams * most));
            let error = match self.send_run(cost, run.clone()).await {
                Ok(taken) => {
                    bulk.note(run.take(taken));
                    failures = 0;
                    continue;
                }
                Err(Stopped::Closed) => return Err(SendError::Closed { target }),
                Err(Stopped::Failed(error)) => error,
            };
            // Of the first datagram, or of one before: it is sent by itself to learn which.
            let unclear = self.note_earlier(&error);
            if cut {
                refusal = Refusal::of(&error, bulk.size.get().into());
                failures += 1;
                cut = refusal == Refusal::None && failures < SEND_ATTEMPTS;
            }
            let Some(alone) = bulk.messages(template, 1).next() else { break };
            self.send_reported(&Outgoing::new(alone.data, target), unclear, Cost::ONE).await?;
            bulk.note([alone].into_iter());
            if std::mem::replace(&mut refusal, Refusal::None) == Refusal::Always
                && self.inner.segmentation.refuse()
            {
                let kind = error.kind();
                tracing::warn!(%error, "the kernel does not cut datagrams of a udp socket");
                self.inner.events.emit(|| Event::SegmentationRefused { kind });
            }
        }
        Ok(())
    }
}

/// The longest payload that one message to this target may have.
fn message_limit(template: &Message<'_>) -> usize {
    if template.kernel_target.ip().to_canonical().is_ipv4() {
        MAX_PAYLOAD_V4
    } else {
        MAX_PAYLOAD_V6
    }
}
