//! A scripted runtime that dies and comes back while its programs run on.

use session_core::RuntimeError;

use super::ScriptedRuntime;

impl ScriptedRuntime {
    /// The runtime is gone: whoever calls it waits until it is back, and what its programs do stays unrecorded.
    pub fn leave(&self) {
        self.stage.programs().meanwhile.get_or_insert_default();
    }

    /// The runtime is there again, and does what it has missed.
    ///
    /// # Errors
    /// What the store reports. Then it stays away, and has missed nothing: it may come back later.
    pub fn come_back(&self) -> Result<(), RuntimeError> {
        let mut programs = self.stage.programs();
        for id in programs.all.keys() {
            self.store.get(*id)?;
        }
        for (id, actions) in programs.meanwhile.take().unwrap_or_default() {
            if let Some(program) = programs.all.get_mut(&id) {
                self.act(id, program, actions)?;
            }
        }
        drop(programs);
        self.stage.changed.notify_all();
        Ok(())
    }

    /// Sends TERM to the program with this pid, as any process could, whether or not the runtime is there.
    ///
    /// # Errors
    /// What the store reports of an end that is recorded at once.
    pub fn terminate(&self, pid: u32) -> Result<(), RuntimeError> {
        let mut programs = self.stage.programs();
        let found = programs.all.iter().find(|(_, program)| program.pid == pid);
        let Some((id, actions)) = found.map(|(id, program)| (*id, program.script.terminated()))
        else {
            return Ok(());
        };
        if let Some(meanwhile) = &mut programs.meanwhile {
            meanwhile.push((id, actions));
            return Ok(());
        }
        let program = programs.all.get_mut(&id).filter(|program| program.exit.is_none());
        program.map_or(Ok(()), |program| self.act(id, program, actions))
    }
}
