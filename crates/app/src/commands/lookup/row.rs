//! A service, as a row.

use ports_core::Service;
use serde::Serialize;

use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename = "service")]
pub(super) struct ServiceRow<'a> {
    #[serde(flatten)]
    pub(super) service: &'a Service,
}

impl Row for ServiceRow<'_> {
    const FIELDS: &'static [&'static str] =
        &["port", "transport", "name", "description", "class", "source"];
    const HEADINGS: &'static [&'static str] = &["PORT", "NAME", "CLASS", "SOURCE", "DESCRIPTION"];

    fn fields(&self, fields: &mut Cells) {
        let service = self.service;
        fields.push(service.port);
        fields.push(service.transport.name());
        fields.push(service.name);
        fields.push(service.description);
        fields.push(service.class.name());
        fields.push(service.source.name());
    }

    fn cells(&self, cells: &mut Cells) {
        let service = self.service;
        cells.push(format_args!("{}/{}", service.port, service.transport));
        cells.push(service.name);
        cells.push(service.class);
        cells.push(service.source.name());
        cells.push(service.description);
    }
}
