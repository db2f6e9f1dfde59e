//! Standard output, standard error and files.

mod counted;
mod csv_error;
mod events;
mod file;
mod haste;
mod outputs;
#[cfg(target_os = "linux")]
mod packets;
mod printable;
mod reader_gone;
mod rows;
mod standard_error;
mod standard_output;
mod terminal;

pub(crate) use counted::{bytes, counted};
pub(crate) use csv_error::io_error;
pub(crate) use events::{EventLine, EventLog, EventSender};
#[cfg(target_os = "linux")]
pub(crate) use file::FileWriter;
pub(crate) use file::{Unemptied, cannot_write, open_all};
pub(crate) use outputs::Outputs;
#[cfg(target_os = "linux")]
pub(crate) use packets::{
    CsvPackets, JsonlPackets, PacketRow, PacketWriter, SniffStart, SniffSummary, TablePackets,
};
pub(crate) use printable::{printable, printed};
use reader_gone::Marked;
pub(crate) use reader_gone::{ReaderGone, stop_when_gone};
pub(crate) use rows::{Cells, Row, RowOutputs};
pub(crate) use standard_error::{
    StandardError, flush_standard_error, flush_standard_error_now, write_behind,
};
pub(crate) use standard_output::{StandardOutput, check_open as check_standard_output};
pub(crate) use terminal::Terminal;
