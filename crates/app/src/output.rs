//! Standard output, standard error and files.

mod file;
mod services;
mod terminal;

pub(crate) use file::create;
pub(crate) use services::{CsvServices, JsonlServices, ServiceWriter, TableServices};
pub(crate) use terminal::Terminal;
