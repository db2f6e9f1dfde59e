//! One connection from its first byte to its end: the handler, the flushing, and the way out.

mod serving;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::close_reason::CloseReason;
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::{Attended, Closing, Link, Traffic};
use serving::{Served, Serving};

/// How soon it is looked again whether a peer has acknowledged the last bytes; the pause doubles up
/// to the longest. A peer may keep an acknowledgement back for 40 ms (Linux, `TCP_DELACK_MIN`).
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// How late an acknowledgement may be noticed.
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// The times that bound a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long nothing may move while the handler runs.
    pub(crate) idle: Option<Duration>,
    /// How long the peer may send nothing at its beginning while the handler runs.
    pub(crate) first_byte: Option<Duration>,
    /// Whether a handler is dropped that reads nothing for as long as `linger` after the connection
    /// has failed.
    pub(crate) gives_up: bool,
    /// How long the last bytes may stand still, and how long to wait for the peer's end.
    pub(crate) linger: Duration,
    /// Whether what was sent last has to be acknowledged, too, within the same time again.
    pub(crate) acknowledged: bool,
    /// Whether a handler that did not come to its end ends its stream by a reset.
    pub(crate) resets_unfinished: bool,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: CloseReason,
    /// It was ended before it was done: from outside, or by a failure of its handler.
    pub(crate) aborted: bool,
    pub(crate) traffic: Traffic,
    /// Bytes that the kernel held at the end, and the peer had not acknowledged.
    pub(crate) unacknowledged: usize,
    /// Bytes of the peer came that nobody handled, as the end of the server was before that of its
    /// stream.
    pub(crate) input_lost: bool,
}

impl Ended {
    /// Bytes accepted for sending that the kernel did not take before the end.
    pub(crate) fn unsent(&self) -> usize {
        self.traffic.lost.bytes
    }
}

/// Runs `handler` and the flushing of `link` in this one task until the connection is over.
///
/// The handler is dropped as soon as it is done with; then `handled` is called, and only then may
/// the peer see an end. It is pinned by the caller: passed on by value, it would have a place of its
/// own in the future of each function on the way.
///
/// All of it is borrowed, and a [`Serving`] keeps no copy in its future: with many connections at
/// work, each cache line of a task is a miss.
pub(crate) async fn drive<F>(
    link: &Link,
    handler: Pin<&mut Option<F>>,
    patience: &Patience,
    handled: impl FnOnce(),
) -> Ended
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let served = Serving::new(link, handler, patience).await;
    handled();
    link.end_reading();
    // Before anything else can look like the end of a whole stream.
    let is_cut = patience.resets_unfinished && !served.is_proper() && link.cut_short();
    let (mut reason, mut aborted) = match served {
        Served::Returned(Ok(())) => (reason_of_return(link), false),
        Served::Returned(Err(error)) => (reason_of_error(link, &error), is_cut),
        Served::Panicked(text) => {
            link.observer.failed(Failure::new(Operation::Handler, text));
            (CloseReason::HandlerPanicked, is_cut)
        }
        Served::Idle => (CloseReason::IdleTimeout, true),
        Served::Silent => (CloseReason::FirstByteTimeout, true),
        Served::Closing(Closing::Finish(reason)) => (reason, false),
        Served::Closing(Closing::Abort(reason)) => (reason, true),
        // How it failed is told below.
        Served::Broken => (CloseReason::Reset, false),
    };
    if !aborted {
        // In the heap, as it comes once: its timers would make every connection's task larger.
        if let Some(by) = Box::pin(wind_up(link, patience)).await {
            (reason, aborted) = (by, true);
        }
        if !aborted
            && !reason.is_handlers_failure()
            && let Some(failure) = failure(link)
        {
            reason = failure;
        }
    }
    let unacknowledged = link.unacknowledged();
    link.bury();
    let (traffic, input_lost) = (link.traffic(), link.is_input_lost());
    Ended { reason, aborted, traffic, unacknowledged, input_lost }
}

/// How the connection broke, if it did. The kernel tells neither of the two kinds: they are TLS's.
fn failure(link: &Link) -> Option<CloseReason> {
    match link.read_failure() {
        Some(ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => Some(link.tls_failure()),
        None => link.write_failure().map(|_| CloseReason::Reset),
        Some(_) => Some(CloseReason::Reset),
    }
}

/// Where the handler broke the connection off: by what had failed on the connection, if anything had;
/// else, where it reports no error, for the end of the server.
fn as_it_came(link: &Link, closing: Closing, is_ok: bool) -> Closing {
    if closing != Closing::Abort(CloseReason::HandlerFailed) {
        return closing;
    }
    let stopped = (is_ok && link.is_left_to_grace()).then_some(CloseReason::Shutdown);
    Closing::Abort(failure(link).or(stopped).unwrap_or(CloseReason::HandlerFailed))
}

fn reason_of_return(link: &Link) -> CloseReason {
    if let Some(failure) = failure(link) {
        failure
    } else if link.peer_ended() {
        CloseReason::PeerClosed
    } else if link.is_draining() {
        CloseReason::Shutdown
    } else {
        CloseReason::Local
    }
}

fn reason_of_error(link: &Link, error: &HandlerError) -> CloseReason {
    if let Some(failure) = failure(link) {
        return failure;
    }
    link.observer.failed(Failure::of_handler(error));
    CloseReason::HandlerFailed
}

/// Flushes and lingers; who aborted it, if anyone did.
///
/// A grace whose end is known is kept here, too: whoever gave it may have ceased to look on.
async fn wind_up(link: &Link, patience: &Patience) -> Option<CloseReason> {
    let mut ending = pin!(async {
        match flush(link, patience.linger).await {
            Flushed::Done => linger(link, patience).await,
            Flushed::Failed => None,
            Flushed::Stalled => Some(CloseReason::SlowPeer),
            Flushed::Aborted(by) => Some(by),
        }
    });
    let mut grace: Option<Pin<Box<Sleep>>> = None;
    unconstrained(poll_fn(|context| {
        if let Poll::Ready(ended) = ending.as_mut().poll(context) {
            return Poll::Ready(ended);
        }
        // It may come, or come nearer, at any time; whoever sets it wakes this task.
        let Some(deadline) = link.deadline() else { return Poll::Pending };
        let grace = grace.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if grace.deadline() != deadline {
            grace.as_mut().reset(deadline);
        }
        grace.as_mut().poll(context).map(|()| Some(CloseReason::Local))
    }))
    .await
}

enum Flushed {
    Done,
    Failed,
    Stalled,
    Aborted(CloseReason),
}

/// Sends what is queued, then the end of the stream, unless a reset is to be that. A peer that takes nothing for `patience` has
/// stalled, unless a grace from outside is what bounds it.
async fn flush(link: &Link, patience: Duration) -> Flushed {
    link.end_service();
    let mut service = pin!(unconstrained(poll_fn(|context| link.poll_service(context, false))));
    let mut stalled = pin!(unconstrained(async {
        if !link.is_left_to_grace() {
            link.stalled(patience).await;
        }
        // Once it is left to a grace it stays so.
        if link.is_left_to_grace() {
            std::future::pending::<()>().await;
        }
    }));
    let mut discards = link.is_input_cut();
    poll_fn(|context| {
        if discards {
            let mut discarding = poll_fn(|context| link.poll_discard_before_end(context));
            discards = pin!(unconstrained(&mut discarding)).poll(context).is_pending();
        }
        if let Poll::Ready(Attended::Close(closing)) = service.as_mut().poll(context) {
            return Poll::Ready(Flushed::Aborted(closing.reason()));
        }
        match link.is_finished() {
            Some(Ok(())) => return Poll::Ready(Flushed::Done),
            Some(Err(_)) => return Poll::Ready(Flushed::Failed),
            None => {}
        }
        stalled.as_mut().poll(context).map(|()| Flushed::Stalled)
    })
    .await
}

/// Waits for the peer's end, but not for long; where a grace from outside is what bounds the ending,
/// also until the peer has all that the kernel holds for it, and where that is asked for, for as
/// long again. Who ended it before that, if anyone. A peer that is to be reset is waited for no longer
/// than until it has all.
///
/// A kernel that closes a socket goes on sending what it holds, and tells nobody what became of it:
/// whoever reports what was delivered has to see it acknowledged first.
async fn linger(link: &Link, patience: &Patience) -> Option<CloseReason> {
    let (mut ended, mut to_be_reset) = (false, false);
    let mut pause = patience.linger;
    let mut next_pause = FIRST_LOOK;
    let mut asked_until = None;
    loop {
        let mut timer = pin!(tokio::time::sleep(pause));
        let woken = poll_fn(|context| {
            if let Poll::Ready(Attended::Close(closing)) = link.poll_service(context, false) {
                return Poll::Ready(Some(closing.reason()));
            }
            if !ended && link.poll_discard(context).is_ready() {
                ended = true;
                return Poll::Ready(None);
            }
            if !to_be_reset && link.is_to_be_reset() {
                to_be_reset = true;
                return Poll::Ready(None);
            }
            timer.as_mut().poll(context).map(|()| None)
        });
        let aborted_by = unconstrained(woken).await;
        if link.unacknowledged() == 0 || link.has_failed() || link.note_late_reset() {
            return None;
        }
        let now = Instant::now();
        // `None` is beyond what the clock can say.
        let until = *asked_until.get_or_insert_with(|| now.checked_add(patience.linger));
        let in_time = until.is_none_or(|until| now < until);
        let is_asked_for = patience.acknowledged && in_time;
        if aborted_by.is_some() || !(link.is_left_to_grace() || is_asked_for) {
            return aborted_by;
        }
        // No poller tells of an acknowledgement.
        pause = next_pause;
        next_pause = (next_pause * 2).min(LONGEST_LOOK);
    }
}

#[cfg(test)]
mod tests;
