//! The registry and the model side by side: the same steps, the same answers.

use super::*;

pub(super) struct Pair {
    registry: PortRegistry,
    /// In the order of the model's claims.
    pub(super) claims: Vec<PortClaim>,
    pub(super) model: Model,
}

impl Pair {
    pub(super) fn new(privileged: bool, seed: u64) -> Self {
        let registry = PortRegistry::builder()
            .dynamic_range(PortRange::new(DYNAMIC.0, DYNAMIC.1).unwrap())
            .privileged_below(FLOOR)
            .privileged(privileged)
            .claim_limit(CLAIM_LIMIT)
            .foreign_limit(FOREIGN_LIMIT)
            .seed(seed)
            .build();
        Self { registry, claims: Vec::new(), model: Model { privileged, ..Model::default() } }
    }

    pub(super) fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Claim { place, wish, range, ignore_foreign, count } => {
                self.claim(place, wish, range, ignore_foreign, count)?;
            }
            Step::Release(index) if !self.claims.is_empty() => {
                let index = index % self.claims.len();
                self.model.claims.remove(index);
                self.claims.remove(index).release();
            }
            Step::Release(_) => {}
            Step::Adopt(place) => self.adopt(place)?,
            Step::Mark(place) => self.mark(place)?,
            Step::Clear(place) => {
                let Place { transport, port, .. } = place;
                let cleared = self.registry.clear_foreign(transport, place.address(), port);
                prop_assert_eq!(cleared, self.clear_in_model(place));
            }
        }
        Ok(())
    }

    fn claim(
        &mut self,
        place: Place,
        wish: Wish,
        range: Option<(u16, u16)>,
        ignore_foreign: bool,
        count: usize,
    ) -> Result<(), TestCaseError> {
        let mut request = ClaimRequest::new(place.transport).address(place.address());
        if let Some((first, last)) = range {
            request = request.within(PortRange::new(first, last).unwrap());
        }
        if ignore_foreign {
            request = request.ignore_foreign();
        }
        request = match wish {
            Wish::Any => request,
            Wish::Exact => request.exact(place.port),
            Wish::Preferred => request.preferred(place.port),
        };
        let result = if count == 1 {
            self.registry.claim(&request).map(|claim| vec![claim])
        } else {
            self.registry.claim_run(&request, count)
        };
        if count == 0 {
            prop_assert_eq!(result.map(|claims| claims.len()), Ok(0));
            return Ok(());
        }

        let named = self.model.can_claim(place, count, ignore_foreign);
        let runs = self.model.runs(place, range.unwrap_or(DYNAMIC), count);
        let expected = match wish {
            Wish::Exact | Wish::Preferred if named => vec![place.port],
            Wish::Preferred if place.port != 0 => runs,
            Wish::Exact | Wish::Preferred => Vec::new(),
            Wish::Any => runs,
        };
        match result {
            Ok(claims) => {
                let first = claims[0].port().number();
                prop_assert!(expected.contains(&first), "{} is not of {:?}", first, expected);
                prop_assert_eq!(claims.len(), count);
                for (claim, port) in claims.into_iter().zip(first..) {
                    prop_assert_eq!(claim.port().number(), port);
                    self.model.claims.push(Place { port, ..place });
                    self.claims.push(claim);
                }
            }
            Err(error) => prop_assert!(expected.is_empty(), "{error}, not one of {:?}", expected),
        }
        Ok(())
    }

    fn adopt(&mut self, place: Place) -> Result<(), TestCaseError> {
        let Place { transport, port, .. } = place;
        let result = self.registry.adopt(transport, place.address(), port, "adopted");
        let expected = port != 0
            && !Model::held_by(&self.model.claims, place)
            && self.model.room(transport) > 0;
        prop_assert_eq!(result.is_ok(), expected);
        if let Ok(claim) = result {
            self.clear_in_model(place);
            self.model.claims.push(place);
            self.claims.push(claim);
        }
        Ok(())
    }

    fn mark(&mut self, place: Place) -> Result<(), TestCaseError> {
        let Place { transport, port, .. } = place;
        let marks = &mut self.model.marks;
        let same =
            |row: &Place| (row.transport, row.port, row.set()) == (transport, port, place.set());
        let of_transport = marks.iter().filter(|row| row.transport == transport).count();
        let known = marks.iter().any(same);
        let room = of_transport < FOREIGN_LIMIT as usize;
        if port != 0 && !known && room {
            marks.push(place);
        }
        self.model.marks_refused += u64::from(port != 0 && !known && !room);
        let marked = self.registry.mark_foreign(transport, place.address(), port);
        prop_assert_eq!(marked, port != 0 && (known || room));
        Ok(())
    }

    fn clear_in_model(&mut self, place: Place) -> usize {
        let before = self.model.marks.len();
        self.model.marks.retain(|row| {
            (row.transport, row.port) != (place.transport, place.port)
                || row.set() & !place.set() != 0
        });
        before - self.model.marks.len()
    }

    pub(super) fn compare_everything(&self) -> Result<(), TestCaseError> {
        for transport in TRANSPORTS {
            for (address, port) in
                (0..ADDRESSES.len()).flat_map(|a| (0..=PORTS).map(move |p| (a, p)))
            {
                let place = Place { transport, address, port };
                let available = self.registry.is_available(transport, place.address(), port);
                prop_assert_eq!(available, self.model.is_available(place), "{:?}", place);
                // "Any" of one port goes by the bit trees instead of the port's holders.
                let request = ClaimRequest::new(transport).address(place.address());
                let any = self.registry.claim(&request.within(PortRange::single(port.into())));
                prop_assert_eq!(any.is_ok(), available, "{:?}", place);
            }
        }
        self.compare_lists()
    }

    pub(super) fn compare_lists(&self) -> Result<(), TestCaseError> {
        let snapshot = self.registry.snapshot();
        let mut claims: Vec<_> = snapshot
            .claims
            .iter()
            .map(|record| (record.transport, record.port.number(), record.address))
            .collect();
        let mut marks: Vec<_> = snapshot
            .foreign
            .iter()
            .map(|record| (record.transport, record.port.number(), record.address))
            .collect();
        claims.sort_unstable();
        marks.sort_unstable();
        prop_assert_eq!(claims, sorted(&self.model.claims));
        prop_assert_eq!(marks, sorted(&self.model.marks));
        prop_assert_eq!(snapshot.foreign_refused, self.model.marks_refused);
        prop_assert_eq!((snapshot.claims_omitted, snapshot.foreign_omitted), (0, 0));

        let status = self.registry.status();
        for of in status.transports.iter().take(TRANSPORTS.len()) {
            let rows = self.model.claims.iter().chain(&self.model.marks);
            let held: Vec<_> =
                rows.filter(|row| row.transport == of.transport).map(|row| row.port).collect();
            let free = (DYNAMIC.0..=DYNAMIC.1).filter(|port| !held.contains(port)).count();
            prop_assert_eq!(of.free_dynamic as usize, free);
            prop_assert_eq!(of.used.len(), held.len());
        }
        Ok(())
    }
}

fn sorted(rows: &[Place]) -> Vec<(Transport, u16, ClaimAddress)> {
    let mut rows: Vec<_> =
        rows.iter().map(|row| (row.transport, row.port, row.address())).collect();
    rows.sort_unstable();
    rows
}
