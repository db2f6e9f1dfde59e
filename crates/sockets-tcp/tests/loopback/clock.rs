//! A clock that only the test moves: however late a loaded machine lets the threads run, no time is
//! over before its time.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// After so long in the world's time a clock is let go of all the same, so that what hangs fails.
const HANG: Duration = Duration::from_mins(1);

/// See [`stop_clock`].
pub(crate) struct StoppedClock {
    _held: Sender<()>,
}

/// Stops the runtime's clock. As long as this is held, it goes on only by `tokio::time::advance`;
/// after that also by itself, up to the next timer, where there is nothing else to do.
pub(crate) fn stop_clock() -> StoppedClock {
    tokio::time::pause();
    let (held, released) = channel::<()>();
    // A paused clock goes on by itself only where no blocking task runs: what all wait for may be on
    // its way through the kernel.
    tokio::task::spawn_blocking(move || released.recv_timeout(HANG));
    StoppedClock { _held: held }
}
