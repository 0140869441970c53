//! The ssh agent of whoever sat down at a session last, under a name that stays the same for its programs.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use session_core::{RuntimeError, SessionId};

use super::log_line;
use crate::place::{Place, check_own_directory, prepare_own_directory};

/// The variable by which programs find the agent.
const VARIABLE: &str = "SSH_AUTH_SOCK";

/// A symbolic link for each session, in a directory that belongs to the user alone.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    directory: PathBuf,
}

impl Agents {
    pub(super) fn of(place: &Place) -> Self {
        Self { directory: place.runtime_dir().join("agents") }
    }

    /// Gives a program the link in place of its caller's agent, which the link leads to for now.
    ///
    /// # Errors
    /// When the directory of links cannot be trusted, as for that of the socket, or made.
    pub(super) fn introduce(
        &self,
        id: SessionId,
        environment: &mut Vec<(OsString, OsString)>,
    ) -> Result<(), RuntimeError> {
        let callers = environment.iter().find(|(name, _)| name == VARIABLE);
        // Without one, programs that start an agent where there is none do so.
        let Some(agent) = callers.map(|(_, agent)| PathBuf::from(agent)) else { return Ok(()) };
        prepare_own_directory(&self.directory)?;
        self.follow(id, &agent);
        environment.retain(|(name, _)| name != VARIABLE);
        environment.push((VARIABLE.into(), self.link(id).into_os_string()));
        Ok(())
    }

    /// Leads to another agent from now on.
    pub(super) fn follow(&self, id: SessionId, agent: &Path) {
        let link = self.link(id);
        // One who attaches from inside a session brings the link of that one: links must not lead to each other.
        let behind = (agent.parent() == Some(&self.directory)).then(|| fs::read_link(agent).ok());
        let agent = match &behind {
            Some(Some(agent)) => agent,
            Some(None) => return,
            None => agent,
        };
        if !agent.is_absolute() || *agent == link {
            return;
        }
        let draft = link.with_extension("new");
        let made = prepare_own_directory(&self.directory)
            .map_err(io::Error::other)
            .and_then(|()| remove(&draft))
            .and_then(|()| symlink(agent, &draft))
            .and_then(|()| fs::rename(&draft, &link));
        if let Err(error) = made {
            log_line(&format!("linking session {id} to the ssh agent: {error}"));
        }
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: SessionId) {
        let trusted = check_own_directory(&self.directory).map_err(io::Error::other);
        if let Err(error) = trusted.and_then(|()| remove(&self.link(id))) {
            log_line(&format!("removing the link to the ssh agent of {id}: {error}"));
        }
    }

    fn link(&self, id: SessionId) -> PathBuf {
        self.directory.join(id.to_string())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use session_core::{ErrorKind, Timestamp};

    use super::*;

    fn own_agent(variables: &[(OsString, OsString)]) -> Option<&OsString> {
        variables.iter().find(|(name, _)| name == VARIABLE).map(|(_, agent)| agent)
    }

    #[test]
    fn the_link_leads_to_whoever_came_last() {
        let directory = tempfile::tempdir().unwrap();
        let place =
            Place::new(directory.path().join("data"), directory.path().to_owned(), "sqlite");
        let (agents, id) =
            (Agents::of(&place), SessionId::from_parts(Timestamp::from_millis(1), 2));
        let mut environment = vec![
            (OsString::from("A"), OsString::from("1")),
            (OsString::from(VARIABLE), OsString::from("/tmp/first")),
        ];
        agents.introduce(id, &mut environment).unwrap();
        let link = PathBuf::from(own_agent(&environment).unwrap());
        assert_eq!(environment.len(), 2);
        let leads_to = || fs::read_link(&link).unwrap();
        assert_eq!(leads_to(), Path::new("/tmp/first"));
        agents.follow(id, Path::new("/tmp/second"));
        assert_eq!(leads_to(), Path::new("/tmp/second"));
        // From inside, or nonsense.
        agents.follow(id, &link);
        agents.follow(id, Path::new("relative"));
        assert_eq!(leads_to(), Path::new("/tmp/second"));
        agents.forget(id);
        assert!(link.symlink_metadata().is_err());
        agents.forget(id);
    }

    #[test]
    fn links_never_lead_to_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let place =
            Place::new(directory.path().join("data"), directory.path().to_owned(), "sqlite");
        let agents = Agents::of(&place);
        let ids = [2, 3].map(|number| SessionId::from_parts(Timestamp::from_millis(1), number));
        agents.follow(ids[0], Path::new("/tmp/agent"));
        agents.follow(ids[1], &agents.link(ids[0]));
        agents.follow(ids[0], &agents.link(ids[1]));
        for id in ids {
            assert_eq!(fs::read_link(agents.link(id)).unwrap(), Path::new("/tmp/agent"));
        }
    }

    #[test]
    fn a_directory_that_cannot_be_trusted_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let place =
            Place::new(directory.path().join("data"), directory.path().to_owned(), "sqlite");
        let (agents, id) =
            (Agents::of(&place), SessionId::from_parts(Timestamp::from_millis(1), 2));
        let elsewhere = directory.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let refused = |why: &str| {
            let callers = vec![(OsString::from(VARIABLE), OsString::from("/tmp/agent"))];
            let mut environment = callers.clone();
            let error = agents.introduce(id, &mut environment).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(environment, callers);
            // Whoever attaches later changes nothing there either, nor does the end.
            let name = elsewhere.join(id.to_string());
            fs::write(&name, "not ours").unwrap();
            agents.follow(id, Path::new("/tmp/agent"));
            agents.forget(id);
            assert_eq!(fs::read(&name).unwrap(), b"not ours");
        };
        symlink(&elsewhere, &agents.directory).unwrap();
        refused("is not a directory");
        fs::remove_file(&agents.directory).unwrap();
        fs::create_dir(&agents.directory).unwrap();
        fs::set_permissions(&agents.directory, fs::Permissions::from_mode(0o770)).unwrap();
        refused("can be written to by other users");
    }

    #[test]
    fn without_an_agent_there_is_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let place =
            Place::new(directory.path().join("data"), directory.path().to_owned(), "sqlite");
        let (agents, id) =
            (Agents::of(&place), SessionId::from_parts(Timestamp::from_millis(1), 2));
        let mut environment = Vec::new();
        agents.introduce(id, &mut environment).unwrap();
        assert_eq!((environment.len(), agents.link(id).exists()), (0, false));
    }
}
