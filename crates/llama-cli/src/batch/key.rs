//! Which input a record answers: [`Key`]. Every record carries one, and a job is resumed by them alone.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The place of an input, and what it said. Unique within a job, whatever ids the inputs have themselves.
///
/// Written `1-12-9f86d081`: the first file, line 12, and the beginning of the SHA-256 of the line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Which `--prompt-file`, from 1.
    pub(super) file: u32,
    /// Which line, from 1. Empty lines count, though they are no inputs.
    pub(super) line: u64,
    /// What the line said.
    pub(super) print: Print,
}

/// A fingerprint of a line. Two different lines have the same one by a chance of 1 in 4 billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print(NonZero<u32>);

impl Print {
    /// That of a hash which has seen the line.
    pub(super) fn of(hash: Sha256) -> Self {
        let digest = hash.finalize();
        let start = digest.iter().take(4).fold(0, |all: u32, byte| all << 8 | u32::from(*byte));
        // Where nothing is known there is a 0.
        Self(NonZero::new(start).unwrap_or(NonZero::<u32>::MIN))
    }

    pub(super) fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:08x}", self.file, self.line, self.print.get())
    }
}

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut parts = text.split('-');
        let (Some(file), Some(line), Some(print), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoKey);
        };
        let print = u32::from_str_radix(print, 16).ok().and_then(NonZero::new).ok_or(NoKey)?;
        let key = Self {
            file: file.parse().map_err(|_| NoKey)?,
            line: line.parse().map_err(|_| NoKey)?,
            print: Print(print),
        };
        // Only what we write ourselves.
        if key.to_string() == text && key.file > 0 && key.line > 0 { Ok(key) } else { Err(NoKey) }
    }
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_nothing_else_is_one() {
        let key = Key { file: 2, line: 345, print: Print::of(Sha256::new_with_prefix("test")) };
        assert_eq!(key.to_string(), "2-345-9f86d081");
        assert_eq!("2-345-9f86d081".parse(), Ok(key));
        for bad in ["", "1-2", "1-2-3", "0-1-9f86d081", "1-0-9f86d081", "1-1-00000000", "1-1-9F86D081", "+1-1-9f86d081"]
        {
            assert_eq!(bad.parse::<Key>(), Err(NoKey), "{bad}");
        }
    }
}
