//! Tests of the judge of loss on paths of known capacity and loss.

use std::time::Duration;

use super::*;

const MS: Duration = Duration::from_millis(1);
/// From a probe that is lost to the answer of its successor.
const LEARNED_AFTER: u32 = 110;

/// A path that answers at most `capacity` probes per second and loses `loss` of the rest anyway.
struct Path {
    capacity: f64,
    loss: f64,
}

/// Sends at 50,000/s or the ceiling, from `from` to `to` milliseconds. Returns the last ceiling.
fn run(judge: &mut Congestion, start: Instant, from: u32, to: u32, path: &Path) -> f64 {
    let (mut answers, mut losses, mut probes) = (0.0, 0.0, 0.0);
    let mut lost = std::collections::VecDeque::new();
    for millisecond in from..to {
        let now = start + millisecond * MS;
        let rate = judge.ceiling().unwrap_or(f64::MAX).min(50_000.0) / 1_000.0;
        let through = rate.min(path.capacity / 1_000.0) * (1.0 - path.loss);
        // A loss is learned of where the next probe for the same port gets through.
        let learned = (rate - through) * through / rate;
        (probes, answers, losses) = (probes + rate, answers + through, losses + learned);
        while probes >= 1.0 {
            judge.sent();
            probes -= 1.0;
        }
        while answers >= 1.0 {
            judge.learn(now, Fate { answered: Some(now), lost: None });
            answers -= 1.0;
        }
        lost.push_back((now, losses.floor() as u32));
        losses = losses.fract();
        if let Some((at, count)) = lost.pop_front_if(|(at, _)| *at + LEARNED_AFTER * MS <= now) {
            (0..count).for_each(|_| judge.learn(now, Fate { answered: None, lost: Some(at) }));
        }
        judge.look(now);
    }
    judge.ceiling().unwrap_or(f64::MAX)
}

fn judge() -> (Congestion, Instant) {
    let start = Instant::now();
    (Congestion::new(start, 1.0), start)
}

#[test]
fn loss_that_is_there_anyway_costs_one_trial() {
    let (mut judge, start) = judge();
    let ceiling = run(&mut judge, start, 0, 3_000, &Path { capacity: 1e9, loss: 0.19 });
    assert!(ceiling > 1e9, "{ceiling}");
    assert!((judge.tolerated - 0.19).abs() < 0.03, "{}", judge.tolerated);
}

#[test]
fn a_full_path_is_filled_and_no_more() {
    for (capacity, loss) in [(10_000.0, 0.0), (2_000.0, 0.0), (20_000.0, 0.05)] {
        let (mut judge, start) = judge();
        let ceiling = run(&mut judge, start, 0, 5_000, &Path { capacity, loss });
        assert!((0.5..1.5).contains(&(ceiling / capacity)), "{ceiling} of {capacity}");
    }
}

#[test]
fn a_path_that_gets_wider_is_used() {
    let (mut judge, start) = judge();
    run(&mut judge, start, 0, 3_000, &Path { capacity: 5_000.0, loss: 0.0 });
    let ceiling = run(&mut judge, start, 3_000, 15_000, &Path { capacity: 1e9, loss: 0.0 });
    assert!(ceiling > 40_000.0, "{ceiling}");
}

#[test]
fn silence_and_a_clean_path_set_no_ceiling() {
    for capacity in [0.0, 1e9] {
        let (mut judge, start) = judge();
        let ceiling = run(&mut judge, start, 0, 3_000, &Path { capacity, loss: 0.0 });
        assert!(ceiling > 1e9, "{ceiling}");
    }
}

#[test]
fn an_overrun_cuts_at_once_and_is_forgotten() {
    let (mut judge, start) = judge();
    let clean = Path { capacity: 1e9, loss: 0.0 };
    run(&mut judge, start, 0, 500, &clean);
    (0..10).for_each(|_| judge.overrun());
    let ceiling = judge.ceiling().unwrap();
    assert!((30_000.0..40_000.0).contains(&ceiling), "{ceiling}");
    let later = run(&mut judge, start, 500, 8_000, &clean);
    assert!(later > 50_000.0, "{later}");
}

#[test]
fn attempts_that_run_out_cut_the_pace_to_what_gets_through() {
    let (mut judge, start) = judge();
    // Too few answers for a trial: 10 a second.
    run(&mut judge, start, 0, 2_000, &Path { capacity: 10.0, loss: 0.0 });
    assert_eq!((judge.ceiling(), judge.slowdowns()), (None, 0));
    assert!(judge.slow_down(0.9));
    let ceiling = judge.ceiling().unwrap();
    assert!((4_000.0..6_000.0).contains(&ceiling), "{ceiling} of 50,000");
    assert!(judge.slow_down(0.5), "it helped, and may help more");
    assert!(judge.ceiling().unwrap() <= ceiling / 2.0);
    assert!(!judge.slow_down(0.49), "it did not help");
    assert_eq!(judge.slowdowns(), 2);
}

#[test]
fn the_pace_is_cut_a_few_times_at_most() {
    let (mut judge, start) = judge();
    run(&mut judge, start, 0, 2_000, &Path { capacity: 10.0, loss: 0.0 });
    let cuts = (0..100).take_while(|cut| judge.slow_down(0.99 * 0.89_f64.powi(*cut))).count();
    assert!((2..10).contains(&cuts), "{cuts}");
    assert!((judge.ceiling().unwrap() - LEAST_RATE).abs() < 1.0);
}

#[test]
fn loss_that_a_trial_has_shown_to_be_the_paths_own_is_no_reason_to_be_slow() {
    let (mut judge, start) = judge();
    run(&mut judge, start, 0, 3_000, &Path { capacity: 1e9, loss: 0.36 });
    assert!(!judge.slow_down(0.36));
    assert_eq!((judge.ceiling(), judge.slowdowns()), (None, 0));
}
