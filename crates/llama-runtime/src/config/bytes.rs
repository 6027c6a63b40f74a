//! Sizes in files: [`Bytes`].

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::quantity;

/// What a number alone means comes first. The others are written, largest first.
const UNITS: [(&str, u128); 11] = [
    ("", 1),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

/// An amount of memory in bytes. In files it is a text with a unit, `"512MiB"` (1024 * 1024 bytes each) or `"2GB"`
/// (1000 * 1000 * 1000 bytes each), or a number of bytes.
///
/// ```
/// use llama_runtime::Bytes;
///
/// assert_eq!("1.5GiB".parse(), Ok(Bytes::mib(1536)));
/// assert_eq!(Bytes(2_000_000_000).to_string(), "2GB");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    /// So many times 1024 * 1024 bytes; the largest size there is when that would be larger.
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quantity::show(u128::from(self.0), &UNITS[1..]))
    }
}

/// A text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct ParseBytesError {
    /// The text, and what is wrong with it.
    pub reason: String,
}

impl FromStr for Bytes {
    type Err = ParseBytesError;

    fn from_str(text: &str) -> Result<Self, ParseBytesError> {
        let bytes = quantity::parse(text, &UNITS).map_err(|reason| ParseBytesError { reason })?;
        u64::try_from(bytes).map(Self).map_err(|_| ParseBytesError { reason: format!("{text:?} is too large a size") })
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"512MiB\" or \"2GB\", or a number of bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
        u64::try_from(bytes).map(Bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (written, expected) in [
            (json!("512MiB"), 512 << 20),
            (json!("2GB"), 2_000_000_000),
            (json!("0.5 GiB"), 1 << 29),
            (json!("64kB"), 64_000),
            (json!("17B"), 17),
            (json!("17"), 17),
            (json!(17), 17),
            (json!(0), 0),
        ] {
            assert_eq!(from_value::<Bytes>(written.clone()).unwrap(), Bytes(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_would_be() {
        for written in [json!(-1), json!(0.5), json!(false), json!(null)] {
            let error = from_value::<Bytes>(written.clone()).unwrap_err().to_string();
            assert!(error.contains("a size such as"), "{written}: {error}");
        }
        for written in ["much", "1Mb", "1M", "-1GB", "0.5B", "99999999TiB"] {
            assert!(from_value::<Bytes>(json!(written)).unwrap_err().to_string().contains(written), "{written}");
        }
    }

    proptest! {
        #[test]
        fn every_size_is_written_so_that_the_same_is_read(bytes: u64, shift in 0u32..64) {
            let size = Bytes(bytes >> shift << shift);
            prop_assert_eq!(from_value::<Bytes>(to_value(size).unwrap()).unwrap(), size);
        }
    }
}
