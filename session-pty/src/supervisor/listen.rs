//! The socket: made where nobody else can reach it, taken over when its owner is dead.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use session_core::{ErrorKind, RuntimeError};

use super::log_line;
use crate::instance::{Instance, Socket};
use crate::place::Place;

/// The file of a socket that this process has bound: what is at its path may be somebody else's by now.
#[derive(Debug)]
pub(super) struct SocketFile(Socket);

impl SocketFile {
    /// Whether it still is what clients find.
    pub(super) fn is_in_place(&self) -> bool {
        self.0.is_in_place()
    }

    /// Removes it, unless another one has taken its place.
    pub(super) fn remove(&self) {
        if self.is_in_place()
            && let Err(error) = fs::remove_file(&self.0.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            log_line(&format!("removing the socket: {error}"));
        }
    }
}

/// Binds the socket. The caller holds the instance lock and has no socket in place, so one that is there is stale,
/// unless it belongs to the supervisor of another store that was given the same runtime directory.
pub(super) fn bind(place: &Place) -> Result<(UnixListener, SocketFile), RuntimeError> {
    place.prepare_runtime_dir()?;
    let path = place.socket();
    let failed = |source| RuntimeError::io("listening", source);
    if fs::symlink_metadata(&path).is_ok() {
        if UnixStream::connect(&path).is_ok() {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::WrongStore,
                message: format!("{} serves another store", path.display()),
                hint: Some("choose another --runtime-dir for this store".to_owned()),
            });
        }
        fs::remove_file(&path).map_err(failed)?;
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    let file = Socket::at(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, SocketFile(file)))
}

/// Goes on with the socket of the supervisor before, which was bound as `known` if anybody says so. If it is not what
/// clients find, another one is bound.
pub(super) fn adopt(
    place: &Place,
    listener: UnixListener,
    known: Option<&Socket>,
) -> Result<(UnixListener, SocketFile), RuntimeError> {
    let path = place.socket();
    let bound_to = listener.local_addr().ok();
    let is_bound_there = bound_to.is_some_and(|address| address.as_pathname() == Some(&path));
    match Socket::at(&path) {
        Ok(found) if is_bound_there && known.is_none_or(|known| *known == found) => {
            let ready = listener.set_nonblocking(true);
            ready.map_err(|source| RuntimeError::io("listening", source))?;
            Ok((listener, SocketFile(found)))
        }
        _ => {
            // Closed first: while it is open, the socket would seem to be that of another store.
            drop(listener);
            bind(place)
        }
    }
}

/// Asks the living instance to bind its socket again: a logout may have removed the runtime directory.
pub(crate) fn ask_to_bind_again(lock: &Path) {
    let Ok(Some(instance)) = Instance::alive(lock) else { return };
    if let Some(process) = instance.process() {
        // One that is gone by now is replaced by whoever tries next.
        let _gone = rustix::process::pidfd_send_signal(process, rustix::process::Signal::USR1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(directory: &Path) -> Place {
        Place::new(directory.join("data"), directory.join("run"), "sqlite")
    }

    #[test]
    fn only_the_own_socket_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let (first, file) = bind(&place).unwrap();
        assert!(file.is_in_place());
        // Somebody else's, in the same place.
        fs::rename(place.socket(), directory.path().join("aside")).unwrap();
        let other = UnixListener::bind(place.socket()).unwrap();
        assert!(!file.is_in_place());
        file.remove();
        assert!(place.socket().exists(), "it is not ours to remove");

        fs::rename(directory.path().join("aside"), place.socket()).unwrap();
        assert!(file.is_in_place());
        file.remove();
        assert!(!place.socket().exists());
        drop((first, other));
    }

    #[test]
    fn a_stale_socket_is_taken_over_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let (listener, _) = bind(&place).unwrap();
        assert_eq!(bind(&place).unwrap_err().kind(), ErrorKind::WrongStore);
        drop(listener);
        bind(&place).unwrap();
    }

    #[test]
    fn only_what_clients_find_is_adopted() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let (first, file) = bind(&place).unwrap();
        let again = || first.try_clone().unwrap();
        let (_, adopted) = adopt(&place, again(), Some(&file.0)).unwrap();
        assert_eq!(adopted.0, file.0);
        // Bound at this path, and what is there now is another one.
        fs::rename(place.socket(), directory.path().join("aside")).unwrap();
        drop(UnixListener::bind(place.socket()).unwrap());
        let (listener, bound) = adopt(&place, again(), Some(&file.0)).unwrap();
        assert_ne!(bound.0, file.0);
        let _client = UnixStream::connect(place.socket()).unwrap();
        listener.accept().unwrap();
        // Gone altogether.
        bound.remove();
        let (listener, _) = adopt(&place, listener, Some(&bound.0)).unwrap();
        let _client = UnixStream::connect(place.socket()).unwrap();
        listener.accept().unwrap();
    }
}
