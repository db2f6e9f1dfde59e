//! The names of interfaces, by index.

use std::collections::HashMap;

use anyhow::Context;
use sockets_raw::Interface;

/// Interfaces as they were when last asked for; one that comes later is asked for once.
pub(super) struct Links {
    names: HashMap<u32, String>,
}

impl Links {
    pub(super) fn load() -> anyhow::Result<Self> {
        let mut links = Self { names: HashMap::new() };
        links.refresh().context("cannot read this machine's interfaces")?;
        Ok(links)
    }

    pub(super) fn index(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|(_, known)| *known == name).map(|(index, _)| *index)
    }

    /// The name, or `if7` where the interface has gone before it could be asked for.
    pub(super) fn name(&mut self, index: u32) -> &str {
        if !self.names.contains_key(&index)
            && let Err(error) = self.refresh()
        {
            tracing::debug!(%error, "the interfaces' names stay as they are");
        }
        self.names.entry(index).or_insert_with(|| format!("if{index}"))
    }

    fn refresh(&mut self) -> Result<(), sockets_raw::InterfaceError> {
        for interface in Interface::all()? {
            self.names.insert(interface.index, interface.name);
        }
        Ok(())
    }
}
