//! Standard output, standard error and files.

mod events;
mod file;
mod services;
mod terminal;

pub(crate) use events::{EventLine, EventLog, EventSender};
pub(crate) use file::create;
pub(crate) use services::{CsvServices, JsonlServices, ServiceWriter, TableServices};
pub(crate) use terminal::Terminal;
