//! One connection from its first byte to its end: the handler, the flushing, and the way out.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::Instant;

use crate::close_reason::CloseReason;
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::{Closing, Link, Traffic};

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
    /// How long the last bytes may stand still, and how long to wait for the peer's end.
    pub(crate) linger: Duration,
    /// Whether what was sent last has to be acknowledged, too, within the same time again.
    pub(crate) acknowledged: bool,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: CloseReason,
    /// It was ended from outside before it was done.
    pub(crate) aborted: bool,
    pub(crate) traffic: Traffic,
    /// Bytes that the kernel held at the end, and the peer had not acknowledged.
    pub(crate) unacknowledged: usize,
}

impl Ended {
    /// Bytes accepted for sending that the kernel did not take before the end.
    pub(crate) fn unsent(&self) -> usize {
        self.traffic.lost.bytes
    }
}

/// How the first part, while the handler runs, ended.
enum Served {
    Returned(Result<(), HandlerError>),
    Panicked(String),
    Idle,
    Silent,
    Closing(Closing),
}

/// Runs `handler` and the flushing of `link` in this one task until the connection is over.
///
/// The handler is dropped as soon as it is done with. It is pinned by the caller: passed on by
/// value, it would have a place of its own in the future of each function on the way.
pub(crate) async fn drive<F>(link: &Link, handler: Pin<&mut Option<F>>, patience: Patience) -> Ended
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let (mut reason, mut aborted) = match serve(link, handler, patience).await {
        Served::Returned(Ok(())) => (reason_of_return(link), false),
        Served::Returned(Err(error)) => (reason_of_error(link, &error), false),
        Served::Panicked(text) => {
            link.observer.failed(Failure::new(Operation::Handler, text));
            (CloseReason::HandlerPanicked, false)
        }
        Served::Idle => (CloseReason::IdleTimeout, true),
        Served::Silent => (CloseReason::FirstByteTimeout, true),
        Served::Closing(Closing::Finish(reason)) => (reason, false),
        Served::Closing(Closing::Abort(reason)) => (reason, true),
    };
    if !aborted {
        // In the heap, as they come once: their timers would make every connection's task larger.
        match Box::pin(flush(link, patience.linger)).await {
            Flushed::Done => {
                if let Some(by) = Box::pin(linger(link, patience)).await {
                    (reason, aborted) = (by, true);
                }
            }
            Flushed::Failed => {}
            Flushed::Stalled => (reason, aborted) = (CloseReason::SlowPeer, true),
            Flushed::Aborted(by) => (reason, aborted) = (by, true),
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
    Ended { reason, aborted, traffic: link.traffic(), unacknowledged }
}

/// Polls the handler, then the link, then the clock; drops the handler.
///
/// Only the handler is subject to tokio's budget of operations per turn: one that always has
/// something to read would leave nothing of it for its own link and clock.
async fn serve<F>(link: &Link, mut handler: Pin<&mut Option<F>>, patience: Patience) -> Served
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let mut service = pin!(unconstrained(poll_fn(|context| link.poll_service(context, true))));
    // In the heap: a connection without such a bound neither holds nor looks at a timer.
    let mut idle = patience.idle.map(|timeout| Box::pin(unconstrained(link.idle(timeout))));
    let mut silent =
        patience.first_byte.map(|timeout| Box::pin(unconstrained(link.silent(timeout))));
    let served = poll_fn(|context| {
        // The handler is not polled again after a panic, so nothing sees its broken state.
        let polled = catch_unwind(AssertUnwindSafe(|| match handler.as_mut().as_pin_mut() {
            Some(handler) => handler.poll(context),
            None => Poll::Pending,
        }));
        match polled {
            Err(panic) => return Poll::Ready(Served::Panicked(panic_text(panic.as_ref()))),
            // A connection that is being closed fails its handler's writes; that is no failure of
            // the handler's.
            Ok(Poll::Ready(result)) => {
                let closing = link.closing().map(|it| as_it_came(link, it, result.is_ok()));
                return Poll::Ready(closing.map_or(Served::Returned(result), Served::Closing));
            }
            Ok(Poll::Pending) => {}
        }
        if let Poll::Ready(closing) = service.as_mut().poll(context) {
            return Poll::Ready(Served::Closing(as_it_came(link, closing, false)));
        }
        if silent.as_mut().is_some_and(|silent| silent.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Served::Silent);
        }
        match &mut idle {
            Some(idle) => idle.as_mut().poll(context).map(|()| Served::Idle),
            None => Poll::Pending,
        }
    })
    .await;
    match catch_unwind(AssertUnwindSafe(|| handler.set(None))) {
        Ok(()) => served,
        Err(panic) => Served::Panicked(panic_text(panic.as_ref())),
    }
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
    link.observer.failed(Failure::new(Operation::Handler, error.to_string()));
    CloseReason::HandlerFailed
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}

enum Flushed {
    Done,
    Failed,
    Stalled,
    Aborted(CloseReason),
}

/// Sends what is queued, then the end of the stream. A peer that takes nothing for `patience` has
/// stalled, unless a grace from outside is what bounds it.
async fn flush(link: &Link, patience: Duration) -> Flushed {
    link.end_service();
    let mut service = pin!(unconstrained(poll_fn(|context| link.poll_service(context, false))));
    let mut stalled = pin!(unconstrained(async {
        loop {
            link.stalled(patience).await;
            if !link.is_left_to_grace() {
                return;
            }
        }
    }));
    poll_fn(|context| {
        if let Poll::Ready(closing) = service.as_mut().poll(context) {
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
/// long again. Who ended it before that, if anyone.
///
/// A kernel that closes a socket goes on sending what it holds, and tells nobody what became of it:
/// whoever reports what was delivered has to see it acknowledged first.
async fn linger(link: &Link, patience: Patience) -> Option<CloseReason> {
    let mut ended = false;
    let mut pause = patience.linger;
    let mut next_pause = FIRST_LOOK;
    let mut deadline = None;
    loop {
        let mut timer = pin!(tokio::time::sleep(pause));
        let woken = poll_fn(|context| {
            if let Poll::Ready(closing) = link.poll_service(context, false) {
                return Poll::Ready(Some(closing.reason()));
            }
            if !ended && link.poll_discard(context).is_ready() {
                ended = true;
                return Poll::Ready(None);
            }
            timer.as_mut().poll(context).map(|()| None)
        });
        let aborted_by = unconstrained(woken).await;
        if link.unacknowledged() == 0 || link.has_failed() || link.note_late_reset() {
            return None;
        }
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience.linger);
        let is_asked_for = patience.acknowledged && Instant::now() < deadline;
        if aborted_by.is_some() || !(link.is_left_to_grace() || is_asked_for) {
            return aborted_by;
        }
        // No poller tells of an acknowledgement.
        pause = next_pause;
        next_pause = (next_pause * 2).min(LONGEST_LOOK);
    }
}
