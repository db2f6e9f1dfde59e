//! Whatever a driver says, and in whatever order: the engine judges each port once, and nothing else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Engine, EngineConfig, EngineEvent, LocalError, Probe, ProbeId, Reply, Silence};
use crate::plan::ScanPlan;
use crate::state::Reason;
use crate::target::AddressSet;

/// Ports of the plan.
const PORTS: u64 = 24;

const REPLIES: [Reply; 10] = [
    Reply::Open,
    Reply::Datagram,
    Reply::Echo,
    Reply::Neighbour,
    Reply::Closed,
    Reply::HostUnreachable,
    Reply::NetworkUnreachable,
    Reply::PortUnreachable,
    Reply::ProtocolUnreachable,
    Reply::AdminProhibited,
];

const ERRORS: [LocalError; 10] = [
    LocalError::Resources,
    LocalError::Buffers,
    LocalError::Refused,
    LocalError::OwnSocket,
    LocalError::NoRoute,
    LocalError::NetworkDown,
    LocalError::NoSourceAddress,
    LocalError::NeighbourUnresolved,
    LocalError::NotPermitted,
    LocalError::InvalidAddress,
];

#[derive(Clone, Debug)]
enum Step {
    /// May lie beyond the plan.
    Work(Range<u64>),
    /// So many milliseconds on, or, where it is negative, back.
    Time(i32),
    Poll,
    /// Of one of the probes so far, whatever became of it.
    Reply(prop::sample::Index, Reply),
    Error(prop::sample::Index, LocalError),
    HoldForNeighbour(prop::sample::Index),
    HoldForRoom(prop::sample::Index),
    Release(prop::sample::Index),
    Depart(prop::sample::Index),
    Host(prop::sample::Index),
    /// The silence means this.
    Timeout(Option<LocalError>),
    Drops,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let of = any::<prop::sample::Index>;
    let reply = || prop::sample::select(REPLIES.to_vec());
    let error = || prop::sample::select(ERRORS.to_vec());
    let step = prop_oneof![
        1 => (0..2 * PORTS, 0..2 * PORTS).prop_map(|(start, end)| Step::Work(start..end)),
        1 => Just(Step::Work(0..u64::MAX)),
        4 => (-50..2_000).prop_map(Step::Time),
        12 => Just(Step::Poll),
        4 => (of(), reply()).prop_map(|(id, reply)| Step::Reply(id, reply)),
        4 => (of(), error()).prop_map(|(id, error)| Step::Error(id, error)),
        2 => of().prop_map(Step::HoldForNeighbour),
        2 => of().prop_map(Step::HoldForRoom),
        2 => of().prop_map(Step::Release),
        2 => of().prop_map(Step::Depart),
        1 => of().prop_map(Step::Host),
        4 => prop::option::of(error()).prop_map(Step::Timeout),
        1 => Just(Step::Drops),
    ];
    prop::collection::vec(step, 0..120)
}

fn config() -> impl Strategy<Value = EngineConfig> {
    let time = || prop::sample::select(vec![0, 1, 100, 900_000, u64::MAX / 1_000]);
    let share = prop::sample::select(vec![-1.0, 0.0, f64::MIN_POSITIVE, 0.5, 1.0, 9.0, f64::NAN]);
    (
        prop::sample::select(vec![0, 1, 3, usize::MAX]),
        time(),
        time(),
        prop::sample::select(vec![None, Some(0), Some(1), Some(u16::MAX)]),
        any::<bool>(),
        prop::sample::select(vec![None, None, Some(0), Some(50), Some(u32::MAX)]),
        share,
    )
        .prop_map(|(max_in_flight, timeout, min, retries, late_answers, rate, share)| {
            EngineConfig {
                max_in_flight,
                timeout: Duration::from_micros(timeout),
                min_timeout: Duration::from_micros(min),
                retries,
                late_answers,
                rate,
                share,
            }
        })
}

fn plan() -> ScanPlan {
    let addresses: AddressSet = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]
        .into_iter()
        .map(AddressSet::from)
        .fold(AddressSet::new(), |all, one| all.union(&one));
    let ports = "1-12".parse().unwrap();
    ScanPlan::new(&addresses, &ports, ports_core::Transport::Tcp, 0).unwrap()
}

/// An engine, and what it was given and has said.
struct Told {
    engine: Engine,
    now: Instant,
    probes: Vec<Probe>,
    given: HashMap<u64, u32>,
    judged: HashMap<u64, u32>,
}

impl Told {
    fn id(&self, of: prop::sample::Index) -> Option<ProbeId> {
        (!self.probes.is_empty()).then(|| of.get(&self.probes).id)
    }

    fn take(&mut self, step: Step) {
        let Self { engine, now, .. } = self;
        match step {
            Step::Work(indices) => {
                for index in indices.clone().take_while(|index| *index < PORTS) {
                    *self.given.entry(index).or_default() += 1;
                }
                engine.add_work(indices);
            }
            Step::Time(by) => {
                let by_time = Duration::from_millis(by.unsigned_abs().into());
                *now =
                    if by < 0 { now.checked_sub(by_time).unwrap_or(*now) } else { *now + by_time };
            }
            Step::Poll => self.probes.extend(engine.poll_probe(*now)),
            Step::Timeout(cause) => engine.handle_silence(*now, |_| match cause {
                Some(error) => Silence::Local(error),
                None => Silence::Remote(Reason::NoResponse),
            }),
            Step::Drops => engine.handle_kernel_drops(),
            Step::Reply(of, reply) => {
                if let Some(id) = self.id(of) {
                    self.engine.handle_reply(self.now, id, reply);
                }
            }
            Step::Error(of, error) => {
                if let Some(id) = self.id(of) {
                    self.engine.handle_local_error(self.now, id, error);
                }
            }
            Step::HoldForNeighbour(of) => {
                if let Some(id) = self.id(of) {
                    self.engine.hold_for_neighbour(self.now, id);
                }
            }
            Step::HoldForRoom(of) => {
                if let Some(id) = self.id(of) {
                    self.engine.hold_for_room(id);
                }
            }
            Step::Release(of) => {
                if let Some(id) = self.id(of) {
                    let _ = self.engine.release(self.now, id);
                }
            }
            Step::Depart(of) => {
                if let Some(id) = self.id(of) {
                    self.engine.note_departed(self.now, id);
                }
            }
            Step::Host(of) => {
                if let Some(id) = self.id(of) {
                    self.engine.note_host(id);
                }
            }
        }
        let _ = (self.engine.poll_timeout(), self.engine.poll_expired());
        while let Some(event) = self.engine.poll_event() {
            if let EngineEvent::Port { index, .. } = event {
                *self.judged.entry(index).or_default() += 1;
            }
        }
        for index in self.engine.take_deferred() {
            *self.judged.entry(index).or_default() += 1;
        }
    }
}

proptest! {
    #[test]
    fn each_port_is_judged_once(config in config(), steps in steps()) {
        let now = Instant::now() + Duration::from_secs(1);
        let mut told = Told {
            engine: Engine::new(now, plan().into(), config),
            now,
            probes: Vec::new(),
            given: HashMap::new(),
            judged: HashMap::new(),
        };
        for step in steps {
            told.take(step);
        }
        for (index, times) in &told.judged {
            prop_assert!(told.given.get(index).is_some_and(|given| times <= given), "{index}");
        }
        let tally = told.engine.tally();
        prop_assert!(tally.probes <= told.judged.values().copied().map(u64::from).sum());
    }
}
