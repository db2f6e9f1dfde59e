//! Locks that are locked files (flock(2), and `LockFileEx` on Windows) in a directory.
//!
//! Each port and transport has three files, which are made when they are first needed and never
//! removed: who holds `tcp-8080.lock` has the port. It then writes `tcp-8080.label`, who it is, and
//! locks `tcp-8080.labelled`. So what a killed holder left in the label is not taken for that of the
//! next one. (They are three because on Windows nobody can read a file that is locked.)

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ports_core::{Port, Transport};

use super::{NotLocked, Terms, lease_name};
use crate::error::LeaseError;

/// How often a file is tried while others only look at it, each for a moment, and how long is waited in
/// between. One that is stopped just then would be in the way for ever.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(1);

const LOCK: &str = "lock";
const LABEL: &str = "label";
const LABELLED: &str = "labelled";

/// Takes the locks of one request.
pub(crate) struct Locker {
    directory: PathBuf,
    label: String,
}

impl Locker {
    /// In this directory, else in that of the user; makes it where it is not there.
    pub(super) fn new(directory: Option<&Path>, terms: &Terms) -> Result<Self, LeaseError> {
        let directory = match directory {
            Some(directory) => directory.to_owned(),
            None => of_user().ok_or(LeaseError::NoHome)?,
        };
        make(&directory)
            .map_err(|source| LeaseError::LockFile { path: directory.clone(), source })?;
        let Terms { pid, since_ms, name, .. } = terms;
        Ok(Self { directory, label: format!("{pid} {since_ms} {name}\n") })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn lock(
        &self,
        ports: impl Iterator<Item = (Transport, Port)>,
    ) -> Result<Locks, NotLocked> {
        let mut locks = Locks(Vec::new());
        for (transport, port) in ports {
            match self.lock_port(transport, port)? {
                Some(lock) => locks.0.push(lock),
                None => return Err(NotLocked::Held { transport, port }),
            }
        }
        Ok(locks)
    }

    /// None where somebody has it.
    fn lock_port(&self, transport: Transport, port: Port) -> Result<Option<PortLock>, NotLocked> {
        let Some(lock) = self.take(transport, port, LOCK)? else { return Ok(None) };
        self.write_label(transport, port)?;
        // Its holder before has let go of it, or is about to.
        let labelled = self.take(transport, port, LABELLED)?;
        Ok(labelled.map(|labelled| [labelled, lock]))
    }

    /// Over the one before, of which the rest stays: to cut a file off first waits for the disk on ext4.
    fn write_label(&self, transport: Transport, port: Port) -> Result<(), NotLocked> {
        let path = path(&self.directory, transport, port, LABEL);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let written = opened.and_then(|mut file| file.write_all(self.label.as_bytes()));
        written.map_err(|source| failure(path, source))
    }

    fn take(
        &self,
        transport: Transport,
        port: Port,
        which: &str,
    ) -> Result<Option<File>, NotLocked> {
        let path = path(&self.directory, transport, port, which);
        let mut options = OpenOptions::new();
        // Some file systems lock for writing only what is open for it.
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let taken = opened.and_then(|file| Ok(try_exclusive(&file)?.then_some(file)));
        taken.map_err(|source| failure(path, source))
    }
}

fn failure(path: PathBuf, source: io::Error) -> NotLocked {
    NotLocked::Failed(LeaseError::LockFile { path, source })
}

/// The files of one port that are locked. In this order: whoever then has the lock finds the other free.
type PortLock = [File; 2];

/// The locks of a lease. On Linux a program that is started may hold them, too.
#[derive(Debug)]
pub(crate) struct Locks(Vec<PortLock>);

impl Locks {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(target_os = "linux")]
impl Locks {
    pub(super) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.0.iter().flatten().map(|file| file.try_clone().map(OwnedFd::from)).collect()
    }

    pub(super) fn into_descriptors(self) -> Vec<OwnedFd> {
        self.0.into_iter().flatten().map(OwnedFd::from).collect()
    }
}

/// What the files of a port tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Free,
    /// Held by somebody who has not said yet who he is.
    Unlabelled,
    Held(FileLabel),
}

pub(crate) fn look(directory: &Path, transport: Transport, port: Port) -> io::Result<Seen> {
    let path = |which| path(directory, transport, port, which);
    if !is_held(&path(LOCK))? {
        return Ok(Seen::Free);
    }
    if !is_held(&path(LABELLED))? {
        return Ok(Seen::Unlabelled);
    }
    let label = fs::read(path(LABEL))?;
    Ok(FileLabel::read(&label).map_or(Seen::Unlabelled, Seen::Held))
}

/// Whose lock files there are, held or not.
pub(crate) fn ports_of(directory: &Path) -> io::Result<Vec<(Transport, Port)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ports = Vec::new();
    for entry in entries {
        ports.extend(entry?.file_name().to_str().and_then(read_name));
    }
    Ok(ports)
}

/// What a lease wrote of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileLabel {
    pub(crate) pid: u32,
    pub(crate) since_ms: u64,
    pub(crate) name: String,
}

impl FileLabel {
    /// The first line; none of one that is being written.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let mut fields = str::from_utf8(&bytes[..end]).ok()?.splitn(3, ' ');
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            since_ms: fields.next()?.parse().ok()?,
            name: lease_name::shown(fields.next()?),
        })
    }
}

/// Where the locks of this user are: below the home directory, for that is the same in all of his
/// processes and survives what clears temporary files. None where he has none.
pub(crate) fn of_user() -> Option<PathBuf> {
    let below_home = if cfg!(windows) {
        r"AppData\Local\ports-lease"
    } else if cfg!(target_vendor = "apple") {
        "Library/Application Support/ports-lease"
    } else {
        ".local/state/ports-lease"
    };
    Some(std::env::home_dir().filter(|home| home.is_absolute())?.join(below_home))
}

/// Makes a directory for this user alone.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

fn path(directory: &Path, transport: Transport, port: Port, which: &str) -> PathBuf {
    directory.join(format!("{transport}-{port}.{which}"))
}

/// `tcp-8080.lock`.
fn read_name(name: &str) -> Option<(Transport, Port)> {
    let (kind, port) = name.strip_suffix(LOCK)?.strip_suffix('.')?.split_once('-')?;
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|t| t.name() == kind)?;
    let number: Port = port.parse().ok()?;
    // `08080` is another name, and locks nothing.
    (number.to_string() == port).then_some((transport, number))
}

/// Locks a file, unless somebody has it locked; not for those who only look.
fn try_exclusive(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        // Who looks, as we do now, lets others look.
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => return Ok(false),
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}

fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
