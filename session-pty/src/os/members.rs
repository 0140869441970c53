//! Who belongs to a terminal session.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::exit_watch;

/// A process that is held by more than its number, which may become another's at any time.
#[derive(Debug)]
pub(crate) struct Member {
    process: OwnedFd,
}

/// Where a process belongs.
#[derive(Clone, Copy, Debug)]
struct Belonging {
    session: u32,
    group: u32,
}

/// All processes by their sessions. The list of processes has no order that would spare reading it whole, so those
/// who ask together share one: a thousand programs that end at once would read it a thousand times otherwise.
#[derive(Debug)]
struct Census {
    begun: Instant,
    sessions: HashMap<u32, Vec<u32>>,
}

static CENSUS: Mutex<Option<Census>> = Mutex::new(None);

/// The processes that belong to the terminal session which `leader` led, `leader` itself apart.
pub(crate) fn session_members(leader: u32) -> Vec<Member> {
    hold(leader, |pid, _| pid != leader)
}

/// The processes of the terminal session that `leader` led which are in one of these groups, `leader` included.
pub(crate) fn session_groups(leader: u32, groups: &[u32]) -> Vec<Member> {
    hold(leader, |_, group| groups.contains(&group))
}

impl Member {
    /// Sends a signal, and wakes it if it is stopped.
    pub(crate) fn signal(&self, signal: Signal) {
        for signal in [signal, Signal::CONT] {
            // One that is gone needs no signal.
            let _gone = pidfd_send_signal(&self.process, signal);
        }
    }

    /// Waits for its end, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.process, PollFlags::IN)];
        // Ended or not in time: either way the caller looks again.
        let _either_way = rustix::event::poll(&mut fds, Some(&timeout));
    }
}

/// The session that a process belongs to; `None` when there is no such process.
pub(super) fn session_of(pid: u32) -> Option<u32> {
    Some(belonging(pid)?.session)
}

fn hold(leader: u32, is_wanted: impl Fn(u32, u32) -> bool) -> Vec<Member> {
    let held = |pid: u32| {
        let process = exit_watch(i32::try_from(pid).ok().and_then(Pid::from_raw)?).ok()?;
        // Looked at once it is held: in between the number may have become another's.
        let Belonging { session, group } = belonging(pid)?;
        (session == leader && is_wanted(pid, group)).then_some(Member { process })
    };
    members_of(leader).into_iter().filter_map(held).collect()
}

/// Everybody who belonged to the session at some time after this was called.
fn members_of(leader: u32) -> Vec<u32> {
    let asked = Instant::now();
    let mut census = CENSUS.lock().unwrap_or_else(PoisonError::into_inner);
    // One that began before may lack whoever has come since.
    let current = match census.take().filter(|census| census.begun >= asked) {
        Some(current) => current,
        None => Census::of_now(),
    };
    let members = current.sessions.get(&leader).cloned().unwrap_or_default();
    *census = Some(current);
    members
}

impl Census {
    fn of_now() -> Self {
        let mut census = Self { begun: Instant::now(), sessions: HashMap::new() };
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some((pid, Belonging { session, .. })) =
                pid.and_then(|pid| Some((pid, belonging(pid)?)))
            {
                census.sessions.entry(session).or_default().push(pid);
            }
        }
        census
    }
}

fn belonging(pid: u32) -> Option<Belonging> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(2);
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    Some(Belonging { session, group })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn whoever_has_come_since_the_last_look_is_found() {
        let own = session_of(std::process::id()).unwrap();
        let before = members_of(own);
        let mut script = Command::new("sh")
            .args(["-c", "exec 3<&0; cat <&3 & echo $!; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let job: u32 = line.trim().parse().unwrap();
        let after = members_of(own);
        for pid in [job, script.id()] {
            assert!(!before.contains(&pid) && after.contains(&pid), "{pid}: {after:?}");
        }
        let held = hold(own, |pid, _| pid == job);
        assert_eq!(held.len(), 1);
        held[0].signal(Signal::KILL);
        held[0].wait(Duration::from_secs(20));
        script.wait().unwrap();
    }
}
