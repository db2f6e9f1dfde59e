//! Frames as a `Stream` and a `Sink`, for the combinators that work on those.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio_util::codec::{Decoder, Encoder};

use super::{FrameSink, FrameSource, Framed};

/// Frames as by [`recv_frame`](Framed::recv_frame), with the same errors; an error is no end, as
/// another stream may follow.
impl<T, C> Stream for Framed<T, C>
where
    T: FrameSource + Unpin,
    C: Decoder + Clone + Unpin,
{
    type Item = Result<C::Item, C::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.assembler.next() {
                return Poll::Ready(Some(frame));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let buffer = this.assembler.buffer();
            let filled = ready!(this.inner.poll_fill(&mut this.arriving, context, buffer));
            if let Some(error) = this.note_end(filled) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

/// Frames as by [`send_frame`](Framed::send_frame), with the same errors. Flushed is a frame that was
/// accepted: it is with the kernel or in the outbox, which goes out by itself. Closing ends the
/// sending direction behind all frames and waits until it is out; receiving goes on.
///
/// A frame that was started and not flushed is lost where this is dropped.
impl<T, C, I> Sink<I> for Framed<T, C>
where
    T: FrameSink + Unpin,
    C: Encoder<I> + Unpin,
{
    type Error = C::Error;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.get_mut().poll_delivered(context).map_err(C::Error::from)
    }

    fn start_send(self: Pin<&mut Self>, frame: I) -> Result<(), C::Error> {
        let this = self.get_mut();
        this.encoded.clear();
        this.encoder.encode(frame, &mut this.encoded)?;
        let next = this.inner.delivering(this.encoded.split().freeze());
        // There is one before it only where the caller did not ask whether this is ready.
        let delivering = match this.delivering.take() {
            None => next,
            Some(before) => Box::pin(async move {
                before.await?;
                next.await
            }),
        };
        this.delivering.set(delivering);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.get_mut().poll_delivered(context).map_err(C::Error::from)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        ready!(this.poll_delivered(context))?;
        let Framed { inner, finishing, .. } = this;
        finishing.poll_or_begin(context, || inner.finishing()).map_err(C::Error::from)
    }
}

impl<T, C> Framed<T, C> {
    /// Until the frame that was started last is accepted.
    pub(super) fn poll_delivered(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.delivering.poll(context).map(|delivered| delivered.unwrap_or(Ok(())))
    }
}
