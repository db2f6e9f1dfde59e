//! The whole model at virtual time: each behaviour's answer, byte by byte where it matters.

mod behaviour;
mod build;
mod packet;
mod path;

use super::*;
use packet::{shown, syn, udp};

const MS: Duration = Duration::from_millis(1);

fn network(toml: &str) -> Network {
    Network::from_toml(toml).unwrap()
}

/// Every answer, with the milliseconds from `start` to when it was due.
fn answers(network: &mut Network, start: Instant) -> Vec<(u128, String)> {
    let mut answers = Vec::new();
    while let Some(due) = network.poll_timeout() {
        let answer = network.poll_answer(due).unwrap();
        answers.push(((answer.due - start).as_millis(), shown(answer.packet)));
    }
    answers
}

fn asked(network: &mut Network, packet: &[u8]) -> String {
    let now = Instant::now();
    network.packet(now, packet);
    let answers = answers(network, now);
    answers.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("; ")
}
