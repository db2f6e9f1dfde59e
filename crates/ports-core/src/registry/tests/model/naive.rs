//! The naive model: lists of rows.

use super::*;

#[derive(Default)]
pub(super) struct Model {
    pub(super) privileged: bool,
    pub(super) claims: Vec<Place>,
    pub(super) marks: Vec<Place>,
    pub(super) marks_refused: u64,
}

impl Model {
    pub(super) fn held_by(rows: &[Place], place: Place) -> bool {
        rows.iter().any(|row| {
            (row.transport, row.port) == (place.transport, place.port)
                && row.set() & place.set() != 0
        })
    }

    pub(super) fn room(&self, transport: Transport) -> usize {
        let held = self.claims.iter().filter(|row| row.transport == transport).count();
        CLAIM_LIMIT as usize - held
    }

    fn allowed(&self, port: u16) -> bool {
        port != 0 && (self.privileged || port >= FLOOR)
    }

    /// Whether the `count` ports from the place's on can be had.
    pub(super) fn can_claim(&self, place: Place, count: usize, ignore_foreign: bool) -> bool {
        count <= self.room(place.transport)
            && (place.port..).take(count).all(|port| {
                let place = Place { port, ..place };
                self.allowed(port)
                    && !Self::held_by(&self.claims, place)
                    && (ignore_foreign || !Self::held_by(&self.marks, place))
            })
    }

    /// The first ports of all runs of the range that can be had.
    pub(super) fn runs(&self, place: Place, (first, last): (u16, u16), count: usize) -> Vec<u16> {
        (first..=last)
            .filter(|port| usize::from(*port) + count - 1 <= usize::from(last))
            .filter(|port| self.can_claim(Place { port: *port, ..place }, count, false))
            .collect()
    }

    pub(super) fn is_available(&self, place: Place) -> bool {
        self.can_claim(place, 1, false)
    }
}
