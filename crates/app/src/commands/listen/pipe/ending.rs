//! How a pipe ended: for the events, for the statistics, and for the user.

use std::io;
use std::net::SocketAddr;

use sockets_tcp::{CloseReason, TlsError, TlsFault};

use crate::commands::conversation::losses::Lost;
use crate::commands::conversation::session::GRACE;
use crate::output::Terminal;

/// Why the two directions stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Idle,
    /// The peer sent no first byte.
    Silent,
    /// The grace was over.
    CutOff,
}

/// The end of the command, where its own streams did not fail. A timeout is what the user asked for, and
/// no failure: unless it `is_truncated`, the peer having been reset before the end of the input.
pub(super) fn verdict(
    ended: Ended,
    broken: Option<io::Error>,
    peer: SocketAddr,
    lost: Lost,
    is_truncated: bool,
    terminal: Terminal,
) -> anyhow::Result<()> {
    if let Some(error) = broken {
        let text =
            format!("the connection of {peer} broke: {} bytes of input not sent", lost.unsent);
        return Err(anyhow::Error::new(error).context(text));
    }
    let why = match ended {
        Ended::Done => None,
        Ended::Idle => Some(closed("nothing moved for the idle timeout", is_truncated)),
        Ended::Silent => Some(closed("no first byte came in time", is_truncated)),
        Ended::CutOff => Some(format!("not done {} s after the signal", GRACE.as_secs())),
    };
    match (why, lost.in_words(&peer)) {
        (None, None) => Ok(()),
        (None, Some(lost)) => Err(anyhow::Error::msg(lost)),
        (Some(why), Some(lost)) => Err(anyhow::anyhow!("{why}; {lost}")),
        (Some(why), None) if ended == Ended::CutOff || is_truncated => Err(anyhow::Error::msg(why)),
        (Some(why), None) => {
            terminal.warn(&why);
            Ok(())
        }
    }
}

fn closed(why: &str, is_truncated: bool) -> String {
    if is_truncated {
        format!("{why}: reset, as the input had not ended (</dev/null where there is none)")
    } else {
        format!("{why}: closed")
    }
}

/// What an error of a connection means. Of one with TLS: the peer refused, or TLS broke (bytes that are
/// none of it, or an end that it did not announce), or the connection below.
pub(super) fn of_error(error: &io::Error, is_tls: bool) -> CloseReason {
    if !is_tls {
        return CloseReason::Reset;
    }
    match TlsError::of_io(error).map(TlsError::fault) {
        Some(TlsFault::Alert(alert)) => CloseReason::TlsAlert(alert),
        Some(_) => CloseReason::TlsFailed,
        None if error.kind() == io::ErrorKind::UnexpectedEof => CloseReason::TlsFailed,
        None => CloseReason::Reset,
    }
}

/// The reason as the statistics count it.
pub(super) const fn counted_as(reason: CloseReason) -> stats::CloseReason {
    match reason {
        CloseReason::PeerClosed => stats::CloseReason::PeerClosed,
        CloseReason::Reset => stats::CloseReason::Reset,
        CloseReason::IdleTimeout | CloseReason::FirstByteTimeout => stats::CloseReason::Timeout,
        CloseReason::TlsFailed | CloseReason::TlsAlert(_) => stats::CloseReason::Error,
        CloseReason::Shutdown => stats::CloseReason::Shutdown,
        _ => stats::CloseReason::Local,
    }
}
