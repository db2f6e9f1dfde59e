//! Rounds over a socket whose answers come when the test says. Real ones are in `tests/privileged`.

use std::collections::VecDeque;

use super::*;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// What happens at one call, in order.
#[derive(Debug)]
enum Step {
    /// A request leaves.
    Sent(IpAddr),
    /// A request meets a full queue.
    Full(IpAddr),
    /// A reply to the request with this number comes.
    Reply(IpAddr, u16),
    /// Nothing more comes in this round.
    RoundEnds,
}

struct Script(VecDeque<Step>);

impl Script {
    fn run(steps: impl IntoIterator<Item = Step>, config: &PingConfig) -> Vec<PingResult> {
        let mut script = Self(steps.into_iter().collect());
        let results = ask_all(&mut script, &[A, B], config).unwrap();
        assert!(script.0.is_empty(), "left: {:?}", script.0);
        results
    }
}

impl Echo for Script {
    fn send(&mut self, host: IpAddr, _: u32, _: u16) -> Result<(), EchoSendError> {
        match self.0.pop_front() {
            Some(Step::Sent(expected)) if expected == host => Ok(()),
            Some(Step::Full(expected)) if expected == host => {
                let source = io::Error::from(rustix::io::Errno::NOBUFS);
                Err(EchoSendError::Send { host, source })
            }
            other => panic!("asked {host} instead of {other:?}"),
        }
    }

    fn receive(&mut self, _: Duration) -> Result<Option<EchoEvent>, EchoReceiveError> {
        match self.0.pop_front_if(|step| matches!(step, Step::Reply(..) | Step::RoundEnds)) {
            Some(Step::Reply(host, sequence)) => Ok(Some(EchoEvent {
                about: host,
                from: host,
                sequence,
                at: Instant::now(),
                answer: EchoAnswer::Reply,
            })),
            _ => Ok(None),
        }
    }
}

/// Requests without a pause between them.
fn config() -> PingConfig {
    PingConfig::new().rate(u32::MAX)
}

fn sent_and_up(results: &[PingResult]) -> Vec<(u16, bool)> {
    results.iter().map(|result| (result.sent, result.is_up())).collect()
}

#[test]
fn an_answer_just_before_the_next_request_is_kept() {
    use Step::{Reply, RoundEnds, Sent};
    let steps = [Sent(A), Sent(B), RoundEnds, Reply(A, 0), Sent(B), Reply(B, 1)];
    let results = Script::run(steps, &config());
    assert_eq!(sent_and_up(&results), [(1, true), (2, true)]);
}

#[test]
fn an_answer_while_the_queue_is_full_is_kept() {
    use Step::{Full, Reply, RoundEnds, Sent};
    let steps = [Sent(A), Sent(B), RoundEnds, Full(A), Reply(A, 0), Sent(B), Reply(B, 0)];
    let results = Script::run(steps, &config());
    assert_eq!(sent_and_up(&results), [(1, true), (2, true)]);
}

#[test]
fn a_wait_without_end_ends_with_the_last_answer() {
    use Step::{Reply, Sent};
    let steps = [Sent(A), Sent(B), Reply(A, 0), Reply(B, 0)];
    let config = config().timeout(Duration::MAX).deadline(Duration::MAX);
    assert_eq!(sent_and_up(&Script::run(steps, &config)), [(1, true), (1, true)]);
}

#[test]
fn a_refused_request_undoes_nothing() {
    let mut host = Host { address: A, sent: Vec::new(), outcome: PingOutcome::NotAsked };
    let refused = PingOutcome::NotSent { error: io::ErrorKind::NetworkUnreachable };
    host.note_refused(io::ErrorKind::NetworkUnreachable);
    assert_eq!(host.outcome, refused);
    host.note_sent(Instant::now());
    host.note_refused(io::ErrorKind::NetworkUnreachable);
    assert_eq!(host.outcome, PingOutcome::Silent);
    let unresolved = PingOutcome::Unresolved;
    host.outcome = unresolved;
    host.note_sent(Instant::now());
    host.note_refused(io::ErrorKind::NetworkUnreachable);
    assert_eq!(host.outcome, unresolved);
}
