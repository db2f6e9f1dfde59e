//! The first part of a connection: its handler runs.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::task::unconstrained;

use super::{Patience, as_it_came};
use crate::handler::HandlerError;
use crate::link::{Attended, Closing, Link};

/// How the first part, while the handler runs, ended.
pub(super) enum Served {
    Returned(Result<(), HandlerError>),
    Panicked(String),
    Idle,
    Silent,
    Closing(Closing),
    Broken,
}

impl Served {
    /// Whether the end is what the handler, or who disconnects the peer, meant it to be.
    pub(super) fn is_proper(&self) -> bool {
        matches!(self, Self::Returned(Ok(())) | Self::Closing(Closing::Finish(_)))
    }
}

/// Polls the handler, then the link, then the clock; drops the handler.
///
/// Only the handler is subject to tokio's budget of operations per turn: one that always has
/// something to read would leave nothing of it for its own link and clock.
pub(super) struct Serving<'a, F> {
    link: &'a Link,
    handler: Pin<&'a mut Option<F>>,
    patience: &'a Patience,
    // In the heap: a connection without such a bound neither holds nor looks at a timer.
    idle: Option<Bound<'a>>,
    silent: Option<Bound<'a>>,
    // Of use to few, and to these once.
    broken: Option<Bound<'a>>,
}

type Bound<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl<'a, F> Serving<'a, F> {
    pub(super) fn new(
        link: &'a Link,
        handler: Pin<&'a mut Option<F>>,
        patience: &'a Patience,
    ) -> Self {
        let idle = patience.idle.map(|timeout| -> Bound<'_> { Box::pin(link.idle(timeout)) });
        let silent =
            patience.first_byte.map(|timeout| -> Bound<'_> { Box::pin(link.silent(timeout)) });
        Self { link, handler, patience, idle, silent, broken: None }
    }
}

impl<F> Serving<'_, F>
where
    F: Future<Output = Result<(), HandlerError>>,
{
    fn poll_served(&mut self, context: &mut Context<'_>) -> Poll<Served> {
        let Self { link, handler, patience, idle, silent, broken } = self;
        let link = *link;
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
        let mut service = pin!(unconstrained(poll_fn(|context| link.poll_service(context, true))));
        match service.as_mut().poll(context) {
            Poll::Ready(Attended::Close(closing)) => {
                return Poll::Ready(Served::Closing(as_it_came(link, closing, false)));
            }
            // What had arrived may still be read, and worked on.
            Poll::Ready(Attended::Broken) if patience.gives_up => {
                let broken = broken.get_or_insert_with(|| Box::pin(link.unread(patience.linger)));
                return poll_unconstrained(broken, context).map(|()| Served::Broken);
            }
            Poll::Ready(Attended::Broken) | Poll::Pending => {}
        }
        if let Some(silent) = silent
            && poll_unconstrained(silent, context).is_ready()
        {
            return Poll::Ready(Served::Silent);
        }
        match idle {
            Some(idle) => poll_unconstrained(idle, context).map(|()| Served::Idle),
            None => Poll::Pending,
        }
    }
}

impl<F> Future for Serving<'_, F>
where
    F: Future<Output = Result<(), HandlerError>>,
{
    type Output = Served;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Served> {
        let served = ready!(self.poll_served(context));
        Poll::Ready(match catch_unwind(AssertUnwindSafe(|| self.handler.set(None))) {
            Ok(()) => served,
            Err(panic) => Served::Panicked(panic_text(panic.as_ref())),
        })
    }
}

fn poll_unconstrained(bound: &mut Bound<'_>, context: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(bound)).poll(context)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}
