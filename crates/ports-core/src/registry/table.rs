//! Who holds which port of one transport: a slab of holders, chained per port.

use std::num::NonZeroU32;

use crate::registry::address::Family;
use crate::registry::bits::HeldBits;
use crate::registry::{ClaimAddress, Holder, Owner};

/// Index into the slab plus one, so that an empty chain is a zero: a table that nobody uses is
/// 256 KiB of zero pages, which the system provides only once they are written to.
type Link = Option<NonZeroU32>;

/// The holders of one transport's ports.
///
/// Claim and release touch the chain of one port, which is as long as the port has addresses that
/// hold it, and a word per level of two or three bit trees.
#[derive(Debug)]
pub(super) struct TransportTable {
    /// Per port, its newest holder.
    heads: Box<[Link]>,
    slots: Vec<Slot>,
    vacant: Link,
    held_ipv4: HeldBits,
    held_ipv6: HeldBits,
    held_any: HeldBits,
    claims: usize,
    marks: usize,
    /// Where "any" of the dynamic range goes on, as a count of ports gone by.
    dynamic_cursor: u64,
    /// The same for "any" of a range the request brought.
    range_cursor: u64,
    /// Foreign marks that were not kept for want of room.
    pub(super) marks_refused: u64,
}

#[derive(Debug)]
struct Slot {
    port: u16,
    address: ClaimAddress,
    occupant: Occupant,
    /// The next holder of the port; of a vacant slot, the next vacant one.
    next: Link,
    previous: Link,
}

#[derive(Debug)]
enum Occupant {
    Claim(Owner),
    Foreign,
    Vacant,
}

/// Names a claim's slot until the claim is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId(NonZeroU32);

impl TransportTable {
    pub(super) fn new(cursor: u64) -> Self {
        Self {
            heads: vec![None; 1 << 16].into_boxed_slice(),
            slots: Vec::new(),
            vacant: None,
            held_ipv4: HeldBits::new(),
            held_ipv6: HeldBits::new(),
            held_any: HeldBits::new(),
            claims: 0,
            marks: 0,
            dynamic_cursor: cursor,
            range_cursor: cursor,
            marks_refused: 0,
        }
    }

    pub(super) const fn claims(&self) -> usize {
        self.claims
    }

    pub(super) const fn marks(&self) -> usize {
        self.marks
    }

    /// Where "any" goes on, of a range the request brought or of the dynamic range.
    pub(super) const fn cursor(&mut self, own_range: bool) -> &mut u64 {
        if own_range { &mut self.range_cursor } else { &mut self.dynamic_cursor }
    }

    /// The ports with some holder at an address of this family.
    pub(super) const fn held(&self, family: Family) -> &HeldBits {
        match family {
            Family::Ipv4 => &self.held_ipv4,
            Family::Ipv6 => &self.held_ipv6,
            Family::Both => &self.held_any,
        }
    }

    /// A holder of the port that collides with this address; a claim before a foreign mark.
    pub(super) fn holder(
        &self,
        port: u16,
        address: ClaimAddress,
        ignore_foreign: bool,
    ) -> Option<Holder> {
        let mut foreign = None;
        for slot in self.chain(port).filter(|slot| slot.address.overlaps(address)) {
            match &slot.occupant {
                Occupant::Claim(_) => return slot.holder(),
                Occupant::Foreign if !ignore_foreign => foreign = slot.holder(),
                Occupant::Foreign | Occupant::Vacant => {}
            }
        }
        foreign
    }

    /// Whether nobody at all holds the port at an address that collides with this one.
    pub(super) fn is_free(&self, port: u16, address: ClaimAddress) -> bool {
        !self.held(address.family()).contains(port)
            || !(self.chain(port).any(|slot| slot.address.overlaps(address)))
    }

    /// Enters a claim that the caller found to collide with no other.
    pub(super) fn insert_claim(
        &mut self,
        port: u16,
        address: ClaimAddress,
        owner: Owner,
    ) -> SlotId {
        self.claims += 1;
        self.insert(port, address, Occupant::Claim(owner))
    }

    /// Takes a claim out. The id is dead afterwards.
    pub(super) fn remove_claim(&mut self, id: SlotId) {
        debug_assert!(matches!(self.slot(id.0).occupant, Occupant::Claim(_)));
        self.claims -= 1;
        self.remove(id);
    }

    pub(super) fn is_marked(&self, port: u16, address: ClaimAddress) -> bool {
        self.chain(port)
            .any(|slot| slot.address == address && matches!(slot.occupant, Occupant::Foreign))
    }

    pub(super) fn insert_mark(&mut self, port: u16, address: ClaimAddress) {
        self.marks += 1;
        self.insert(port, address, Occupant::Foreign);
    }

    /// Takes out the marks of the port that lie within this address; says how many.
    pub(super) fn remove_marks(&mut self, port: u16, address: ClaimAddress) -> usize {
        let mut removed = 0;
        let mut link = self.heads[usize::from(port)];
        while let Some(id) = link {
            let slot = self.slot(id);
            link = slot.next;
            if matches!(slot.occupant, Occupant::Foreign) && address.covers(slot.address) {
                self.remove(SlotId(id));
                removed += 1;
            }
        }
        self.marks -= removed;
        removed
    }

    /// Every holder, by ascending port, the newest first within one.
    pub(super) fn holders(&self) -> impl Iterator<Item = (u16, Holder)> {
        self.held_any
            .iter()
            .flat_map(|port| self.chain(port))
            .filter_map(|slot| Some((slot.port, slot.holder()?)))
    }

    fn insert(&mut self, port: u16, address: ClaimAddress, occupant: Occupant) -> SlotId {
        let head = self.heads[usize::from(port)];
        let slot = Slot { port, address, occupant, next: head, previous: None };
        let id = if let Some(id) = self.vacant {
            self.vacant = self.slot(id).next;
            *self.slot_mut(id) = slot;
            id
        } else {
            self.slots.push(slot);
            slab_link(self.slots.len())
        };
        if let Some(head) = head {
            self.slot_mut(head).previous = Some(id);
        }
        self.heads[usize::from(port)] = Some(id);
        if address.family() != Family::Ipv6 {
            self.held_ipv4.insert(port);
        }
        if address.family() != Family::Ipv4 {
            self.held_ipv6.insert(port);
        }
        self.held_any.insert(port);
        SlotId(id)
    }

    fn remove(&mut self, SlotId(id): SlotId) {
        let vacant = self.vacant;
        let slot = self.slot_mut(id);
        let (port, next, previous) = (slot.port, slot.next, slot.previous);
        slot.occupant = Occupant::Vacant;
        slot.next = vacant;
        slot.previous = None;
        self.vacant = Some(id);
        if let Some(next) = next {
            self.slot_mut(next).previous = previous;
        }
        match previous {
            Some(previous) => self.slot_mut(previous).next = next,
            None => self.heads[usize::from(port)] = next,
        }
        self.recount(port);
    }

    /// Clears the bits of the families that no holder of the port is left in.
    fn recount(&mut self, port: u16) {
        let (mut ipv4, mut ipv6) = (false, false);
        for slot in self.chain(port) {
            ipv4 |= slot.address.family() != Family::Ipv6;
            ipv6 |= slot.address.family() != Family::Ipv4;
            if ipv4 && ipv6 {
                return;
            }
        }
        if !ipv4 {
            self.held_ipv4.remove(port);
        }
        if !ipv6 {
            self.held_ipv6.remove(port);
        }
        if !ipv4 && !ipv6 {
            self.held_any.remove(port);
        }
    }

    fn chain(&self, port: u16) -> impl Iterator<Item = &Slot> {
        let mut link = self.heads[usize::from(port)];
        std::iter::from_fn(move || {
            let slot = self.slot(link?);
            link = slot.next;
            Some(slot)
        })
    }

    fn slot(&self, id: NonZeroU32) -> &Slot {
        &self.slots[id.get() as usize - 1]
    }

    fn slot_mut(&mut self, id: NonZeroU32) -> &mut Slot {
        &mut self.slots[id.get() as usize - 1]
    }
}

impl Slot {
    fn holder(&self) -> Option<Holder> {
        let address = self.address;
        match &self.occupant {
            Occupant::Claim(owner) => Some(Holder::Claim { owner: owner.clone(), address }),
            Occupant::Foreign => Some(Holder::Foreign { address }),
            Occupant::Vacant => None,
        }
    }
}

/// The link to the last of `len` slots.
#[expect(
    clippy::expect_used,
    reason = "the slab has a slot, and the registry's limits keep it under 2^32 of them"
)]
fn slab_link(len: usize) -> NonZeroU32 {
    u32::try_from(len).ok().and_then(NonZeroU32::new).expect("1 to 2^32 - 1 slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_number_of_holders_takes_a_steady_number_of_slots() {
        let mut table = TransportTable::new(0);
        let mut ids: Vec<_> = (1..=3)
            .map(|port| table.insert_claim(port, ClaimAddress::dual_stack(), Owner::UNNAMED))
            .collect();
        for port in 4..1_000 {
            table.remove_claim(ids.remove(usize::from(port) % ids.len()));
            ids.push(table.insert_claim(port, ClaimAddress::ipv6_only(), Owner::UNNAMED));
        }
        assert_eq!((table.slots.len(), table.claims()), (3, 3));
    }

    #[test]
    fn holders_leave_a_chain_in_any_order() {
        let addresses =
            [ClaimAddress::ipv4_wildcard(), ClaimAddress::ipv6_only(), ClaimAddress::dual_stack()];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut table = TransportTable::new(0);
            let ids = addresses.map(|address| table.insert_claim(80, address, Owner::UNNAMED));
            for (gone, index) in order.into_iter().enumerate() {
                assert_eq!(table.chain(80).count(), 3 - gone);
                assert!(table.held(Family::Both).contains(80));
                table.remove_claim(ids[index]);
            }
            assert_eq!(table.chain(80).count(), 0);
            for family in [Family::Ipv4, Family::Ipv6, Family::Both] {
                assert!(!table.held(family).contains(80));
            }
        }
    }
}
