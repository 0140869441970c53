//! The states in which a disk may be found after the power was lost.
//!
//! POSIX promises for what was synced and for nothing else: of every change that was not, each part may be on the
//! medium or not, in any combination. What was appended may be there wholly, in part, or as a length without bytes,
//! block by block; a name may be there or not; renaming may have left both names.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;

use super::memory::{Entry, Image};
use super::recording::Step;
use crate::index::INDEX;

/// What file systems write at once.
const BLOCK: u64 = 4096;

/// Up to so many changes that were not synced, every combination is tried.
const EXHAUSTIVE: usize = 8;

/// How many combinations are drawn when there are more.
const SAMPLES: usize = 512;

/// What became of one change that was not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing of it is on the medium.
    Lost,
    /// All of it is.
    Kept,
    /// Of what was appended, so many bytes, but zeros in these places.
    Partly { length: usize, holes: Vec<Range<usize>> },
    /// A file has both names.
    Both,
}

/// The disk `start` after `steps` of which everything is on the medium that was synced, and nothing else.
pub(crate) fn worst(start: &Image, steps: &[Step]) -> Image {
    let worst = |index| if is_named(steps, index) { Fate::Both } else { Fate::Lost };
    let fates = unsynced(steps).into_iter().map(|index| (index, worst(index)));
    after(start, steps, &fates.collect::<Vec<_>>())
}

/// The states in which the disk `start` may be found when the power is lost after `steps`, each once.
pub(crate) fn images(start: &Image, steps: &[Step]) -> HashSet<Image> {
    let unsynced = unsynced(steps);
    let choices = unsynced.iter().map(|index| {
        let mut fates = fates(&steps[*index]);
        fates.retain(|fate| *fate != Fate::Lost || !is_named(steps, *index));
        fates
    });
    let choices: Vec<_> = choices.collect();
    let image = |chosen: &[usize]| {
        let fates = chosen.iter().zip(&choices).map(|(chosen, fates)| fates[*chosen].clone());
        after(start, steps, &unsynced.iter().copied().zip(fates).collect::<Vec<_>>())
    };
    let mut found = HashSet::new();
    let mut chosen = vec![0; choices.len()];
    if choices.len() > EXHAUSTIVE {
        let mut random = Random(steps.len() as u64 + 1);
        for _ in 0..SAMPLES {
            for (chosen, fates) in chosen.iter_mut().zip(&choices) {
                *chosen = random.below(fates.len());
            }
            found.insert(image(&chosen));
        }
        return found;
    }
    loop {
        found.insert(image(&chosen));
        // Counts through all of them, with a digit for each change.
        let Some(digit) = (0..chosen.len()).find(|at| chosen[*at] + 1 < choices[*at].len()) else {
            return found;
        };
        chosen[digit] += 1;
        chosen[..digit].fill(0);
    }
}

/// The changes that no later step made sure of.
///
/// What is said in the index is never synced and taken to be kept, so that it is ahead of everything that is lost.
/// That it may be lost too, in whole or in part, is for tests of the index.
fn unsynced(steps: &[Step]) -> Vec<usize> {
    let is_index = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(INDEX))
    };
    let of_index: HashSet<_> = (steps.iter())
        .filter_map(|step| match step {
            Step::Create { path, inode } if is_index(path) => Some(*inode),
            _ => None,
        })
        .collect();
    let is_synced = |at: usize, step: &Step| {
        let is_kept = match step {
            Step::Create { path, .. } | Step::Remove { path } => is_index(path),
            Step::Rename { to, .. } => is_index(to),
            Step::Append { inode, .. } => of_index.contains(inode),
            _ => false,
        };
        if is_kept {
            return true;
        }
        let later = &steps[at + 1..];
        if later.contains(&Step::SyncBelow) {
            return true;
        }
        let names = |path: &Path| {
            later.iter().any(|later| {
                matches!(later, Step::SyncDirectory { path: synced } if path.parent() == Some(synced))
            })
        };
        match step {
            Step::Create { path, .. }
            | Step::CreateDirectory { path }
            | Step::RemoveDirectory { path }
            | Step::Link { to: path, .. }
            | Step::Remove { path } => names(path),
            Step::Rename { from: one, to: other, .. }
            | Step::RenameDirectory { from: one, to: other }
            | Step::Exchange { one, other } => names(one) && names(other),
            Step::Append { inode, .. } | Step::SetLength { inode, .. } => {
                later.contains(&Step::Sync { inode: *inode })
            }
            Step::Sync { .. }
            | Step::SyncDirectory { .. }
            | Step::SyncBelow
            | Step::Acknowledged => true,
        }
    };
    let found = steps.iter().enumerate().filter(|(at, step)| !is_synced(*at, step));
    found.map(|(at, _)| at).collect()
}

/// Whether a file that was renamed has its new name for certain, in a directory that was synced, though perhaps the
/// old one too, in another one that was not.
fn is_named(steps: &[Step], at: usize) -> bool {
    let Step::Rename { to, .. } = &steps[at] else { return false };
    steps[at + 1..].iter().any(|later| match later {
        Step::SyncDirectory { path } => to.parent() == Some(path),
        _ => false,
    })
}

/// What may become of a change.
fn fates(step: &Step) -> Vec<Fate> {
    let mut fates = vec![Fate::Lost, Fate::Kept];
    match step {
        Step::Rename { .. } => fates.push(Fate::Both),
        Step::Append { offset, bytes, .. } => {
            let length = bytes.len();
            let blocks = blocks(*offset, length);
            // Where a line ends is where reading takes another turn.
            let ends = (bytes.iter().enumerate())
                .filter(|(_, byte)| **byte == b'\n')
                .flat_map(|(at, _)| [at, at + 1, at + 2]);
            let mut cuts: Vec<_> = ends.chain((0..16).map(|part| length * part / 16)).collect();
            cuts.extend(blocks.iter().map(|block| block.end));
            cuts.sort_unstable();
            cuts.dedup();
            cuts.retain(|cut| (1..length).contains(cut));
            let holed = |hole: Range<usize>| Fate::Partly { length, holes: Vec::from([hole]) };
            for cut in cuts {
                fates.push(Fate::Partly { length: cut, holes: Vec::new() });
                fates.extend([holed(cut..length), holed(0..cut)]);
            }
            fates.extend([holed(0..length), holed(length / 3..length / 2)]);
            for block in &blocks {
                fates.push(holed(block.clone()));
                let others = blocks.iter().filter(|other| *other != block).cloned().collect();
                fates.push(Fate::Partly { length, holes: others });
            }
        }
        _ => {}
    }
    fates
}

/// The parts of so many bytes from `offset` that are in one block each.
fn blocks(offset: u64, length: usize) -> Vec<Range<usize>> {
    let (mut blocks, mut begin) = (Vec::new(), 0);
    while begin < length {
        let left = BLOCK - (offset + begin as u64) % BLOCK;
        let end = length.min(begin + usize::try_from(left).unwrap());
        blocks.push(begin..end);
        begin = end;
    }
    blocks
}

fn after(start: &Image, steps: &[Step], fates: &[(usize, Fate)]) -> Image {
    let mut image = start.clone();
    for (at, step) in steps.iter().enumerate() {
        let fate = fates.iter().find(|(index, _)| *index == at).map(|(_, fate)| fate);
        apply(&mut image, step, fate.unwrap_or(&Fate::Kept));
    }
    without_the_nameless(image, start)
}

/// Names lead to everything that there is; a directory stands before what is in it.
fn without_the_nameless(image: Image, start: &Image) -> Image {
    let mut found = Image { directories: BTreeMap::new(), files: image.files };
    for (path, names) in image.directories {
        let is_named = found.place(&path).is_ok_and(|(parent, name)| parent.contains_key(name));
        if is_named || start.directories.contains_key(&path) {
            found.directories.insert(path, names);
        }
    }
    let entries: HashSet<_> =
        found.directories.values().flat_map(|names| names.values().copied()).collect();
    found.files.retain(|inode, _| entries.contains(&Entry::File(*inode)));
    found
}

fn apply(image: &mut Image, step: &Step, fate: &Fate) {
    let kept = *fate != Fate::Lost;
    match step {
        Step::Create { path, inode } => {
            image.files.insert(*inode, Vec::new());
            if kept {
                let (directory, name) = image.place(path).unwrap();
                directory.insert(name.to_owned(), Entry::File(*inode));
            }
        }
        Step::CreateDirectory { path } => {
            if kept {
                let (directory, name) = image.place(path).unwrap();
                directory.insert(name.to_owned(), Entry::Directory);
            }
            // It is there for what is put into it, and found by nobody without its name.
            image.directories.insert(path.clone(), BTreeMap::new());
        }
        Step::Rename { from, to, inode } if kept => {
            let (directory, name) = image.place(to).unwrap();
            directory.insert(name.to_owned(), Entry::File(*inode));
            let (directory, name) = image.place(from).unwrap();
            if *fate != Fate::Both {
                directory.remove(name);
            }
        }
        Step::Remove { path } if kept => {
            let (directory, name) = image.place(path).unwrap();
            directory.remove(name);
        }
        Step::Link { from, to } if kept => {
            let (directory, name) = image.place(from).unwrap();
            let entry = directory[name];
            let (directory, name) = image.place(to).unwrap();
            directory.insert(name.to_owned(), entry);
        }
        Step::RenameDirectory { from, to } if kept => image.rename_directory(from, to),
        Step::Exchange { one, other } if kept => image.exchange(one, other),
        Step::RemoveDirectory { path } if kept => {
            let (directory, name) = image.place(path).unwrap();
            directory.remove(name);
            image.directories.remove(path);
        }
        Step::Append { inode, offset, bytes } if kept => {
            let file = image.files.get_mut(inode).unwrap();
            let (length, holes) = match fate {
                Fate::Partly { length, holes } => (*length, &holes[..]),
                _ => (bytes.len(), &[][..]),
            };
            let mut found = bytes[..length].to_vec();
            for hole in holes {
                found[hole.clone()].fill(0);
            }
            let begin = usize::try_from(*offset).unwrap();
            // What came before may be lost and leave a hole, or may have been longer.
            if file.len() < begin + length {
                file.resize(begin + length, 0);
            }
            file[begin..begin + length].copy_from_slice(&found);
        }
        Step::SetLength { inode, length } if kept => {
            let file = image.files.get_mut(inode).unwrap();
            file.resize(usize::try_from(*length).unwrap(), 0);
        }
        _ => {}
    }
}

/// A generator of numbers that are the same each time (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/root";

    fn at(name: &str) -> std::path::PathBuf {
        Path::new(ROOT).join(name)
    }

    fn create(inode: u64) -> Step {
        Step::Create { path: at(&inode.to_string()), inode }
    }

    fn append(inode: u64, offset: u64, bytes: &[u8]) -> Step {
        Step::Append { inode, offset, bytes: bytes.to_vec() }
    }

    fn synced(inode: u64) -> [Step; 2] {
        [Step::Sync { inode }, Step::SyncDirectory { path: ROOT.into() }]
    }

    /// The files of every state, by name, as text with `.` for zero bytes.
    fn found(steps: &[Step]) -> Vec<String> {
        let mut found: Vec<_> = images(&Image::empty(Path::new(ROOT)), steps)
            .into_iter()
            .map(|image| {
                let files = image.directories[Path::new(ROOT)].iter().map(|(name, entry)| {
                    let Entry::File(inode) = entry else { return format!("{name:?}") };
                    let text = String::from_utf8_lossy(&image.files[inode]).replace('\0', ".");
                    format!("{}={text}", name.display())
                });
                files.collect::<Vec<_>>().join(" ")
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn what_is_synced_is_there_and_everything_else_may_be() {
        assert_eq!(found(&[create(1)]), ["", "1="]);
        let one = [&[create(1)], &synced(1)[..]].concat();
        assert_eq!(found(&one), ["1="]);
        let two = [&one[..], &[append(1, 0, b"ab")]].concat();
        assert_eq!(found(&two), ["1=", "1=..", "1=.b", "1=a", "1=a.", "1=ab"]);
        let cut = Step::SetLength { inode: 1, length: 1 };
        let cut = [&two[..], &synced(1), &[cut, create(2), Step::Remove { path: at("1") }]];
        assert_eq!(found(&cut.concat()), ["", "1=a", "1=a 2=", "1=ab", "1=ab 2=", "2="]);
    }

    #[test]
    fn a_renamed_file_has_one_of_its_names_or_both() {
        let rename = Step::Rename { from: at("1"), to: at("new"), inode: 1 };
        let draft = [&[create(1), append(1, 0, b"x")], &synced(1)[..], &[rename]].concat();
        assert_eq!(found(&draft), ["1=x", "1=x new=x", "new=x"]);
    }

    #[test]
    fn a_long_write_may_have_a_hole_in_its_middle() {
        let long = append(1, 100, &[b'x'; 10_000]);
        let kept = [create(1), append(1, 0, &[b'-'; 100]), synced(1)[0].clone(), long];
        let steps = [&kept[..], &[synced(1)[1].clone()]].concat();
        let found = images(&Image::empty(Path::new(ROOT)), &steps);
        let mut middle = [vec![b'-'; 100], vec![b'x'; 10_000]].concat();
        middle[4096..8192].fill(0);
        assert!(found.iter().any(|image| image.files[&1] == middle));
    }

    #[test]
    fn of_many_changes_some_combinations_are_drawn() {
        let steps: Vec<_> = (1..=12).map(create).collect();
        let found = images(&Image::empty(Path::new(ROOT)), &steps);
        assert!((SAMPLES / 2..=SAMPLES).contains(&found.len()), "{}", found.len());
        let again = images(&Image::empty(Path::new(ROOT)), &steps);
        assert!(found == again, "each time the same");
        let eight: Vec<_> = (1..=8).map(create).collect();
        assert_eq!(images(&Image::empty(Path::new(ROOT)), &eight).len(), 256);
    }
}
