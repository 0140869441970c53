//! Where a store's supervisor is found: its socket, its log, its lock.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use session_core::{ErrorKind, RuntimeError, SessionId};

use crate::wire::StoreIdentity;

/// The directories of one store and its supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    data_dir: PathBuf,
    runtime_dir: PathBuf,
    store_kind: String,
}

impl Place {
    /// The place of the store of this kind in `data_dir`, whose supervisor listens in `runtime_dir`.
    ///
    /// `data_dir` should be canonical: two spellings of one directory must not look like two stores.
    #[must_use]
    pub fn new(data_dir: PathBuf, runtime_dir: PathBuf, store_kind: &str) -> Self {
        Self { data_dir, runtime_dir, store_kind: store_kind.to_owned() }
    }

    /// Where the data are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where the socket is.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime_dir.join("supervisor.sock")
    }

    /// The supervisor's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.runtime_dir.join("supervisor.log")
    }

    /// The file that a supervisor keeps locked as long as it lives.
    #[must_use]
    pub fn instance_lock(&self) -> PathBuf {
        self.data_dir.join(format!("instance-{}.lock", self.store_kind))
    }

    /// Logs and last screens of programs that have ended.
    #[must_use]
    pub fn output_dir(&self) -> PathBuf {
        self.data_dir.join("output")
    }

    /// Where a session is recorded that is.
    #[must_use]
    pub fn recording(&self, id: SessionId) -> PathBuf {
        self.output_dir().join(format!("{id}.cast"))
    }

    pub(crate) fn identity(&self) -> StoreIdentity {
        StoreIdentity { kind: self.store_kind.clone(), data_dir: self.data_dir.clone() }
    }

    /// Makes the runtime directory, or checks that the one that is there can be trusted.
    ///
    /// # Errors
    /// `refused` when it belongs to somebody else, when others may write to it, or when it is no directory.
    pub fn prepare_runtime_dir(&self) -> Result<(), RuntimeError> {
        prepare_own_directory(&self.runtime_dir)
    }

    /// Checks that the runtime directory can be trusted, if it is there.
    ///
    /// # Errors
    /// As for [`Self::prepare_runtime_dir`].
    pub fn check_runtime_dir(&self) -> Result<(), RuntimeError> {
        check_own_directory(&self.runtime_dir)
    }
}

/// Makes a directory below the runtime directory, or that itself; one that is there must be trustworthy.
///
/// # Errors
/// As for [`Place::prepare_runtime_dir`].
pub(crate) fn prepare_own_directory(directory: &Path) -> Result<(), RuntimeError> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    if let Err(source) = created
        && source.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(RuntimeError::io("making the runtime directory", source));
    }
    check_own_directory(directory)
}

/// Checks that a directory can be trusted, if it is there.
///
/// # Errors
/// As for [`Place::prepare_runtime_dir`].
pub(crate) fn check_own_directory(path: &Path) -> Result<(), RuntimeError> {
    let directory = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(RuntimeError::io("looking at the runtime directory", source));
        }
    };
    let reason = if !metadata.is_dir() {
        "is not a directory"
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if metadata.permissions().mode() & 0o022 != 0 {
        "can be written to by other users"
    } else {
        return Ok(());
    };
    Err(RuntimeError::Remote {
        kind: ErrorKind::Refused,
        message: format!("the runtime directory {directory} {reason}"),
        hint: Some(format!(
            "remove it, run `chmod 700 {directory}`, or choose another with --runtime-dir"
        )),
    })
}
