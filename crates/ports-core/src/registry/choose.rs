//! Which port a request gets, or why none.

use crate::registry::request::Choice;
use crate::registry::search::Window;
use crate::registry::table::TransportTable;
use crate::registry::{ClaimError, ClaimRequest, Shared};
use crate::{Port, PortRange, Transport};

impl Shared {
    /// The first of the `count` (at least 1) neighbouring ports that the request gets. The caller
    /// enters the claims under the same lock.
    pub(super) fn choose(
        &self,
        table: &mut TransportTable,
        request: &ClaimRequest,
        count: usize,
    ) -> Result<u16, ClaimError> {
        match request.choice {
            Choice::Exact(port) => {
                return self.check_run(table, request, port, count).map(|()| port.number());
            }
            Choice::Preferred(port) => match self.check_run(table, request, port, count) {
                Ok(()) => return Ok(port.number()),
                // A mistake of the caller, not a wish that cannot be met.
                Err(error @ ClaimError::PortZero { .. }) => return Err(error),
                Err(_) => {}
            },
            Choice::Any => {}
        }
        self.check_room(table, request.transport, count)?;
        let ClaimRequest { transport, address, .. } = *request;
        let (range, window) = self.window(request)?;
        let searched = window.range();
        let cursor = *table.cursor(request.range.is_some());
        let found = match u16::try_from(count) {
            Ok(1) => table.find_any(address, window, cursor),
            Ok(count) => table.find_run(address, window, cursor, count),
            Err(_) => None,
        };
        let (port, next) = found.ok_or(match count {
            1 => ClaimError::Exhausted { transport, address, range, searched },
            _ => ClaimError::NoRun { transport, address, range, searched, count },
        })?;
        *table.cursor(request.range.is_some()) = next;
        Ok(port)
    }

    /// Whether exactly this port can be claimed.
    pub(super) fn check(
        &self,
        table: &TransportTable,
        request: &ClaimRequest,
        port: Port,
    ) -> Result<(), ClaimError> {
        let ClaimRequest { transport, address, ignore_foreign, .. } = *request;
        let floor = self.privileged_below;
        if port == Port::ANY {
            return Err(ClaimError::PortZero { transport, address });
        }
        if port < floor && !self.privileged {
            return Err(ClaimError::Privileged { transport, address, port, floor });
        }
        if let Some(holder) = table.holder(port.number(), address, ignore_foreign) {
            return Err(ClaimError::Held { transport, address, port, holder });
        }
        self.check_room(table, transport, 1)
    }

    /// Whether a port the kernel handed out can be entered: only another claim is in its way.
    pub(super) fn check_adoption(
        &self,
        table: &TransportTable,
        request: &ClaimRequest,
        port: Port,
    ) -> Result<(), ClaimError> {
        let ClaimRequest { transport, address, .. } = *request;
        if port == Port::ANY {
            return Err(ClaimError::PortZero { transport, address });
        }
        if let Some(holder) = table.holder(port.number(), address, true) {
            return Err(ClaimError::Held { transport, address, port, holder });
        }
        self.check_room(table, transport, 1)
    }

    fn check_run(
        &self,
        table: &TransportTable,
        request: &ClaimRequest,
        first: Port,
        count: usize,
    ) -> Result<(), ClaimError> {
        // Never backwards: no port lies after the last.
        let rest = PortRange::new(first, Port::MAX).unwrap_or(PortRange::single(first));
        for port in rest.iter().take(count) {
            self.check(table, request, port)?;
        }
        let ClaimRequest { transport, address, .. } = *request;
        if count > rest.len() as usize {
            return Err(ClaimError::NoRun {
                transport,
                address,
                range: rest,
                searched: rest,
                count,
            });
        }
        self.check_room(table, transport, count)
    }

    fn check_room(
        &self,
        table: &TransportTable,
        transport: Transport,
        count: usize,
    ) -> Result<(), ClaimError> {
        let limit = self.claim_limit;
        if count > limit - table.claims() {
            return Err(ClaimError::TooMany { transport, limit });
        }
        Ok(())
    }

    /// The range that "any" means, and what of it may be handed out.
    fn window(&self, request: &ClaimRequest) -> Result<(PortRange, Window), ClaimError> {
        let ClaimRequest { transport, address, .. } = *request;
        let range = request.range.unwrap_or(self.dynamic_range);
        if range.last() == Port::ANY {
            return Err(ClaimError::PortZero { transport, address });
        }
        let floor = if self.privileged { Port::ANY } else { self.privileged_below };
        match Window::new(range, floor) {
            Some(window) => Ok((range, window)),
            None => Err(ClaimError::PrivilegedRange { transport, address, range, floor }),
        }
    }
}
