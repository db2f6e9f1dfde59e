//! How a TCP conversation went, in one sentence: what broke, what was lost, what to do.

use std::time::Duration;

use ports_core::Endpoint;
use sockets_tcp::{CloseReason, TlsFault};

use super::teller::{GaveUp, Told};
use crate::commands::conversation::losses::Lost;
use crate::commands::tls::{End, advice};
use crate::output::Terminal;

/// The end of the command: `result` where that is a failure of this end, else what was told.
pub(super) fn of(
    result: anyhow::Result<()>,
    lost: Lost,
    told: Told,
    endpoint: &Endpoint,
    terminal: Terminal,
) -> anyhow::Result<()> {
    let lost = lost.in_words(endpoint);
    if let Err(error) = result {
        if let Some(lost) = lost {
            terminal.warn(&lost);
        }
        return Err(error);
    }
    let why = match told.gave_up {
        Some(gave_up) => Some(gave_up_in_words(endpoint, &gave_up)),
        None => told.reason.and_then(|reason| broken_in_words(endpoint, reason)),
    };
    match (why, lost) {
        (None, None) => Ok(()),
        (Some(text), None) | (None, Some(text)) => Err(anyhow::anyhow!(text)),
        (Some(why), Some(lost)) => Err(anyhow::anyhow!("{why}; {lost}")),
    }
}

/// How the connection broke; `None` where it came to its end.
fn broken_in_words(endpoint: &Endpoint, reason: CloseReason) -> Option<String> {
    let incomplete = "what it carried may be incomplete";
    Some(match reason {
        CloseReason::Reset => format!("the connection to {endpoint} was reset: {incomplete}"),
        CloseReason::TlsFailed => format!(
            "the connection to {endpoint} broke off without the end that TLS has: {incomplete}"
        ),
        CloseReason::TlsAlert(alert) => {
            let text = format!("{endpoint} ended the TLS session: {alert}");
            with_advice(text, Some(TlsFault::Alert(alert)))
        }
        _ => return None,
    })
}

fn gave_up_in_words(endpoint: &Endpoint, gave_up: &GaveUp) -> String {
    let GaveUp { attempts, lasted, permanent, failure } = gave_up;
    let lasted = humantime::format_duration(Duration::from_millis(lasted.as_millis() as u64));
    let tries = match attempts {
        0 => "at the first try".to_owned(),
        1 => format!("after one more try, in {lasted}"),
        tries => format!("after {tries} more tries, in {lasted}"),
    };
    let as_vain = if *permanent { ", as another one would fail in the same way" } else { "" };
    let text = format!("gave up connecting to {endpoint} {tries}{as_vain}: {}", failure.text());
    with_advice(text, failure.tls())
}

fn with_advice(text: String, fault: Option<TlsFault>) -> String {
    match fault.and_then(|fault| advice(fault, End::Client)) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}
