//! The groups of the bench: what each scans, who takes part, what must be reached.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::bar::Bar;
use super::contender::{Contender, LineUp};
use super::link::{Link, Scene};
use super::measure::Meter;
use super::plan::Plan;
use super::programs::{
    BARE, Job, MASSCAN, NMAP_CONNECT, NMAP_SYN, NMAP_SYN_FAST, OURS_AUTO, OURS_CONNECT, OURS_SYN,
    Programs, ZMAP,
};
use super::report::{Report, Setting};
use super::rounds::measure_rounds;
use super::world::World;

const ROUNDS: u32 = 5;
/// Where answers are lost, one run proves little.
const LOSS_ROUNDS: u32 = 20;
/// In those, for who is not judged.
const PEER_ROUNDS: u32 = 3;
/// masscan's ceiling over the link, in probes per second, as in the baselines.
const MASSCAN_RATE: u32 = 50_000;
const LOOPBACK_OPEN: u32 = 12;
const LINK_OPEN: u32 = 200;
const SILENT_OPEN: u32 = 20;
/// A /16 is 65,536 hosts.
const CROWD_PREFIX: u8 = 16;
const QUICK_CROWD_PREFIX: u8 = 20;

/// A group of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// One host, loopback, by the kernel's own handshake
    LoopbackConnect,
    /// One host, loopback, by SYN
    LoopbackSyn,
    /// One host over a veth pair
    Veth,
    /// The same with 5 % loss each way
    #[value(name = "veth-loss-5")]
    VethLoss5,
    /// The same with 10 % loss each way
    #[value(name = "veth-loss-10")]
    VethLoss10,
    /// One host over a veth pair that says nothing on ports that are not open
    VethSilent,
    /// 65,536 hosts, one port
    Hosts,
    /// Recall against rate, drawn as docs/recall.svg
    Curve,
    /// The sockets of this machine, beside ss and lsof
    Sockets,
}

/// One group's choices.
struct Contest {
    champion: &'static str,
    reference: &'static str,
    rounds: u32,
    /// Whether nothing is lost on the way.
    exact: bool,
    bars: Vec<Bar>,
    line_up: LineUp,
}

impl Group {
    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        // No variant is skipped.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Why it cannot run here, where it cannot.
    pub(super) fn obstacle(self, is_root: bool) -> Option<&'static str> {
        if self != Self::LoopbackConnect && !is_root {
            return Some("needs root");
        }
        let needs_linux = !matches!(self, Self::LoopbackConnect | Self::LoopbackSyn);
        (needs_linux && !cfg!(target_os = "linux")).then_some("needs Linux")
    }

    /// What is on the far side of the link; `None` on loopback.
    fn scene(self, plan: Plan) -> Option<Scene> {
        let one_host = Scene::one_host(plan.ports(), LINK_OPEN);
        match self {
            Self::LoopbackConnect | Self::LoopbackSyn | Self::Sockets => None,
            Self::Veth => Some(one_host),
            Self::VethLoss5 => Some(one_host.losing(5)),
            Self::VethLoss10 => Some(one_host.losing(10)),
            Self::VethSilent => Some(Scene::one_host(plan.ports(), SILENT_OPEN).silent()),
            Self::Hosts | Self::Curve => {
                Some(Scene::crowd(if plan.quick { QUICK_CROWD_PREFIX } else { CROWD_PREFIX }))
            }
        }
    }

    /// Measures it.
    ///
    /// # Errors
    ///
    /// Where the sockets or the namespaces cannot be made.
    pub(super) fn measure(self, plan: Plan, programs: &Programs, meter: &Meter) -> Result<Report> {
        let world = match self.scene(plan) {
            None => World::loopback(plan.ports(), LOOPBACK_OPEN)?,
            Some(scene) => World::Link(Box::new(Link::new(&programs.xtask, scene)?)),
        };
        let contest = self.contest(plan, programs, &world.job(None));
        let rounds = plan.rounds(contest.rounds);
        println!("\n{}: {}, {rounds} rounds", self.name(), world.describe());
        let series = measure_rounds(rounds, &contest.line_up.present, &world, meter);
        let setting = Setting {
            group: self.name(),
            unix_time: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .context("the clock is before 1970")?
                .as_secs(),
            scene: world.describe(),
            quick: plan.quick,
            open: world.open().len(),
            rounds,
            reference: contest.reference,
            champion: contest.champion,
            exact: contest.exact,
        };
        Ok(Report::new(setting, contest.line_up, &series, &contest.bars))
    }

    fn contest(self, plan: Plan, programs: &Programs, job: &Job<'_>) -> Contest {
        let syn_or = |other| if programs.has_syn { OURS_SYN } else { other };
        let mut contest = Contest {
            champion: syn_or(OURS_CONNECT),
            reference: NMAP_SYN_FAST,
            rounds: ROUNDS,
            exact: true,
            bars: Vec::new(),
            line_up: LineUp::default(),
        };
        match self {
            Self::LoopbackConnect => {
                (contest.champion, contest.reference) = (OURS_CONNECT, BARE);
                contest.connect_on_loopback(programs, job);
            }
            Self::LoopbackSyn => {
                (contest.champion, contest.reference) = (syn_or(OURS_AUTO), NMAP_SYN);
                contest.syn_on_loopback(programs, job);
            }
            Self::Veth => contest.one_host(programs, job),
            Self::VethLoss5 | Self::VethLoss10 | Self::VethSilent => {
                contest.one_difficult_host(self, plan, programs, job);
            }
            Self::Hosts | Self::Curve | Self::Sockets => {
                contest.reference = ZMAP;
                contest.many_hosts(programs, job);
            }
        }
        contest
    }
}

impl Contest {
    fn connect_on_loopback(&mut self, programs: &Programs, job: &Job<'_>) {
        self.line_up.add(programs.ours(OURS_CONNECT, job));
        self.line_up.add(Ok(programs.bare(job)));
        self.line_up.add(programs.nmap(NMAP_CONNECT, job));
        self.line_up.add(programs.nmap(NMAP_SYN, job));
        self.line_up.add(Programs::rustscan(job));
        self.line_up.add(Programs::masscan(job));
        let row = self.champion;
        self.bars = vec![
            Bar::Time { row, peer: BARE, at_most: 1.25 },
            Bar::Time { row, peer: NMAP_CONNECT, at_most: 0.5 },
            Bar::Memory { row, at_most: 32.0 },
        ];
    }

    fn syn_on_loopback(&mut self, programs: &Programs, job: &Job<'_>) {
        self.line_up.add(programs.ours(OURS_SYN, job));
        self.line_up.add(programs.ours(OURS_AUTO, job));
        self.line_up.add(programs.nmap(NMAP_SYN, job));
        self.bars = vec![Bar::Time { row: self.champion, peer: NMAP_SYN, at_most: 0.5 }];
    }

    fn one_host(&mut self, programs: &Programs, job: &Job<'_>) {
        self.line_up.add(programs.ours(OURS_SYN, job));
        self.line_up.add(programs.ours(OURS_CONNECT, job));
        self.line_up.add(programs.nmap(NMAP_SYN_FAST, job));
        // From run to run it takes longer, up to minutes.
        let masscan = Programs::masscan(&at_masscan_rate(job));
        self.line_up.add(masscan.map(|one| one.at_most(PEER_ROUNDS)));
        self.line_up.add(Programs::rustscan(job));
        let row = self.champion;
        self.bars = vec![
            Bar::Time { row, peer: NMAP_SYN_FAST, at_most: 0.5 },
            Bar::Complete { row, runs: 1, seconds: None },
        ];
    }

    /// Loss or silence: some peers take minutes there.
    fn one_difficult_host(&mut self, group: Group, plan: Plan, programs: &Programs, job: &Job<'_>) {
        let few =
            |contender: Result<Contender, String>| contender.map(|one| one.at_most(PEER_ROUNDS));
        self.line_up.add(programs.ours(OURS_SYN, job));
        let connect = programs.ours(OURS_CONNECT, job);
        self.line_up.add(if programs.has_syn { few(connect) } else { connect });
        self.line_up.add_slow(plan.quick, programs.nmap(NMAP_SYN_FAST, job));
        self.line_up.add(few(Programs::masscan(&at_masscan_rate(job))));
        self.line_up.add_slow(plan.quick, Programs::rustscan(job));
        let row = self.champion;
        let bar = match group {
            Group::VethLoss5 => Bar::Complete { row, runs: 20, seconds: Some(5.0) },
            Group::VethLoss10 => Bar::Average { row, at_least: 199.0, seconds: 10.0 },
            _ => Bar::Complete { row, runs: 1, seconds: Some(6.0) },
        };
        self.bars = vec![bar];
        let loses = group != Group::VethSilent;
        self.exact = !loses;
        self.rounds = if loses { LOSS_ROUNDS } else { ROUNDS };
    }

    fn many_hosts(&mut self, programs: &Programs, job: &Job<'_>) {
        self.line_up.add(programs.ours(OURS_SYN, job));
        self.line_up.add(programs.ours(OURS_CONNECT, job));
        self.line_up.add(programs.zmap(job));
        self.line_up.add(Programs::masscan(job));
        self.line_up.add(programs.nmap(NMAP_SYN_FAST, job));
        let row = self.champion;
        self.bars = vec![
            Bar::Found { row, at_least: 65_530 },
            Bar::Rate { row, peer: ZMAP, at_least: 1.3 },
            Bar::Rate { row, peer: MASSCAN, at_least: 1.0 },
        ];
        // At such rates a queue may overflow; the bar says how often it may.
        self.exact = false;
    }
}

fn at_masscan_rate<'a>(job: &Job<'a>) -> Job<'a> {
    Job { targets: job.targets.clone(), rate: Some(MASSCAN_RATE), ..*job }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_only_the_connect_scan_of_loopback_is_measured() {
        for &group in Group::value_variants() {
            let expected = (group != Group::LoopbackConnect).then_some("needs root");
            assert_eq!(group.obstacle(false), expected, "{}", group.name());
        }
    }

    #[test]
    fn a_quick_run_keeps_the_loss_and_has_less_to_ask() {
        let scene = |group: Group, quick| group.scene(Plan::new(None, quick)).unwrap();
        let (full, quick) = (scene(Group::VethLoss5, false), scene(Group::VethLoss5, true));
        assert_eq!((full.asked(), full.loss_percent), (65_535, 5));
        assert_eq!((quick.asked(), quick.loss_percent), (8_192, 5));
        assert_eq!(scene(Group::Hosts, false).asked(), 65_536);
        assert_eq!(scene(Group::Hosts, true).asked(), 4_096);
    }
}
