//! The socket: made where nobody else can reach it, taken over when its owner is dead.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use session_core::{ErrorKind, RuntimeError};

use crate::instance::Instance;
use crate::place::Place;

/// Binds the socket. The caller holds the instance lock, so a socket that is there is stale, unless it belongs to
/// the supervisor of another store that was given the same runtime directory.
pub(super) fn bind(place: &Place) -> Result<UnixListener, RuntimeError> {
    place.prepare_runtime_dir()?;
    let socket = place.socket();
    let failed = |source| RuntimeError::io("listening", source);
    if fs::symlink_metadata(&socket).is_ok() {
        if UnixStream::connect(&socket).is_ok() {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::WrongStore,
                message: format!("{} serves another store", socket.display()),
                hint: Some("choose another --runtime-dir for this store".to_owned()),
            });
        }
        fs::remove_file(&socket).map_err(failed)?;
    }
    let listener = UnixListener::bind(&socket).map_err(failed)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Removes the socket, which this process has bound.
pub(super) fn unlink(place: &Place) {
    if let Err(error) = fs::remove_file(place.socket())
        && error.kind() != io::ErrorKind::NotFound
    {
        super::log_line(&format!("removing the socket: {error}"));
    }
}

/// Asks the living instance to bind its socket again: a logout may have removed the runtime directory.
pub(super) fn ask_to_bind_again(lock: &Path) {
    let Ok(Some(instance)) = Instance::alive(lock) else { return };
    if let Some(process) = instance.process() {
        // One that is gone by now is replaced by whoever tries next.
        let _gone = rustix::process::pidfd_send_signal(process, rustix::process::Signal::USR1);
    }
}
