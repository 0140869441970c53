//! Accepting clients until there is a reason to leave.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::listen::{self, SocketFile};
use super::{Supervisor, connection, log, log_line};

/// How long a supervisor that nobody needs stays: a script that starts one program after another should not pay
/// for a new supervisor each time.
const LINGER: Duration = Duration::from_secs(2);

/// Why a supervisor stops serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Nothing is to be left.
    ForGood,
    /// Programs stay with the keeper, and the next supervisor takes them back.
    ForTheNext,
}

/// Serves until there is a reason to leave; clients then find no socket, and start a new instance, which waits for
/// the lock. While the keeper stays, so does the socket.
pub(super) async fn serve(
    supervisor: &Arc<Supervisor>,
    listener: std::os::unix::net::UnixListener,
    mut socket: SocketFile,
) -> io::Result<Departure> {
    let mut listener = UnixListener::from_std(listener)?;
    let served = accept_all(supervisor, &mut listener, &mut socket).await;
    if !matches!(served, Ok(Departure::ForTheNext)) {
        socket.remove();
    }
    served
}

async fn accept_all(
    supervisor: &Arc<Supervisor>,
    listener: &mut UnixListener,
    socket: &mut SocketFile,
) -> io::Result<Departure> {
    let mut ends: [Signal; 3] = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let mut bind_again = signal(SignalKind::user_defined1())?;
    loop {
        let [terminate, interrupt, hangup] = &mut ends;
        tokio::select! {
            // In this order: whoever is told to end everything does so even when a signal says to leave it to the next.
            biased;
            () = supervisor.leave.notified() => return Ok(Departure::ForGood),
            () = supervisor.make_room.notified() => return Ok(Departure::ForTheNext),
            _ = terminate.recv() => return Ok(Departure::ForTheNext),
            _ = interrupt.recv() => return Ok(Departure::ForTheNext),
            _ = hangup.recv() => {}
            _ = bind_again.recv() => {
                // In place, whoever asked was late or looks elsewhere.
                if !socket.is_in_place() {
                    match listen::bind(&supervisor.place) {
                        Ok((bound, file)) => {
                            supervisor.hand_in(&bound);
                            log::reopen();
                            log_line("the socket was gone and is there again");
                            *listener = UnixListener::from_std(bound)?;
                            *socket = file;
                        }
                        Err(error) => log_line(&format!("binding again: {error}")),
                    }
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => Supervisor::welcome(supervisor, stream),
                // Out of descriptors, for instance: those that are connected may free some.
                Err(error) => {
                    log_line(&format!("accepting a client: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = supervisor.idle(), if !supervisor.stays => return Ok(Departure::ForGood),
        }
    }
}

/// A client's connection among those that are counted.
struct Connected(Arc<Supervisor>);

impl Connected {
    fn new(supervisor: &Arc<Supervisor>) -> Self {
        supervisor.connections.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(supervisor))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

impl Supervisor {
    /// Comes back when nothing has run and nobody was connected for a while.
    async fn idle(&self) {
        loop {
            while self.is_needed() {
                self.changed.notified().await;
            }
            let disturbed = tokio::time::timeout(LINGER, self.changed.notified()).await.is_ok();
            if !disturbed && !self.is_needed() {
                return;
            }
        }
    }

    fn is_needed(&self) -> bool {
        self.connections.load(Ordering::Acquire) > 0
            || self.runtime.is_busy()
            || !self.untaken().is_empty()
    }

    /// Serves a client in a task of its own, unless it is somebody else's.
    fn welcome(this: &Arc<Self>, stream: UnixStream) {
        let uid = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
        if uid.ok() != Some(rustix::process::geteuid()) {
            log_line("refused a client of another user");
            return;
        }
        let connected = Connected::new(this);
        tokio::spawn(async move {
            if let Err(error) = connection::serve(&connected.0, stream).await {
                log_line(&format!("a client: {error}"));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::supervisor;
    use super::*;

    #[test]
    fn a_connection_that_fails_counts_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        let connected = Connected::new(&supervisor);
        assert!(supervisor.is_needed());
        let failed = std::thread::spawn(move || {
            let _connected = connected;
            panic!("as a task might");
        });
        assert!(failed.join().is_err());
        assert!(!supervisor.is_needed());
    }
}
