//! What callers build on and no signature shows: which types may go to another thread.

use std::error::Error;

use scanner::report::{CsvReport, GrepableReport, JsonlReport, NmapXmlReport, TableReport};
use scanner::{
    AddressSet, Engine, ParseAddressSetError, ParseShardError, ParseTargetError, PlanError,
    ReadRecordError, ReadTargetsError, ResolveError, ResumeError, Scan, ScanBuilder, ScanError,
    ScanEvent, ScanHandle, ScanPlan, ScanRecord, TargetList,
};

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_sent<T: Send + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

/// A scan blocks its thread: it is made on one, runs on another, and is stopped from a third.
#[test]
fn a_scan_may_go_to_another_thread_and_be_stopped_from_there() {
    is_shared::<Scan>();
    is_shared::<ScanBuilder>();
    is_shared::<ScanHandle>();
    is_shared::<ScanEvent>();
    is_shared::<ScanPlan>();
    is_shared::<ScanRecord>();
    is_shared::<AddressSet>();
    is_shared::<TargetList>();
    is_sent::<Engine>();
    is_sent::<JsonlReport<Vec<u8>>>();
    is_sent::<CsvReport<Vec<u8>>>();
    is_sent::<GrepableReport<Vec<u8>>>();
    is_sent::<NmapXmlReport<Vec<u8>>>();
    is_sent::<TableReport<Vec<u8>>>();
}

#[test]
fn errors_go_where_errors_go() {
    is_error::<ScanError>();
    is_error::<PlanError>();
    is_error::<ResumeError>();
    is_error::<ResolveError>();
    is_error::<ReadRecordError>();
    is_error::<ReadTargetsError>();
    is_error::<ParseTargetError>();
    is_error::<ParseShardError>();
    is_error::<ParseAddressSetError>();
}
