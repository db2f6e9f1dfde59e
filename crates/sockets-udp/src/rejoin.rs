//! Groups whose interface went away, and joining them again.

use std::io;

use nix::errno::Errno;
use stats::ErrorKind;

use crate::event::Event;
use crate::interface::{self, Interface, InterfaceError};
use crate::membership::{JoinError, Joined, Membership, MembershipReport};
use crate::multicast::{is, join_error, join_group, joined_on, leave_group};
use crate::open_socket::OpenSocket;
use crate::socket::UdpSocket;

/// What becomes of a membership whose interface is gone.
enum Fate {
    Rejoined(Membership),
    Lost,
    Failed(JoinError),
}

impl UdpSocket {
    /// Looks whether the interfaces of the memberships are still there. An interface that goes away
    /// takes them with it, and the kernel tells the socket nothing: it only hears no more. Where
    /// there is an interface now by the name or the address that the group was joined on, or for
    /// [`Interface::Default`] one that the routes lead to, it is joined there again; where there is
    /// none, it is given up, and [`Event::MembershipLost`] says so. Where that cannot be found out, or
    /// the interface is there and joining fails, the membership is kept for the next time:
    /// [`MembershipReport::failed`].
    ///
    /// An interface that is only down keeps its memberships, and so does one that the routes no longer
    /// lead to. A membership whose index is 0, because the kernel did not tell where it put it, is left
    /// alone.
    pub fn refresh_memberships(&self) -> MembershipReport {
        let mut report = MembershipReport::default();
        // One after the other, so that the socket is not held meanwhile.
        let all = match &*self.open() {
            Some(open) => open.joined().clone(),
            None => return report,
        };
        for joined in all {
            let fate = match self.is_gone(&joined) {
                Ok(false) => continue,
                Ok(true) => self.join_again(&joined),
                Err(error) => Some(Fate::Failed(error)),
            };
            let old = joined.membership;
            match fate {
                Some(Fate::Rejoined(new)) => report.rejoined.push(new),
                Some(Fate::Lost) => report.lost.push(old),
                Some(Fate::Failed(error)) => report.failed.push((old, error)),
                // Left, joined again or closed by somebody else, just now.
                None => {}
            }
        }
        for Membership { group, interface, .. } in &report.lost {
            tracing::warn!(%group, interface, "the interface of a multicast group is gone");
        }
        report
    }

    /// Whether the interface of a membership is gone; an error where the kernel does not tell.
    fn is_gone(&self, joined: &Joined) -> Result<bool, JoinError> {
        let Membership { group, interface: index, .. } = joined.membership;
        if joined.lapsed {
            return Ok(true);
        }
        if index == 0 {
            return Ok(false);
        }
        let open = self.open();
        let Some(open) = &*open else { return Ok(false) };
        let exists = interface::exists(&open.socket, index).map_err(|source| {
            let interface = Interface::Index(index);
            let source = InterfaceError::Io { interface, source };
            JoinError::Interface { group, interface: joined.named.clone(), source }
        });
        exists.map(|exists| !exists).inspect_err(|_| open.account.error(ErrorKind::Multicast))
    }

    /// Joins again what was joined on an interface that is gone; `None` where it is joined no more.
    fn join_again(&self, old: &Joined) -> Option<Fate> {
        let Membership { group, .. } = old.membership;
        let found = joined_on(group, &old.named);
        let open = self.open();
        let open = open.as_ref()?;
        let mut all = open.joined();
        let position = all.iter().position(|joined| joined == old)?;
        let fate = match found {
            Ok(index) => move_to(open, &mut all[position], index),
            Err(InterfaceError::Unknown { .. }) => {
                forget(open, old);
                Fate::Lost
            }
            Err(source) => {
                let interface = old.named.clone();
                Fate::Failed(JoinError::Interface { group, interface, source })
            }
        };
        if matches!(fate, Fate::Lost) {
            all.remove(position);
        }
        self.tell(open, old.membership, &fate);
        Some(fate)
    }

    fn tell(&self, open: &OpenSocket, old: Membership, fate: &Fate) {
        let events = &self.inner.events;
        let Membership { group, source, interface } = old;
        match fate {
            Fate::Rejoined(new) => {
                events.emit(|| Event::Left { group, source, interface });
                events.emit(|| Event::Joined { group, source, interface: new.interface });
            }
            Fate::Lost => {
                open.account.error(ErrorKind::Multicast);
                events.emit(|| Event::MembershipLost { group, source, interface });
            }
            Fate::Failed(_) => open.account.error(ErrorKind::Multicast),
        }
    }
}

/// Joins on the interface with this index what was joined on one that is gone.
fn move_to(open: &OpenSocket, joined: &mut Joined, index: u32) -> Fate {
    forget(open, joined);
    let new = Membership { interface: index, ..joined.membership };
    match join_group(open, new) {
        Ok(()) => {
            (joined.membership, joined.lapsed) = (new, false);
            Fate::Rejoined(new)
        }
        // Nor does any route lead somewhere.
        Err(error) if index == 0 && is_nowhere(&error) => Fate::Lost,
        Err(error) => {
            joined.lapsed = true;
            Fate::Failed(join_error(error, new, &joined.named))
        }
    }
}

/// The kernel keeps an entry for the interface that is gone, and refuses it twice.
fn forget(open: &OpenSocket, joined: &Joined) {
    if !joined.lapsed {
        let _ = leave_group(open, Membership { source: None, ..joined.membership });
    }
}

fn is_nowhere(error: &io::Error) -> bool {
    is(error, Errno::ENODEV) || is(error, Errno::EADDRNOTAVAIL)
}
