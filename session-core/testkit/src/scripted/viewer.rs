//! What one viewer has not taken yet, within a bound.

use std::collections::VecDeque;

use session_core::RuntimeEvent;

/// How many bytes of output wait for a viewer before they are dropped and counted instead.
const BOUND: usize = 256 * 1024;

/// The queue of one viewer. Once it has overflowed it is empty but for the count and the last lines, until the
/// viewer takes these.
#[derive(Default)]
pub(super) struct Viewer {
    /// What there was before the viewer came, which does not count.
    before: VecDeque<RuntimeEvent>,
    waiting: VecDeque<RuntimeEvent>,
    bytes: usize,
    missed: u64,
    /// The last output, from which the screen after a gap is painted.
    tail: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Viewer {
    /// One that is first given these events.
    pub(super) fn after(before: impl IntoIterator<Item = RuntimeEvent>) -> Self {
        Self { before: before.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn push(&mut self, event: &RuntimeEvent) {
        match event {
            RuntimeEvent::Output(bytes) => self.output(bytes),
            RuntimeEvent::Exited(_) => {
                self.ended = true;
                self.waiting.push_back(event.clone());
            }
            _ => self.waiting.push_back(event.clone()),
        }
    }

    pub(super) fn next(&mut self) -> Option<RuntimeEvent> {
        if let Some(event) = self.before.pop_front() {
            return Some(event);
        }
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            let lines = self.tail.iter().flatten().copied();
            let screen = b"\x1bc".iter().copied().chain(lines).collect();
            return Some(RuntimeEvent::Gap { missed, screen });
        }
        let event = self.waiting.pop_front()?;
        if let RuntimeEvent::Output(bytes) = &event {
            self.bytes -= bytes.len();
        }
        Some(event)
    }

    /// Whether the viewer was told of the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.before.is_empty() && self.waiting.is_empty()
    }

    fn output(&mut self, bytes: &[u8]) {
        self.tail.push_back(bytes.to_vec());
        if self.tail.len() > 24 {
            self.tail.pop_front();
        }
        let overflows = self.missed > 0 || self.bytes + bytes.len() > BOUND;
        if !overflows {
            self.bytes += bytes.len();
            // One event for what comes in a row, as from a real terminal.
            if let Some(RuntimeEvent::Output(last)) = self.waiting.back_mut() {
                last.extend_from_slice(bytes);
            } else {
                self.waiting.push_back(RuntimeEvent::Output(bytes.to_vec()));
            }
            return;
        }
        self.missed += (self.bytes + bytes.len()) as u64;
        self.bytes = 0;
        self.waiting.retain(|event| !matches!(event, RuntimeEvent::Output(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_is_one_gap_with_the_last_lines() {
        let mut viewer = Viewer::default();
        for _ in 0..3 {
            viewer.push(&RuntimeEvent::Output(vec![b'x'; BOUND / 2]));
        }
        viewer.push(&RuntimeEvent::Output(b"last".to_vec()));
        let Some(RuntimeEvent::Gap { missed, screen }) = viewer.next() else {
            panic!("a gap comes first")
        };
        assert_eq!(missed as usize, BOUND / 2 * 3 + 4);
        assert!(screen.starts_with(b"\x1bc") && screen.ends_with(b"last"));
        viewer.push(&RuntimeEvent::Output(b"next".to_vec()));
        assert_eq!(viewer.next(), Some(RuntimeEvent::Output(b"next".to_vec())));
        assert_eq!(viewer.next(), None);
    }
}
