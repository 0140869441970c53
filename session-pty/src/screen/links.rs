//! The links of a screen's cells: each is kept once, however many cells have it, and all of them have a bound.

use std::collections::HashSet;

use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::{Cell, Hyperlink};

/// Most bytes that the different links of a screen, the one behind it and its history take together. Beyond that
/// cells get no link until others are gone.
pub(super) const KEPT: usize = 4 << 20;

/// Most bytes that links take where a screen is written out, which has them once for each run of cells. Beyond that
/// the text is written without its links.
pub(super) const WRITTEN: usize = 4 << 20;

/// A search for links that no cell has any more looks at every cell: so many of them for one link that was asked for.
const LOOKS: usize = 16;

/// The links that cells may have.
#[derive(Debug, Default)]
pub(super) struct Links {
    known: HashSet<Hyperlink>,
    bytes: usize,
    /// Links asked for since the last search.
    asked: usize,
}

impl Links {
    /// The link to give to cells, the same for all that ask for an equal one; `None` where there is no room for it.
    pub(super) fn keep(&mut self, link: Hyperlink) -> Option<Hyperlink> {
        self.asked += 1;
        if let Some(known) = self.known.get(&link) {
            return Some(known.clone());
        }
        if !self.has_room(&link) {
            return None;
        }
        self.bytes += length(&link);
        self.known.insert(link.clone());
        Some(link)
    }

    /// Whether it is time to look which links are still in use, on grids of so many cells.
    pub(super) fn wants_search(&self, link: &Hyperlink, cells: usize) -> bool {
        self.asked >= cells / LOOKS && !self.has_room(link) && !self.known.contains(link)
    }

    /// Forgets the links that are on none of these grids.
    pub(super) fn search<'a>(&mut self, grids: impl Iterator<Item = &'a mut Grid<Cell>>) {
        let mut used = HashSet::new();
        for grid in grids {
            // Rows that are kept ready still have what they last showed.
            grid.truncate();
            let pens = [&grid.cursor.template, &grid.saved_cursor.template].into_iter();
            let rows = (grid.topmost_line().0..grid.screen_lines() as i32).map(Line);
            let cells = rows.flat_map(|line| &grid[line][..]);
            // As equal links are one, so are their addresses in memory.
            used.extend(cells.chain(pens).filter_map(Cell::hyperlink).map(|l| l.uri().as_ptr()));
        }
        self.known.retain(|link| used.contains(&link.uri().as_ptr()));
        self.bytes = self.known.iter().map(length).sum();
        self.asked = 0;
    }

    fn has_room(&self, link: &Hyperlink) -> bool {
        self.bytes + length(link) <= KEPT
    }
}

/// The bytes of a link's address and id.
pub(super) fn length(link: &Hyperlink) -> usize {
    link.uri().len() + link.id().len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alacritty_terminal::index::Column;

    use super::*;
    use crate::screen::{Screen, Size};

    /// A link of a kilobyte that no other number has.
    fn link(number: usize) -> String {
        format!("\x1b]8;;http://{number}/{}\x07", "x".repeat(1000))
    }

    fn linked(size: Size, history: usize, links: impl Iterator<Item = usize>) -> Screen {
        let mut screen = Screen::new(size, history);
        links.for_each(|number| screen.feed(format!("{}{}", link(number), number % 10).as_bytes()));
        screen
    }

    fn kept(screen: &Screen) -> (usize, usize) {
        let links = &screen.engine.as_ref().unwrap().tracked.links;
        assert_eq!(links.bytes, links.known.iter().map(length).sum::<usize>());
        (links.known.len(), links.bytes)
    }

    #[test]
    fn an_equal_link_is_kept_once() {
        let screen = linked(Size::nearest(80, 24), 100, (0..400).map(|number| number % 2));
        assert_eq!(kept(&screen).0, 2);
        let state = &screen.engine.as_ref().unwrap().tracked;
        let cells = state.term.grid()[Line(0)][..].iter();
        let places: HashSet<_> =
            cells.map(|cell| cell.hyperlink().unwrap().uri().as_ptr()).collect();
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn a_link_for_each_cell_takes_no_more_than_the_bound() {
        let screen = linked(Size::nearest(100, 50), 1000, 0..5_000);
        assert!(kept(&screen).1 <= KEPT && kept(&screen).1 > KEPT / 2);
        // The cells that came too late are there, without a link.
        let html = screen.html(None);
        assert!(html.contains(">3</a>") && html.ends_with("0123456789\n</pre>\n"));
    }

    #[test]
    fn links_that_have_left_the_screen_make_room() {
        let mut screen = linked(Size::nearest(100, 10), 10, 0..9_000);
        assert!(screen.html(None).contains("http://8999/"));
        assert!(kept(&screen).1 <= KEPT);
        // What the alternate screen had is not kept behind the main one.
        screen.feed(b"\x1bc\x1b[?1049h");
        screen.feed(format!("{}x\x1b]8;;\x07", link(1)).as_bytes());
        let state = &screen.engine.as_ref().unwrap().tracked;
        let of_cell = &state.term.grid()[Line(0)][Column(0)].extra;
        let of_cell = Arc::downgrade(of_cell.as_ref().unwrap());
        assert!(of_cell.upgrade().is_some());
        screen.feed(b"\x1b[?1049l");
        assert!(of_cell.upgrade().is_none());
        screen.engine.as_mut().unwrap().tracked.search_links();
        assert_eq!(kept(&screen), (0, 0));
    }

    #[test]
    fn a_search_is_paid_for_by_what_was_asked() {
        let mut screen = linked(Size::nearest(100, 50), 0, 0..5_000);
        let asked = |screen: &Screen| screen.engine.as_ref().unwrap().tracked.links.asked;
        let (mut searches, mut last) = (0, asked(&screen));
        for number in 5_000..10_000 {
            screen.feed(link(number).as_bytes());
            searches += usize::from(asked(&screen) < last);
            last = asked(&screen);
        }
        assert!(searches > 0 && searches <= LOOKS, "{searches}");
    }

    #[test]
    fn writing_a_screen_out_repeats_links_up_to_a_bound() {
        // Two links in turn are kept once, and would be written for each cell.
        let screen = linked(Size::nearest(100, 50), 100, (0..9_000).map(|number| number % 2));
        let written = [
            screen.snapshot_with_history(usize::MAX).len(),
            screen.replay(usize::MAX, usize::MAX).len(),
            screen.ansi(Some(usize::MAX)).len(),
            screen.html(Some(usize::MAX)).len(),
            screen.frame(Size::nearest(100, 50)).paint(None).len(),
        ];
        for bytes in written {
            assert!(bytes > WRITTEN && bytes < WRITTEN + (2 << 20), "{written:?}");
        }
        // The text is all there.
        let mut copy = Screen::new(screen.size(), 100);
        copy.feed(&screen.snapshot_with_history(usize::MAX));
        assert_eq!(copy.text(Some(usize::MAX)), screen.text(Some(usize::MAX)));
    }
}
