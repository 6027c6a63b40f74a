//! Numbers with a unit, as people write them: read exactly, without floating point.

/// Most digits after the point.
const MAX_FRACTION: usize = 18;

/// Reads `1.5s` or `512 MiB` as a number of the smallest unit. `units` are names and how many of the smallest unit each
/// is; an empty name is what a number without a unit means.
pub(super) fn parse(text: &str, units: &[(&str, u128)]) -> Result<u128, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let Some(&(_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        let known: Vec<_> = units.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
        return Err(format!("{text:?} is no number with one of the units {}", known.join(", ")));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > MAX_FRACTION {
        return Err(format!("{text:?} does not begin with a number"));
    }
    scaled(whole, fraction, scale).ok_or_else(|| format!("{text:?} is too large, or finer than the smallest unit"))
}

fn scaled(whole: &str, fraction: &str, scale: u128) -> Option<u128> {
    let ten = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let parts = fraction.parse::<u128>().ok()?.checked_mul(scale)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(scale)?;
    if parts.is_multiple_of(ten) { whole.checked_add(parts / ten) } else { None }
}

/// Writes `value` with the largest unit that it is a whole number of. `units` are the ones to choose from, largest first.
pub(super) fn show(value: u128, units: &[(&str, u128)]) -> String {
    let fitting = units.iter().find(|(_, scale)| value != 0 && value.is_multiple_of(*scale));
    let (name, scale) = fitting.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{name}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [(&str, u128); 4] = [("", 1000), ("km", 1_000_000), ("m", 1000), ("mm", 1)];

    #[test]
    fn numbers_are_read_exactly() {
        for (text, expected) in [("7mm", 7), ("7", 7000), (" 1.5 km ", 1_500_000), ("0.001m", 1), ("007m", 7000)] {
            assert_eq!(parse(text, &LENGTHS), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_with_a_known_unit_is_refused_with_the_text() {
        for text in ["", "m", "-1m", "1.m", ".5m", "1.2.3m", "1 mile", "1e3m", "0.0001m", "1km2", "١m"] {
            let error = parse(text, &LENGTHS).unwrap_err();
            assert!(error.contains(text), "{text}: {error}");
        }
        let huge = "9".repeat(60);
        assert!(parse(&huge, &LENGTHS).is_err());
        assert!(parse("0.0000000000000000000001km", &LENGTHS).is_err());
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        let units = &LENGTHS[1..];
        for (value, expected) in [(0, "0mm"), (1, "1mm"), (2000, "2m"), (2001, "2001mm"), (3_000_000, "3km")] {
            assert_eq!(show(value, units), expected);
        }
    }
}
