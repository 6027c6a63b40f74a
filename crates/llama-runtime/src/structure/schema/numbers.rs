//! Numbers: bounds, and what is exact about them.

use serde_json::{Map, Number, Value, json};

use super::{Outcome, Place, Walk, is_number, keywords};
use crate::structure::StructureError;

/// Whole numbers up to here are exact as the floating point numbers that the engine and most readers of JSON use, and no
/// other is rounded to one of them.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// Where numbers end that a schema does not bound: 18 digits, which every reader takes as a 64-bit integer.
const UNBOUNDED: f64 = 999_999_999_999_999_900.0;

/// Most characters of a bound in decimal notation.
const MAX_DIGITS: usize = 40;

impl Walk<'_> {
    pub(super) fn numbers(
        &mut self,
        schema: &Map<String, Value>,
        types: &[&str],
        at: &Place,
        out: &mut Map<String, Value>,
    ) -> Outcome {
        let words = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"];
        let bounded = words.iter().any(|word| schema.contains_key(*word));
        let typed = schema.contains_key("type") && types.iter().any(|name| is_number(name));
        if !bounded && !typed {
            return Ok(());
        }
        let whole = !types.contains(&"number");
        let (mut low, mut high) = (-UNBOUNDED, UNBOUNDED);
        if let Some((from, to)) = schema.get("format").and_then(Value::as_str).and_then(keywords::number_range) {
            (low, high) = (low.max(from), high.min(to));
        }
        if let Some(bound) = bound(schema, "minimum", at)? {
            low = low.max(bound);
        }
        if let Some(bound) = bound(schema, "maximum", at)? {
            high = high.min(bound);
        }
        if let Some(bound) = bound(schema, "exclusiveMinimum", at)? {
            match inside(bound, bound >= 0.0, whole) {
                Some(step) => low = low.max(bound + step),
                None => set(out, "exclusiveMinimum", bound),
            }
        }
        if let Some(bound) = bound(schema, "exclusiveMaximum", at)? {
            match inside(bound, bound <= 0.0, whole) {
                Some(step) => high = high.min(bound - step),
                None => set(out, "exclusiveMaximum", bound),
            }
        }
        set(out, "minimum", low);
        set(out, "maximum", high);
        if let Some(value) = schema.get("multipleOf") {
            let at = at.step("multipleOf");
            self.multiples.add(value, &at)?;
            out.insert("multipleOf".into(), value.clone());
        }
        Ok(())
    }
}

fn set(out: &mut Map<String, Value>, word: &str, bound: f64) {
    out.insert(word.into(), json!(bound));
}

fn bound(schema: &Map<String, Value>, word: &str, at: &Place) -> Result<Option<f64>, StructureError> {
    let at = at.step(word);
    match schema.get(word) {
        None => Ok(None),
        Some(Value::Number(number)) => exact(number, &at).map(Some),
        Some(Value::Bool(_)) => Err(at.unsupported(
            format!("`{word}` is a boolean, as in draft 4"),
            format!("write the bound itself as `{word}`"),
        )),
        Some(_) => Err(at.invalid(format!("`{word}` is a number"))),
    }
}

/// How far inside an exclusive bound the numbers begin, if the bound has to be written as an inclusive one. A bound
/// that is a whole number and the one nearer to zero is taken as inclusive by the engine if both share their whole part;
/// so it is never given one.
fn inside(bound: f64, nearer_to_zero: bool, whole: bool) -> Option<f64> {
    match bound.abs() {
        _ if bound.fract() != 0.0 => None,
        _ if whole => Some(1.0),
        _ if !nearer_to_zero => None,
        size if size <= 1e6 => Some(1e-9),
        size if size <= 1e12 => Some(1e-3),
        _ => Some(1.0),
    }
}

/// The number, if the engine takes it for what it is.
pub(super) fn exact(number: &Number, at: &Place) -> Result<f64, StructureError> {
    let value = number.as_f64().filter(|value| value.abs() <= EXACT && value.to_string().len() <= MAX_DIGITS);
    value.ok_or_else(|| {
        at.unsupported(
            format!("the number {number} is too large or too fine to be compared exactly"),
            "use numbers within ±2^53, with less than 30 digits; leave out a bound that is no more than a type's",
        )
    })
}

/// Largest `multipleOf`, without its decimal point, and their sum in a schema: the compiler looks at every remainder.
const MAX_MULTIPLE: u64 = 10_000;
const MAX_MULTIPLES: u64 = 50_000;

/// All `multipleOf` of a schema. Where two hold one number the engine computes their least common multiple in 32 bits,
/// and does not notice an overflow.
#[derive(Default)]
pub(super) struct Multiples {
    seen: Vec<(u64, u32)>,
    last: Option<Place>,
}

impl Multiples {
    fn add(&mut self, value: &Value, at: &Place) -> Outcome {
        let number = value.as_f64().ok_or_else(|| at.invalid("`multipleOf` is a number"))?;
        if number <= 0.0 {
            return Err(at.invalid("`multipleOf` is greater than 0"));
        }
        let decimal = decimal(number).ok_or_else(|| {
            at.unsupported(format!("`multipleOf` {value} has too many digits"), "use a number of at most four digits")
        })?;
        self.seen.push(decimal);
        if self.seen.iter().map(|(coefficient, _)| coefficient).sum::<u64>() > MAX_MULTIPLES {
            return Err(at.too_complex(format!("all `multipleOf` of the schema add up to more than {MAX_MULTIPLES}")));
        }
        self.last = Some(at.clone());
        Ok(())
    }

    /// Refuses multiples that cannot be combined, if the schema combines any demands.
    pub(super) fn check(&self, combined: bool) -> Outcome {
        let Some(at) = self.last.as_ref().filter(|_| combined && self.seen.len() > 1) else { return Ok(()) };
        let places = self.seen.iter().map(|(_, exponent)| *exponent).max().unwrap_or(0);
        let scaled =
            |(coefficient, exponent): &(u64, u32)| coefficient.checked_mul(10_u64.checked_pow(places - exponent)?);
        let scaled: Option<Vec<u64>> = self.seen.iter().map(scaled).collect();
        let fits = scaled.and_then(|scaled| {
            let most = scaled.iter().copied().max()?;
            let all = scaled.iter().try_fold(1_u64, |lcm, n| (lcm / gcd(lcm, *n)).checked_mul(*n))?;
            all.checked_mul(most).filter(|product| all <= MAX_MULTIPLE && *product <= u64::from(u32::MAX))
        });
        match fits {
            Some(_) => Ok(()),
            None => Err(at.unsupported(
                "the `multipleOf` of this schema have too large a common multiple to be combined",
                "use one `multipleOf`, or smaller ones",
            )),
        }
    }
}

/// `coefficient * 10^-exponent`, found as the engine does: by multiplying until there is no fraction.
fn decimal(number: f64) -> Option<(u64, u32)> {
    let (mut value, mut exponent) = (number, 0);
    while value.fract() != 0.0 {
        value *= 10.0;
        exponent += 1;
    }
    if value > f64::from(u32::MAX) || exponent > 9 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive whole number below 2^32")]
    let coefficient = value as u64;
    (coefficient <= MAX_MULTIPLE).then_some((coefficient, exponent))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_are_found_or_refused() {
        assert_eq!(decimal(0.25), Some((25, 2)));
        assert_eq!(decimal(3.0), Some((3, 0)));
        assert_eq!(decimal(1.0 / 3.0), None);
        assert_eq!(decimal(1e-300), None);
        assert_eq!(decimal(1e300), None);
        assert_eq!(decimal(10_001.0), None);
    }
}
