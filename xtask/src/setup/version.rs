//! Version numbers as tools print them.

use std::fmt;

/// Major, minor, patch; what follows is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The version that stands behind `words` in a tool's output. A missing minor or patch number is 0.
pub(crate) fn after(words: &str, output: &str) -> Option<Version> {
    let (_, rest) = output.split_once(words)?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.').map(str::parse::<u32>);
    let major = numbers.next()?.ok()?;
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(Version(major, next(), next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_endings() {
        let read = |text| after("cmake version ", text);
        assert_eq!(read("cmake version 3.31.6\n\nCMake suite"), Some(Version(3, 31, 6)));
        assert_eq!(read("cmake version 3.20.0-rc2\n"), Some(Version(3, 20, 0)));
        assert_eq!(read("cmake version 4.1\n"), Some(Version(4, 1, 0)));
        assert_eq!(read("cmake3 version 3.17.5\n"), None);
        assert_eq!(read("cmake version unknown"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn versions_compare_by_number_and_not_by_text() {
        assert!(Version(3, 9, 0) < Version(3, 14, 0));
        assert!(Version(4, 0, 0) > Version(3, 31, 6));
    }
}
