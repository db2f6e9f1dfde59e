//! What serves a connection: the trait, and handlers made of closures.

mod discard;
mod echo;
mod relay;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::connection::Connection;

pub use discard::Discard;
pub use echo::Echo;
pub use relay::Relay;

/// Serves the connections of a server, each in a task of its own.
///
/// When the future ends, what it wrote is flushed and the stream is ended. An error or a panic
/// ends its own connection only, and is told by an event. The future may be dropped at any
/// `await`: by `disconnect`, the idle timeout, a slow peer, or the end of a shutdown's grace.
///
/// Where it fails or is dropped, but by `disconnect`, its client sees a reset, so that it does not
/// take for whole what it got; see
/// [`reset_unfinished`](crate::TcpServerBuilder::reset_unfinished). A handler that fails and has
/// said so to its client calls [`finish`](Connection::finish) first.
///
/// Where the connection fails, the handler is told by its next read or write, or where it waits for
/// something else by [`Connection::closed`]. What had arrived before can still be read. It is
/// dropped once it has read nothing for as long as the server
/// [lingers](crate::TcpServerBuilder::linger): a connection that is gone keeps no place for good.
pub trait Handler: Send + Sync + 'static {
    /// Serves one connection.
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// One that others have, too.
impl<H: Handler> Handler for Arc<H> {
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        (**self).handle(connection)
    }
}

/// A handler made of a function or closure.
pub fn handler_fn<F, R>(function: F) -> HandlerFn<F>
where
    F: Fn(Connection) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HandlerError>> + Send,
{
    HandlerFn(function)
}

/// See [`handler_fn`].
#[derive(Clone, Copy, Debug)]
pub struct HandlerFn<F>(F);

impl<F, R> Handler for HandlerFn<F>
where
    F: Fn(Connection) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HandlerError>> + Send,
{
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        (self.0)(connection)
    }
}

/// Whatever went wrong in a handler. Any error becomes one by `?`, also one of `anyhow`; so does a
/// text by `into`:
///
/// ```
/// use sockets_tcp::HandlerError;
///
/// fn command(line: &str) -> Result<u16, HandlerError> {
///     let Some(port) = line.strip_prefix("PORT ") else {
///         return Err("no such command".into());
///     };
///     Ok(port.parse()?)
/// }
/// assert_eq!(command("QUIT").unwrap_err().to_string(), "no such command");
/// ```
///
/// It is no [`Error`] itself, so that it can be made of every error; [`source`](Self::source) is.
/// [`ServerEvent::Error`](crate::ServerEvent::Error) tells it with all of its causes.
#[derive(Debug)]
pub struct HandlerError(Box<dyn Error + Send + Sync>);

impl HandlerError {
    /// The error that it was made of.
    pub fn source(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_ref()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
