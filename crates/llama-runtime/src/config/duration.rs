//! Times in files: `"250ms"`, `"30s"`, `"5m"`, or a number of seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::quantity;

const NANOS: u128 = 1_000_000_000;

/// In nanoseconds. The first is what a number alone means; the others are written, largest first.
const UNITS: [(&str, u128); 8] = [
    ("", NANOS),
    ("d", 86_400 * NANOS),
    ("h", 3_600 * NANOS),
    ("m", 60 * NANOS),
    ("s", NANOS),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// As it is written to a file.
pub(super) fn show(duration: Duration) -> String {
    if duration.is_zero() { "0s".to_owned() } else { quantity::show(duration.as_nanos(), &UNITS[1..]) }
}

fn parse(text: &str) -> Result<Duration, String> {
    let nanos = quantity::parse(text, &UNITS)?;
    let seconds = u64::try_from(nanos / NANOS).map_err(|_| format!("{text:?} is too long a time"))?;
    let rest = u32::try_from(nanos % NANOS).expect("less than a second of nanoseconds fits 32 bits");
    Ok(Duration::new(seconds, rest))
}

/// For `#[serde(with)]`.
pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show(*duration))
}

/// For `#[serde(with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Reader)
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"250ms\", \"30s\" or \"5m\", or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let refused = |_| E::invalid_value(de::Unexpected::Signed(seconds), &self);
        u64::try_from(seconds).map(Duration::from_secs).map_err(refused)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        let refused = |_| E::invalid_value(de::Unexpected::Float(seconds), &self);
        Duration::try_from_secs_f64(seconds).map_err(refused)
    }
}

/// The same for a time that may be left out.
pub(super) mod option {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "super")] Duration);

    /// For `#[serde(with)]`.
    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Written).serialize(serializer)
    }

    /// For `#[serde(with)]`.
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(time)| time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<Duration, serde_json::Error> {
        deserialize(value)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let ms = Duration::from_millis;
        for (written, expected) in [
            (json!("250ms"), ms(250)),
            (json!("30s"), ms(30_000)),
            (json!("1.5s"), ms(1500)),
            (json!("5m"), ms(300_000)),
            (json!("2 h"), ms(7_200_000)),
            (json!("1d"), ms(86_400_000)),
            (json!("20us"), Duration::from_micros(20)),
            (json!(30), ms(30_000)),
            (json!("30"), ms(30_000)),
            (json!(0.25), ms(250)),
            (json!(0), ms(0)),
        ] {
            assert_eq!(read(written.clone()).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_would_be() {
        for written in [json!(-1), json!(-0.5), json!(1e300), json!(true), json!(null), json!(["1s"])] {
            let error = read(written.clone()).unwrap_err().to_string();
            assert!(error.contains("a time such as"), "{written}: {error}");
        }
        for written in ["soon", "5 minutes", "-1s", "", "1s2", "99999999999999999999999d"] {
            assert!(read(json!(written)).unwrap_err().to_string().contains(written), "{written}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_written_so_that_the_same_is_read(seconds: u64, nanos in 0u32..1_000_000_000) {
            let time = Duration::new(seconds, nanos);
            prop_assert_eq!(read(json!(show(time))).unwrap(), time);
        }
    }
}
