//! The viewers of one session: who leads, what each is shown, who is sent away.
//!
//! Whoever typed last leads, also under the supervisor before: the session's terminal has that viewer's size. Viewers of this size get the program's
//! bytes as they come, those of another size are painted the screen into their own.

use std::cmp::Reverse;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use session_core::{Exit, TerminalSize};

use super::journal::Account;
use super::tally::Tally;
use super::typing::{Share, Typing};
use super::viewer::{Painted, Viewer};
use super::{Shared, lock, timespec};
use crate::events::Happening;
use crate::output::Kept;
use crate::screen::{RESTORE, Screen};
use crate::wire::{Feed, Frame, Kind, Typist, ViewerSpec};

/// How long viewers may take to fetch the last bytes of a program that has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// All viewers, in the order in which they came.
#[derive(Debug)]
pub(super) struct Audience {
    shared: Arc<Shared>,
    viewers: Vec<Viewer>,
    /// How far a viewer may be behind.
    limit: u64,
    /// Counts viewers that came and pieces that they typed: whoever has the highest number typed last.
    turn: u64,
}

impl Audience {
    pub(super) fn new(shared: Arc<Shared>, limit: u64) -> Self {
        let turn = shared.journal.last_turn();
        Self { shared, viewers: Vec::new(), limit, turn }
    }

    pub(super) fn viewers(&self) -> &[Viewer] {
        &self.viewers
    }

    /// Forgets everybody at once.
    pub(super) fn dismiss(&mut self) {
        self.viewers.clear();
        self.conclude();
    }

    /// Takes in a viewer with its connection, and what was read from it already.
    pub(super) fn admit(
        &mut self,
        stream: UnixStream,
        spec: ViewerSpec,
        unread: &[u8],
        typing: &mut Typing,
    ) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if spec.detach_others && !spec.read_only {
            self.send_away(true);
        }
        let mut newcomer =
            Viewer::new(stream, spec, unread, self.limit, Some(&self.shared.journal));
        self.recognise(&mut newcomer, typing);
        let leads = self.leader().is_none_or(|leader| newcomer.goes_before(&self.viewers[leader]));
        if newcomer.can_lead() && leads {
            self.give_size(newcomer.spec.size);
        }
        let (watches, read_only, size) =
            (newcomer.watches(), newcomer.spec.read_only, newcomer.spec.size);
        // Whoever sees something is counted already.
        self.shared.viewers.store(self.watching() + usize::from(watches), Ordering::Release);
        introduce(&self.shared, &mut newcomer);
        self.viewers.push(newcomer);
        self.conclude();
        if watches {
            let viewers = self.watching();
            self.shared.news.tell(Happening::Attached { read_only, size, viewers });
        }
        // What it sent right behind its request is in the decoder already and will not make the socket readable.
        self.act_on_frames(self.viewers.len() - 1, typing);
    }

    /// Finds out whether a newcomer was here before, and tells it how much of what it typed was taken.
    fn recognise(&mut self, newcomer: &mut Viewer, typing: &mut Typing) {
        self.turn += 1;
        newcomer.came = self.turn;
        let Some(typist) = newcomer.spec.typist.filter(|_| !newcomer.spec.read_only) else {
            return;
        };
        // Whatever it has typed over another connection and was not taken, it will send again.
        typing.forget(typist);
        self.viewers.iter_mut().filter(|viewer| viewer.types_as(typist)).for_each(Viewer::leave);
        self.remove_gone();
        let journal = &self.shared.journal;
        let known = journal.account(typist);
        let account = known.unwrap_or(Account { came: self.turn, ..Account::default() });
        newcomer.came = account.came;
        newcomer.typed = account.typed;
        newcomer.tally = Some(Tally::new(typist, account.taken));
        self.keep_account(typist, &account, typing);
        let lost = known.is_none() && journal.has_forgotten();
        newcomer.say_taken(if lost { u64::MAX } else { account.taken });
    }

    fn keep_account(&self, typist: Typist, account: &Account, typing: &Typing) {
        let stays = |other| self.has(other) || typing.has_piece_of(other);
        self.shared.journal.keep_account(typist, account, stays);
    }

    /// Whether this typist is a viewer.
    pub(super) fn has(&self, typist: Typist) -> bool {
        self.viewers.iter().any(|viewer| viewer.types_as(typist))
    }

    /// The terminal has taken so much of what was typed.
    pub(super) fn note_taken(&mut self, progress: &[Share]) {
        for Share { typist, until } in progress {
            let mut tallies = self.viewers.iter_mut().filter_map(|viewer| viewer.tally.as_mut());
            if let Some(tally) = tallies.find(|tally| tally.typist() == *typist) {
                tally.note(*until);
            }
        }
    }

    /// Bytes from the program. They reach those who see them before the emulator does.
    pub(super) fn output(&mut self, batch: &Range<u64>, bytes: &[u8]) {
        for viewer in &mut self.viewers {
            viewer.output(batch.clone(), bytes);
        }
        // Whoever was left behind by these answers no queries any more.
        self.conclude();
    }

    /// Reads from a viewer and acts on it. Neither adds nor removes viewers.
    pub(super) fn hear(&mut self, index: usize, buffer: &mut [u8], typing: &mut Typing) {
        self.viewers[index].receive(buffer);
        self.act_on_frames(index, typing);
    }

    fn act_on_frames(&mut self, index: usize, typing: &mut Typing) {
        if !self.viewers[index].is_present() {
            // Whatever it still sent is read, so that nobody looks for it again, and not acted upon.
            while self.viewers[index].next_frame().is_some() {}
            return;
        }
        // While a window is dragged there is a size after the other: only the last one is worth a picture.
        let mut size = None;
        while let Some(Frame { kind, payload }) = self.viewers[index].next_frame() {
            if kind == Kind::Resize {
                size = serde_json::from_slice(&payload).ok().or(size);
                continue;
            }
            self.take_size(index, size.take());
            match kind {
                _ if self.viewers[index].spec.read_only && kind != Kind::Detach => {}
                Kind::Input => self.take_typing(index, payload, typing),
                Kind::Report if self.leader() == Some(index) => typing.push(payload, None),
                Kind::EndOfInput => {
                    let tally = self.viewers[index].tally.as_mut();
                    // It counts as one more byte, so that it is sent again where it was not acted upon.
                    typing.end_when_read(tally.map(|tally| tally.hear(1)));
                }
                Kind::Detach => self.viewers[index].leave(),
                _ => {}
            }
        }
        self.take_size(index, size);
    }

    /// A viewer's terminal has another size.
    fn take_size(&mut self, index: usize, size: Option<TerminalSize>) {
        let Some(size) = size else { return };
        self.viewers[index].spec.size = Some(size);
        let resized = self.leader() == Some(index) && self.give_size(Some(size));
        if !resized && self.viewers[index].spec.feed == Feed::Screen {
            introduce(&self.shared, &mut self.viewers[index]);
        }
        self.conclude();
    }

    /// Typing goes to the program and makes its viewer the leader.
    fn take_typing(&mut self, index: usize, bytes: Vec<u8>, typing: &mut Typing) {
        if bytes.is_empty() {
            return;
        }
        let by = self.viewers[index].tally.as_mut().map(|tally| tally.hear(bytes.len()));
        typing.push(bytes, by);
        self.turn += 1;
        let viewer = &mut self.viewers[index];
        viewer.typed = self.turn;
        viewer.hurry();
        if let Some(tally) = &viewer.tally {
            let (typist, taken) = (tally.typist(), tally.taken());
            let account =
                Account { taken, came: viewer.came, typed: self.turn, ..Account::default() };
            self.keep_account(typist, &account, typing);
        }
        if self.leader() == Some(index) {
            self.give_size(self.viewers[index].spec.size);
            self.conclude();
        }
    }

    /// After how long a viewer is to be told what was taken, or one that was sent away is to be gone.
    pub(super) fn look_again_after(&self) -> Option<Duration> {
        let tallies = self.viewers.iter().filter_map(|viewer| viewer.tally.as_ref());
        tallies
            .filter_map(Tally::left)
            .chain(self.viewers.iter().filter_map(Viewer::leaves_in))
            .min()
    }

    /// The viewer that typed last among those that may lead; before anybody typed, the one that came first.
    fn leader(&self) -> Option<usize> {
        let candidates = self.viewers.iter().enumerate().filter(|(_, viewer)| viewer.can_lead());
        candidates.max_by_key(|(_, viewer)| viewer.rank()).map(|(index, _)| index)
    }

    /// Gives the session's terminal this size, and whether it had another one before.
    fn give_size(&mut self, size: Option<TerminalSize>) -> bool {
        let other = size.filter(|size| *size != *lock(&self.shared.size));
        other.is_some_and(|size| self.resize(size))
    }

    /// Gives the terminal another size and every viewer a picture of it.
    pub(super) fn resize(&mut self, size: TerminalSize) -> bool {
        if !self.shared.set_window_size(size) {
            return false;
        }
        self.shared.emulator.resize(size);
        if std::mem::replace(&mut *lock(&self.shared.size), size) != size {
            self.shared.news.tell(Happening::Resized(size));
        }
        for viewer in &mut self.viewers {
            if viewer.spec.feed == Feed::Screen {
                introduce(&self.shared, viewer);
            } else if viewer.is_present() {
                viewer.resized(size);
            }
        }
        self.conclude();
        true
    }

    /// Sends viewers away: the one that typed last, or all.
    pub(super) fn send_away(&mut self, all: bool) {
        let before = self.watching();
        let watching = self.viewers.iter().enumerate().filter(|(_, viewer)| viewer.watches());
        let latest = watching.max_by_key(|(_, viewer)| viewer.typed).map(|(index, _)| index);
        let mut led = None;
        for (index, viewer) in self.viewers.iter_mut().enumerate() {
            if viewer.watches() && (all || Some(index) == latest) {
                led = led.max(viewer.can_lead().then(|| viewer.rank()));
                viewer.send_away();
            }
        }
        self.forget_gone(before, led);
        self.conclude();
    }

    /// The emulator has parsed something: pictures are out of date.
    pub(super) fn screen_changed(&mut self) {
        for painted in self.viewers.iter_mut().filter_map(|viewer| viewer.painted.as_mut()) {
            painted.stale = true;
        }
    }

    /// Sends what can be sent, and what had to wait for that.
    pub(super) fn serve(&mut self) {
        for viewer in &mut self.viewers {
            viewer.tell_taken();
            viewer.send();
            catch_up(&self.shared, viewer, !viewer.has_queue());
        }
        self.remove_gone();
        let wanted = self.viewers.iter().filter_map(Viewer::wanted).min();
        self.shared.journal.keep_from(wanted);
        self.conclude();
    }

    /// Forgets those who have left.
    fn remove_gone(&mut self) {
        let gone = self.viewers.iter().filter(|viewer| viewer.is_gone() && viewer.could_lead());
        let led = gone.map(Viewer::rank).max();
        let before = self.watching();
        self.forget_gone(before, led);
    }

    /// Forgets those who have left, of whom the first in rank had this one. So many watched before. When the leader was
    /// among them, the next one's size counts.
    fn forget_gone(&mut self, before: usize, left: Option<(u64, Reverse<u64>)>) {
        self.viewers.retain(|viewer| !viewer.is_gone());
        for viewers in (self.watching()..before).rev() {
            self.shared.news.tell(Happening::Detached { viewers });
        }
        if let Some(next) = self.leader()
            && left.is_some_and(|rank| rank >= self.viewers[next].rank())
        {
            self.give_size(self.viewers[next].spec.size);
        }
    }

    fn watching(&self) -> usize {
        self.viewers.iter().filter(|viewer| viewer.watches()).count()
    }

    /// Draws every conclusion from who watches what, in one place.
    fn conclude(&self) {
        self.shared.viewers.store(self.watching(), Ordering::Release);
        // A leader's terminal that sees the raw bytes answers what they ask. Otherwise the emulator does.
        let heard = self.leader().is_some_and(|leader| self.viewers[leader].hears());
        self.shared.emulator.set_answering(!heard);
        let painted = self.viewers.iter().any(|viewer| viewer.painted.is_some());
        self.shared.emulator.set_watched(painted);
    }

    /// Tells everybody how it ended and waits, not for ever, until they have fetched everything.
    pub(super) fn say_goodbye(&mut self, exit: Exit) {
        for viewer in &mut self.viewers {
            goodbye(&self.shared, viewer, exit);
        }
        see_off(&mut self.viewers);
        self.shared.viewers.store(0, Ordering::Release);
    }
}

/// Serves a viewer that came after the end: what was there, and how it ended. Waits for it, not for ever.
pub(super) fn tell_end(shared: &Shared, stream: UnixStream, spec: ViewerSpec, exit: Exit) {
    if stream.set_nonblocking(true).is_ok() {
        let mut viewer = Viewer::new(stream, spec, b"", u64::MAX, Some(&shared.journal));
        introduce(shared, &mut viewer);
        goodbye(shared, &mut viewer, exit);
        see_off(&mut vec![viewer]);
    }
}

/// Serves a viewer that comes back after the end, from what is kept. Waits for it, not for ever.
pub(super) fn tell_kept(kept: &Kept, stream: UnixStream, spec: ViewerSpec, exit: Exit) {
    if stream.set_nonblocking(true).is_ok() {
        let mut viewer = Viewer::new(stream, spec, b"", u64::MAX, None);
        viewer.resized(kept.size);
        match viewer.spec.feed {
            Feed::Screen => {
                let mut screen = Screen::new(kept.size, viewer.spec.scrollback);
                screen.feed(&kept.screen);
                viewer.screen(&screen.replay(viewer.spec.scrollback, usize::MAX));
            }
            Feed::Log | Feed::Output => {
                viewer.replay(&kept.since(viewer.spec.from.unwrap_or(0)));
            }
            Feed::Events => {}
        }
        viewer.exited(exit);
        see_off(&mut vec![viewer]);
    }
}

/// Gives a viewer what it needs to go on from here.
fn introduce(shared: &Shared, viewer: &mut Viewer) {
    if !viewer.is_present() {
        return;
    }
    let size = *lock(&shared.size);
    viewer.resized(size);
    viewer.painted = None;
    match viewer.spec.feed {
        Feed::Screen if viewer.needs_frames(size) => paint(shared, viewer),
        Feed::Screen => {
            // Once: its terminal has it from then on.
            let scrollback = std::mem::take(&mut viewer.spec.scrollback);
            viewer.screen(&shared.emulator.snapshot_for_viewer(scrollback));
        }
        Feed::Log => viewer.replay(&shared.journal.since(viewer.spec.from.unwrap_or(0))),
        Feed::Output => {
            viewer.replay(&shared.journal.since(viewer.spec.from.unwrap_or(u64::MAX)));
        }
        Feed::Events => {}
    }
}

/// Shows a viewer of another size the whole screen.
fn paint(shared: &Shared, viewer: &mut Viewer) {
    let Some(size) = viewer.spec.size else { return };
    // First, so that whatever is parsed after the picture is taken is told.
    shared.emulator.set_watched(true);
    let picture = shared.emulator.frame(size);
    // Its terminal may be in any mode that the program's raw bytes have left it in.
    viewer.screen(&[RESTORE, &picture.paint(None)].concat());
    viewer.painted = Some(Painted { picture, stale: false });
}

/// Tells a viewer its gap, or what has changed in its picture, when `now` is the time for it.
fn catch_up(shared: &Shared, viewer: &mut Viewer, now: bool) {
    if !now {
        return;
    }
    if viewer.has_gap() {
        viewer.tell_gap(&shared.emulator.snapshot_for_viewer(0));
    }
    let (Some(size), Some(painted)) = (viewer.spec.size, &mut viewer.painted) else { return };
    if painted.stale {
        let picture = shared.emulator.frame(size);
        let changes = picture.paint(Some(&painted.picture));
        *painted = Painted { picture, stale: false };
        if !changes.is_empty() {
            viewer.repaint(&changes);
        }
    }
}

/// There is no better time for what still has to be told: the end comes after it, however full the queue is.
fn goodbye(shared: &Shared, viewer: &mut Viewer, exit: Exit) {
    if !viewer.is_present() {
        return;
    }
    if let Some(painted) = &mut viewer.painted {
        painted.stale = true;
    }
    catch_up(shared, viewer, true);
    viewer.exited(exit);
}

/// Waits, not for ever, until the viewers have fetched everything.
fn see_off(viewers: &mut Vec<Viewer>) {
    let deadline = Instant::now() + FAREWELL;
    loop {
        for viewer in viewers.iter_mut() {
            viewer.send();
        }
        viewers.retain(|viewer| !viewer.is_gone() && viewer.has_queue());
        let left = deadline.saturating_duration_since(Instant::now());
        if viewers.is_empty() || left.is_zero() {
            return;
        }
        let mut fds: Vec<_> =
            viewers.iter().map(|viewer| PollFd::new(&viewer.stream, PollFlags::OUT)).collect();
        match rustix::event::poll(&mut fds, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
