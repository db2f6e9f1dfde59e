//! Who holds ports, and who is not to be ended without being told.

use std::collections::BTreeMap;
use std::fmt;

use ports_core::{Port, Transport};
use stats::system::{NoProcess, ProcessDetails, UserNames};

use super::family::Family;
use super::sockets;
use crate::args::HeldPort;
use crate::commands::keeper::Keeper;
use crate::output::printed;

/// The name of systemd's processes, which listen for socket units.
const MANAGER: &str = "systemd";

/// A process that holds one of the ports, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) pid: u32,
    /// With the pid it names one process.
    pub(super) start_ticks: u64,
    pub(super) name: String,
    /// Its name, or its number where it has none.
    pub(super) user: Option<String>,
    /// The same in a sentence.
    whose: Option<String>,
    pub(super) command: Vec<String>,
    /// Its sockets at the ports: `tcp 127.0.0.1:80`.
    pub(super) sockets: Vec<String>,
    /// Where these are.
    places: Vec<Place>,
    parent: Option<String>,
    workload: Option<String>,
    /// What may start it again, or has made its sockets.
    keepers: Vec<Keeper>,
    is_supervised: bool,
    spared: Option<String>,
}

impl Target {
    fn new(name: &str, details: &ProcessDetails, users: &UserNames, family: &Family) -> Self {
        let uid = details.uid.map(|uid| uid.to_string());
        let parent = details.parents.first();
        Self {
            pid: details.pid,
            start_ticks: details.start_ticks,
            name: name.to_owned(),
            user: details.user.clone().or(uid),
            whose: details.uid.map(|uid| users.in_words(uid)),
            command: details.command.clone(),
            sockets: Vec::new(),
            places: Vec::new(),
            parent: parent.map(|parent| format!("{} {}", printed(&parent.name), parent.pid)),
            workload: details.workload().map(|workload| workload.to_string()),
            keepers: family.keepers(details.cgroup.as_deref()),
            is_supervised: family.is_supervised(details),
            spared: family.why(details.pid).map(str::to_owned),
        }
    }

    pub(super) const fn is_spared(&self, force: bool) -> bool {
        self.spared.is_some() && !force
    }

    pub(super) fn why_spared(&self) -> Option<&str> {
        self.spared.as_deref()
    }

    /// Whether it holds this port.
    pub(super) fn is_at(&self, port: HeldPort) -> bool {
        self.places.iter().any(|place| place.is_of(port))
    }

    /// Those of the ports that it holds, said.
    pub(super) fn at(&self, ports: &[HeldPort]) -> String {
        let mut held = ports.to_vec();
        held.retain(|port| self.is_at(*port));
        HeldPort::in_words(&held)
    }

    /// Takes in a socket that it waits with.
    fn add(&mut self, (name, place): (&str, Place), cgroup: Option<&str>, family: &Family) {
        if !self.places.contains(&place) {
            self.places.push(place);
        }
        if !self.sockets.iter().any(|known| known == name) {
            self.sockets.push(name.to_owned());
        }
        for keeper in family.keepers(cgroup) {
            // It waits for the first client, to start a service then; it is no service itself.
            if self.name == MANAGER && keeper.is_socket_unit() {
                self.spared = Some(format!("what waits there for {keeper}"));
            }
            if !self.keepers.contains(&keeper) {
                self.keepers.push(keeper);
            }
        }
    }

    /// What may start it again, or has made its sockets.
    pub(super) fn keepers(&self) -> &[Keeper] {
        &self.keepers
    }

    /// Whether there is somebody who may start it again by himself.
    pub(super) const fn is_supervised(&self) -> bool {
        self.is_supervised
    }

    /// Who started it, and may start it again.
    pub(super) fn supervisor(&self) -> Option<&str> {
        self.workload.as_deref().or(self.parent.as_deref())
    }
}

/// `python3 (process 41873) of alice`, fit for a terminal.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printed(&self.name);
        write!(f, "{name} (process {})", self.pid)?;
        match &self.whose {
            Some(user) => write!(f, " of {user}"),
            None => Ok(()),
        }
    }
}

/// A port of one transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    port: Port,
    transport: Transport,
}

impl Place {
    fn is_of(self, port: HeldPort) -> bool {
        port.is_at(self.port, self.transport)
    }
}

/// Who holds some ports.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// By pid.
    pub(super) targets: Vec<Target>,
    unseen: Vec<Unseen>,
}

/// A socket without a process that can be seen.
#[derive(Debug)]
struct Unseen {
    name: String,
    place: Place,
    why: NoProcess,
}

impl Holders {
    /// Those that wait at the ports; not those that have a connection there.
    pub(super) fn of(ports: &[HeldPort]) -> anyhow::Result<Self> {
        let users = UserNames::read();
        let family = Family::own(&users)?;
        let mut targets: BTreeMap<u32, Target> = BTreeMap::new();
        let mut unseen = Vec::new();
        let each = |asked: &HeldPort| {
            let port = asked.port;
            asked.transports().iter().map(move |transport| Place { port, transport: *transport })
        };
        for place in ports.iter().flat_map(each) {
            let who = sockets().who(place.transport, place.port)?;
            for socket in who.holders() {
                let name = format!("{} {}", socket.protocol(), socket.local());
                if let Some(why) = socket.no_process() {
                    unseen.push(Unseen { name, place, why });
                    continue;
                }
                for holding in socket.holdings() {
                    // One that has ended meanwhile holds nothing.
                    let Some(details) = who.process(holding.process.pid()) else { continue };
                    let target = targets.entry(details.pid).or_insert_with(|| {
                        Target::new(holding.process.name(), details, &users, &family)
                    });
                    target.add((&name, place), socket.cgroup_path(), &family);
                }
            }
        }
        Ok(Self { targets: targets.into_values().collect(), unseen })
    }

    /// Whether nobody holds this one, seen or not.
    pub(super) fn is_nobody_at(&self, port: HeldPort) -> bool {
        !self.targets.iter().any(|target| target.is_at(port))
            && !self.unseen.iter().any(|socket| socket.place.is_of(port))
    }

    /// The sockets at these ports whose process this one may not see, said.
    pub(super) fn hidden(&self, ports: &[HeldPort]) -> Option<String> {
        let is_hidden = |socket: &&Unseen| {
            socket.why == NoProcess::NotPermitted
                && ports.iter().any(|port| socket.place.is_of(*port))
        };
        let hidden: Vec<&str> =
            self.unseen.iter().filter(is_hidden).map(|socket| socket.name.as_str()).collect();
        (!hidden.is_empty()).then(|| {
            let who = if rustix::process::geteuid().is_root() {
                "a process that may not be looked into, even by root"
            } else {
                "another user's process, which only root may see"
            };
            format!("{}: held by {who}", hidden.join(", "))
        })
    }

    /// Why no process is seen at a port that is held; `None` where one is.
    pub(super) fn why_none(&self, port: HeldPort) -> Option<NoProcess> {
        if self.targets.iter().any(|target| target.is_at(port)) {
            return None;
        }
        let is_hidden =
            |socket: &Unseen| socket.place.is_of(port) && socket.why == NoProcess::NotPermitted;
        let hidden = self.unseen.iter().any(is_hidden);
        Some(if hidden { NoProcess::NotPermitted } else { NoProcess::Elsewhere })
    }

    /// Whether this very process still holds one of the ports.
    pub(super) fn has(&self, target: &Target) -> bool {
        let same =
            |other: &Target| (other.pid, other.start_ticks) == (target.pid, target.start_ticks);
        self.targets.iter().any(same)
    }
}

#[cfg(test)]
impl Target {
    /// One of this name, in one control group, that waits with a socket made in another.
    pub(super) fn made_up(name: &str, cgroup: &str, of_socket: &str) -> Self {
        let users = UserNames::default();
        // Our own details hold whatever becomes of this test.
        let details = ProcessDetails::of(std::process::id(), &users).ok().flatten();
        let mut details = details.unwrap_or_else(|| unreachable!("this process is there"));
        details.cgroup = Some(cgroup.to_owned());
        let family = Family { own: 0, ancestors: vec![], keeper: None };
        let mut target = Self::new(name, &details, &users, &family);
        let place = Place { port: Port::new(80), transport: Transport::Tcp };
        target.add(("tcp 127.0.0.1:80", place), Some(of_socket), &family);
        target
    }
}

#[cfg(test)]
impl Holders {
    /// A socket of another user's process.
    pub(super) fn of_nobody_seen(socket: &str) -> Self {
        let place = Place { port: Port::new(80), transport: Transport::Tcp };
        let unseen = Unseen { name: socket.to_owned(), place, why: NoProcess::NotPermitted };
        Self { targets: Vec::new(), unseen: vec![unseen] }
    }
}

/// Makes sure that the numbers of processes mean here what they mean in `/proc`: where that shows another
/// PID namespace, this process would signal a stranger.
pub(super) fn check_numbering() -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let is_ours =
        std::fs::read_link("/proc/self").is_ok_and(|number| number.as_os_str() == own.as_str());
    anyhow::ensure!(
        is_ours,
        "cannot tell whom to end: /proc is not that of this PID namespace (mount -t proc proc /proc)"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_spared_where_it_listens_for_a_socket_unit() {
        let socket = "/system.slice/web.socket";
        let systemd = Target::made_up("systemd", "/init.scope", socket);
        assert_eq!(systemd.why_spared(), Some("what waits there for unit web.socket"));
        assert_eq!(Keeper::stop(systemd.keepers()).as_deref(), Some("systemctl stop web.socket"));
        // The service that was started then is ended, and both may start it again.
        let service = Target::made_up("web", "/system.slice/web.service", socket);
        assert!(!service.is_spared(false));
        assert_eq!(Keeper::names(service.keepers()), "unit web.service and unit web.socket");
    }
}
