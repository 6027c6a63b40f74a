//! Which inputs have a record already: [`Done`].

use std::collections::HashMap;

use super::key::{Key, Print};

/// Lines of a block. One with a single record takes 1 KiB, a full one 4 bytes for each.
const BLOCK: u64 = 256;

/// The fingerprints of the inputs that have a record, by their place. About 4 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// By file and block; 0 is no record.
    blocks: HashMap<(u32, u64), Box<[u32; BLOCK as usize]>>,
    len: u64,
}

impl Done {
    /// Takes note of a record. False if its input had one.
    pub(super) fn insert(&mut self, key: Key) -> bool {
        let block = self.blocks.entry((key.file, key.line / BLOCK)).or_insert_with(|| Box::new([0; BLOCK as usize]));
        // In range, since it is a remainder.
        let place = &mut block[(key.line % BLOCK) as usize];
        let new = *place == 0;
        if new {
            *place = key.print.get();
            self.len += 1;
        }
        new
    }

    /// Whether the input at the place of `key` has a record, and whether that is of the same input.
    pub(super) fn find(&self, file: u32, line: u64, print: Print) -> Found {
        let known = self.blocks.get(&(file, line / BLOCK)).map_or(0, |block| block[(line % BLOCK) as usize]);
        match known {
            0 => Found::New,
            known if known == print.get() => Found::Done,
            _ => Found::Changed,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// What is known of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It has no record.
    New,
    /// It has one.
    Done,
    /// There is a record of another input at its place.
    Changed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_their_place_and_told_from_others() {
        let mut done = Done::default();
        let key = |text: &str| text.parse::<Key>().unwrap();
        for text in ["1-1-0000000a", "1-256-0000000b", "2-1-0000000c", "1-900000000000-0000000d"] {
            assert!(done.insert(key(text)) && !done.insert(key(text)), "{text}");
            let key = key(text);
            assert_eq!(done.find(key.file, key.line, key.print), Found::Done);
        }
        assert_eq!(done.len(), 4);
        assert_eq!(done.find(1, 2, key("1-2-0000000a").print), Found::New);
        assert_eq!(done.find(1, 1, key("1-1-0000000b").print), Found::Changed);
        assert_eq!(done.find(3, 1, key("1-1-0000000a").print), Found::New);
    }
}
