//! One connection from its first byte to its end: the handler, the flushing, and the way out.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::{Closing, Link, Traffic};

/// The times that bound a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long nothing may move while the handler runs.
    pub(crate) idle: Option<Duration>,
    /// How long the last bytes may stand still, and how long to wait for the peer's end.
    pub(crate) linger: Duration,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: CloseReason,
    /// It was ended from outside before it was done.
    pub(crate) aborted: bool,
    /// Bytes accepted for sending that the kernel did not take before the end.
    pub(crate) unsent: usize,
    pub(crate) traffic: Traffic,
}

/// How the first part, while the handler runs, ended.
enum Served {
    Returned(Result<(), HandlerError>),
    Panicked(String),
    Idle,
    Closing(Closing),
}

/// Runs `handler` and the flushing of `link` in this one task until the connection is over.
pub(crate) async fn drive<F>(link: &Link, handler: F, patience: Patience) -> Ended
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let (served, lost_before) = serve(link, handler, patience.idle).await;
    let (mut reason, mut aborted) = match served {
        Served::Returned(Ok(())) => (reason_of_return(link), false),
        Served::Returned(Err(error)) => (reason_of_error(link, &error), false),
        Served::Panicked(text) => {
            link.observer.failed(Failure::new(Operation::Handler, text));
            (CloseReason::HandlerPanicked, false)
        }
        Served::Idle => (CloseReason::IdleTimeout, true),
        Served::Closing(Closing::Finish(reason)) => (reason, false),
        Served::Closing(Closing::Abort(reason)) => (reason, true),
    };
    if !aborted {
        match flush(link, patience.linger).await {
            Flushed::Done => linger(link, patience.linger).await,
            Flushed::Failed => {}
            Flushed::Stalled => (reason, aborted) = (CloseReason::SlowPeer, true),
            Flushed::Aborted(by) => (reason, aborted) = (by, true),
        }
    }
    link.bury();
    let traffic = link.traffic();
    Ended { reason, aborted, unsent: traffic.lost.bytes - lost_before, traffic }
}

/// Polls the handler, then the link, then the clock. Returns the end, and how many bytes were lost
/// before it; the handler is dropped by then, and what it had not written is lost after it.
async fn serve<F>(link: &Link, handler: F, idle: Option<Duration>) -> (Served, usize)
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let mut handler = pin!(handler);
    let mut idle = pin!(async {
        match idle {
            Some(timeout) => link.idle(timeout).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|context| {
        // The handler is not polled again after a panic, so nothing sees its broken state.
        let served = match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Err(panic) => Served::Panicked(panic_text(panic.as_ref())),
            Ok(Poll::Ready(result)) => Served::Returned(result),
            Ok(Poll::Pending) => match link.poll_service(context, true) {
                Poll::Ready(closing) => Served::Closing(closing),
                Poll::Pending => match idle.as_mut().poll(context) {
                    Poll::Ready(()) => Served::Idle,
                    Poll::Pending => return Poll::Pending,
                },
            },
        };
        Poll::Ready((served, link.traffic().lost.bytes))
    })
    .await
}

fn reason_of_return(link: &Link) -> CloseReason {
    if link.read_failure().is_some() || link.write_failure().is_some() {
        CloseReason::Reset
    } else if link.peer_ended() {
        CloseReason::PeerClosed
    } else if link.is_draining() {
        CloseReason::Shutdown
    } else {
        CloseReason::Local
    }
}

fn reason_of_error(link: &Link, error: &HandlerError) -> CloseReason {
    if link.read_failure().is_some() || link.write_failure().is_some() {
        return CloseReason::Reset;
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
/// stalled.
async fn flush(link: &Link, patience: Duration) -> Flushed {
    link.begin_finish();
    let mut before = link.traffic().bytes_out;
    loop {
        let mut timer = pin!(tokio::time::sleep(patience));
        let flushed = poll_fn(|context| {
            if let Poll::Ready(closing) = link.poll_service(context, false) {
                return Poll::Ready(Flushed::Aborted(closing.reason()));
            }
            match link.is_finished() {
                Some(Ok(())) => return Poll::Ready(Flushed::Done),
                Some(Err(_)) => return Poll::Ready(Flushed::Failed),
                None => {}
            }
            timer.as_mut().poll(context).map(|()| Flushed::Stalled)
        })
        .await;
        let now = link.traffic().bytes_out;
        if matches!(flushed, Flushed::Stalled) && now > before {
            before = now;
            continue;
        }
        return flushed;
    }
}

/// Waits for the peer's end, but not for long.
async fn linger(link: &Link, patience: Duration) {
    let mut timer = pin!(tokio::time::sleep(patience));
    poll_fn(|context| {
        if link.poll_service(context, false).is_ready() || link.poll_discard(context).is_ready() {
            return Poll::Ready(());
        }
        timer.as_mut().poll(context)
    })
    .await;
}
