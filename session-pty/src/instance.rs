//! The one instance of a supervisor that a store may have: a lock that the kernel releases when it dies.
//!
//! `instance-<kind>.lock` in the data directory is locked exclusively by the living instance and holds one line of JSON
//! about it. Whoever wants to know whether an instance lives tries to share the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use session_core::{Host, Timestamp, Unknown};

/// What an instance says of itself in its lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// New with each instance; sessions that it hosts carry it.
    pub instance: String,
    /// The boot of the machine that it lives in.
    pub boot: String,
    /// Its process.
    pub pid: u32,
    /// When that process started, in clock ticks since boot, where the system says so: by then a number may have
    /// been given to another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_start: Option<u64>,
    /// Since when.
    pub started_at: Timestamp,
    /// The process that serves clients at present, where that is another one: it may be replaced while the instance
    /// goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<u32>,
    /// The socket that clients connect to, once it was bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
    /// Why nothing serves clients any more, if that is so although the instance lives: a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
}

/// A socket as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Where it was bound.
    pub path: PathBuf,
    /// The device of the file.
    pub device: u64,
    /// Its inode there: what is at the path may be somebody else's by now.
    pub inode: u64,
}

/// The lock of a living instance, released with this value or with the process.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    file: File,
    pub(crate) instance: Instance,
}

/// Whether an instance lives, in a form that stays true as long as it is held.
///
/// Whoever is about to record programs as lost must hold this meanwhile: an instance that started in between
/// would have its own programs declared lost.
#[derive(Debug)]
pub enum Presence {
    /// This instance lived when it was looked for.
    Alive(Instance),
    /// None lives, and none can begin before this is dropped.
    Absent(Absence),
}

/// Keeps instances from beginning.
#[derive(Debug)]
pub struct Absence {
    _shared: File,
}

/// Others share the lock for a moment while they look or write; a new instance tries again until they are done.
const ATTEMPTS: u32 = 2000;
const PAUSE: Duration = Duration::from_millis(2);

/// How long a line is that was changed: always the same, and less than a page.
const LINE: usize = 1024;

/// How often, with a pause in between, one that has the lock is given time to write its line.
const NAMELESS: u32 = 50;

impl Instance {
    /// As which sessions are recorded.
    #[must_use]
    pub fn host(&self) -> Host {
        Host {
            instance: self.instance.clone(),
            boot: self.boot.clone(),
            unknown: Unknown::default(),
        }
    }

    /// Its process, if it certainly is one that can be signalled from here: the line may have come from another
    /// machine or another container, or from an instance that died, and a stranger must not get the signal.
    pub(crate) fn process(&self) -> Option<OwnedFd> {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw)?;
        // Held first: from here on the number cannot become that of another process.
        let process = crate::os::exit_watch(pid).ok()?;
        let is_it = self.pid_start.is_some()
            && crate::os::process_start(self.pid) == self.pid_start
            && crate::os::boot_id().is_ok_and(|boot| boot == self.boot);
        is_it.then_some(process)
    }

    /// Whether clients may find it at this path, now or once it has bound its socket.
    pub(crate) fn may_listen_at(&self, path: &Path) -> bool {
        self.socket.as_ref().is_none_or(|socket| socket.path == path)
    }

    /// The instance that lives on this lock, if one does. Changes nothing.
    ///
    /// # Errors
    /// What the operating system says; a missing lock is no error.
    pub fn alive(lock: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(lock) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                let found = serde_json::from_str(&text).ok();
                if found.is_some() || text.is_empty() {
                    return Ok(found);
                }
                // A line that is changed may have been met in the middle of it. An instance that is just writing its
                // first line hosts nothing yet: it is as good as none.
                std::thread::sleep(PAUSE);
                text.clear();
                file.rewind()?;
                file.read_to_string(&mut text)?;
                Ok(serde_json::from_str(&text).ok())
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Socket {
    /// What is at this path.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(Self { path: path.to_owned(), device, inode })
    }

    /// Whether it still is what is found there.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        Self::at(&self.path).is_ok_and(|found| found == *self)
    }
}

impl Presence {
    /// Looks for an instance, and keeps one from beginning when there is none. Makes the lock when it is missing.
    ///
    /// # Errors
    /// What the operating system says; `InvalidData` or `UnexpectedEof` when an instance has not said its name for a
    /// tenth of a second.
    pub fn hold(lock: &Path) -> io::Result<Self> {
        Self::hold_after(lock, |attempts| {
            if attempts < NAMELESS {
                std::thread::sleep(PAUSE);
            }
            attempts < NAMELESS
        })
    }

    /// As [`Self::hold`]; `pause` is told how often it was called while the instance had no name, and says whether
    /// to look again.
    fn hold_after(lock: &Path, mut pause: impl FnMut(u32) -> bool) -> io::Result<Self> {
        let mut file = open(lock)?;
        let mut attempts = 0;
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Self::Absent(Absence { _shared: file })),
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    file.rewind()?;
                    file.read_to_string(&mut text)?;
                    match serde_json::from_str(&text) {
                        Ok(instance) => return Ok(Self::Alive(instance)),
                        // One that is just writing its line cannot be named yet, and must not be taken for absent.
                        Err(error) if !pause(attempts) => return Err(error.into()),
                        Err(_) => attempts += 1,
                    }
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The instance id that lives, as an observer needs it.
    #[must_use]
    pub fn live_host(&self) -> Option<String> {
        match self {
            Self::Alive(instance) => Some(instance.instance.clone()),
            Self::Absent(_) => None,
        }
    }
}

fn open(lock: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(lock)
}

/// Whether those who hold the lock only look, so that waiting for them makes sense.
fn is_only_shared(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl InstanceLock {
    /// Becomes the instance; `None` when another one lives.
    pub(crate) fn acquire(lock: &Path, now: Timestamp) -> io::Result<Option<Self>> {
        let mut file = open(lock)?;
        let mut attempts = ATTEMPTS;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::WouldBlock if attempts > 0 && is_only_shared(&file)? => {
                    attempts -= 1;
                    std::thread::sleep(PAUSE);
                }
                TryLockError::WouldBlock => return Ok(None),
                TryLockError::Error(error) => return Err(error),
            }
        }
        // At once: the line of the instance before must not be taken for this one's.
        file.set_len(0)?;
        let pid = std::process::id();
        let instance = Instance {
            instance: format!("{:032x}", crate::os::random_u128()?),
            boot: crate::os::boot_id()?,
            pid,
            pid_start: crate::os::process_start(pid),
            started_at: now,
            supervisor: None,
            socket: None,
            given_up: None,
        };
        let mut line = serde_json::to_vec(&instance)?;
        line.push(b'\n');
        file.write_all(&line)?;
        Ok(Some(Self { file, instance }))
    }

    /// The lock in a process that has it from the one that acquired it, by a descriptor of the same open file.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else has the lock; `InvalidData` when the line in it is none.
    pub(crate) fn inherited(file: File) -> io::Result<Self> {
        // Of one open file there is one lock: whoever has it already gets it again.
        file.try_lock()?;
        let mut text = vec![0; LINE];
        let len = file.read_at(&mut text, 0)?;
        let instance = serde_json::from_slice(&text[..len])?;
        Ok(Self { file, instance })
    }

    /// Changes the line, so that whoever reads it meanwhile finds either the old one or the new one.
    ///
    /// # Errors
    /// What the operating system says; `InvalidInput` when the line would be too long.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut Instance)) -> io::Result<()> {
        let mut changed = self.instance.clone();
        change(&mut changed);
        if changed == self.instance {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&changed)?;
        if line.len() >= LINE {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        line.resize(LINE - 1, b' ');
        line.push(b'\n');
        // The file grows by space behind the old line, which means nothing in JSON however much of it is seen. Then it
        // has its final size, and the new line takes the place of the old one in one write within one page.
        let len = usize::try_from(self.file.metadata()?.len()).unwrap_or(LINE).min(LINE);
        self.file.write_all_at(&vec![b' '; LINE - len], len as u64)?;
        self.file.write_all_at(&line, 0)?;
        self.instance = changed;
        Ok(())
    }
}

impl AsFd for InstanceLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_lives_as_long_as_its_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("instance.lock");
        assert_eq!(Instance::alive(&path).unwrap(), None);
        assert!(!path.exists(), "looking must not create the lock");

        let now = Timestamp::from_millis(5);
        let held = InstanceLock::acquire(&path, now).unwrap().unwrap();
        assert_eq!(Instance::alive(&path).unwrap().as_ref(), Some(&held.instance));
        assert!(InstanceLock::acquire(&path, now).unwrap().is_none());

        assert!(
            matches!(Presence::hold(&path).unwrap(), Presence::Alive(found) if found == held.instance)
        );

        let first = held.instance.clone();
        drop(held);
        let absent = Presence::hold(&path).unwrap();
        assert!(matches!(absent, Presence::Absent(_)) && absent.live_host().is_none());
        drop(absent);
        assert_eq!(Instance::alive(&path).unwrap(), None);
        let next = InstanceLock::acquire(&path, now).unwrap().unwrap();
        assert_ne!(next.instance.instance, first.instance);
    }

    #[test]
    fn only_the_very_process_is_signalled() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(5);
        let lock = InstanceLock::acquire(&directory.path().join("lock"), now).unwrap().unwrap();
        let own = lock.instance.clone();
        assert!(own.process().is_some());
        // Another process got the number since, or it is a number of another machine.
        let later = Instance { pid_start: own.pid_start.map(|start| start + 1), ..own.clone() };
        assert!(later.process().is_none());
        let unknown = Instance { pid_start: None, ..own.clone() };
        assert!(unknown.process().is_none());
        let elsewhere = Instance { boot: "another".to_owned(), ..own };
        assert!(elsewhere.process().is_none());
    }

    #[test]
    fn the_line_of_the_instance_before_is_gone_with_its_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        std::fs::write(&path, "x".repeat(4000)).unwrap();
        let held = InstanceLock::acquire(&path, Timestamp::from_millis(5)).unwrap().unwrap();
        assert_eq!(Instance::alive(&path).unwrap(), Some(held.instance));
    }

    #[test]
    fn a_line_that_changes_can_be_read_at_any_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let mut held = InstanceLock::acquire(&path, Timestamp::from_millis(5)).unwrap().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(Instance::alive(&path).unwrap().is_some());
                }
            });
            for number in 0..2000_usize {
                held.update(|instance| {
                    instance.supervisor = Some(number as u32);
                    instance.given_up = (number % 2 == 0).then(|| "x".repeat(number / 4));
                })
                .unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_eq!(Instance::alive(&path).unwrap().as_ref(), Some(&held.instance));
        let too_long = held.update(|instance| instance.given_up = Some("x".repeat(LINE)));
        assert_eq!(too_long.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(Instance::alive(&path).unwrap().as_ref(), Some(&held.instance));
    }

    #[test]
    fn a_lock_is_handed_on_with_its_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = InstanceLock::acquire(&path, Timestamp::from_millis(5)).unwrap().unwrap();
        let other = open(&path).unwrap();
        let refused = InstanceLock::inherited(other).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);

        let inherited = InstanceLock::inherited(held.file.try_clone().unwrap()).unwrap();
        assert_eq!(inherited.instance, held.instance);
        drop(held);
        assert_eq!(Instance::alive(&path).unwrap(), Some(inherited.instance.clone()));
        drop(inherited);
        assert_eq!(Instance::alive(&path).unwrap(), None);
    }

    #[test]
    fn an_instance_that_is_still_writing_its_name_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = InstanceLock::acquire(&path, Timestamp::from_millis(5)).unwrap().unwrap();
        let line = std::fs::read(&path).unwrap();
        std::fs::write(&path, &line[..line.len() / 2]).unwrap();
        let found = Presence::hold_after(&path, |_| {
            std::fs::write(&path, &line).unwrap();
            true
        });
        assert!(matches!(found.unwrap(), Presence::Alive(found) if found == held.instance));

        std::fs::write(&path, "").unwrap();
        assert!(Presence::hold_after(&path, |_| false).is_err(), "it is not absent either");
    }
}
