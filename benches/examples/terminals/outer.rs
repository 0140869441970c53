//! The terminal that a person sits at: this program holds the other end of it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use session_benches::terminal;

/// Whoever waits for so long waits for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a program on it.
#[derive(Debug)]
pub(crate) struct Outer {
    terminal: File,
    program: Child,
    buffer: Vec<u8>,
}

impl Outer {
    /// Runs a program on a new terminal.
    pub(crate) fn run(mut command: Command) -> Self {
        let (terminal, inner) = terminal::open().unwrap();
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(inner);
        // The command holds the program's side of the terminal, and lets go of it here.
        let program = command.spawn().unwrap();
        Self { terminal: File::from(terminal), program, buffer: vec![0; 64 << 10] }
    }

    /// Types.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.terminal.write_all(bytes).unwrap();
    }

    /// What comes next; `None` when nobody has the terminal any more.
    pub(crate) fn read(&mut self) -> Option<&[u8]> {
        let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        match rustix::event::poll(&mut fds, Some(&patience)) {
            Ok(0) => panic!("nothing comes"),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        match self.terminal.read(&mut self.buffer) {
            // Linux tells the end of a terminal's output as EIO.
            Ok(0) | Err(_) => None,
            Ok(len) => Some(&self.buffer[..len]),
        }
    }

    /// Reads until a text has come, and says how much that was. Fast where its first byte is rare.
    pub(crate) fn until(&mut self, text: &str) -> usize {
        let (text, mut received, mut found) = (text.as_bytes(), 0, Vec::new());
        loop {
            let output = self.read().expect("it comes before the end");
            received += output.len();
            if !found.is_empty() || output.contains(&text[0]) {
                found.extend_from_slice(output);
                if found.windows(text.len()).any(|window| window == text) {
                    return received;
                }
                found.drain(..found.len().saturating_sub(text.len()));
                let begin = found.iter().position(|byte| *byte == text[0]);
                found.drain(..begin.unwrap_or(found.len()));
            }
        }
    }

    /// Reads to the end, as long as the program or one of its children has the terminal.
    pub(crate) fn drain(&mut self) {
        while self.read().is_some() {}
    }

    /// Waits for the program's end.
    pub(crate) fn wait(&mut self) {
        self.program.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.program), signal).unwrap();
    }

    /// Another handle of the terminal, for a thread.
    pub(crate) fn reader(&self) -> File {
        self.terminal.try_clone().unwrap()
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        // Fails where the program has ended already, and that is what is wanted.
        let _ended = self.program.kill();
        let _reaped = self.program.wait();
    }
}
