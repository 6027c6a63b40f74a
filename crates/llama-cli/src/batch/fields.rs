//! The fields of a JSON object, taken out one by one: [`Fields`]. What is left in the end is a mistake, and is told with the
//! nearest name that was looked for.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Names further from each other than this are not alike.
const ALIKE: f64 = 0.85;

/// An object, and the names that were looked for in it.
#[derive(Debug)]
pub(super) struct Fields {
    left: Map<String, Value>,
    asked: Vec<&'static str>,
}

impl Fields {
    /// Fields that are `null` count as left out.
    pub(super) fn new(mut object: Map<String, Value>) -> Self {
        object.retain(|_, value| !value.is_null());
        Self { left: object, asked: Vec::new() }
    }

    /// Whether there is such a field. It is not taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Takes the field with one of these names, which mean the same.
    pub(super) fn take(&mut self, names: &[&'static str]) -> Result<Option<(&'static str, Value)>, Problem> {
        self.asked.extend_from_slice(names);
        let mut found: Option<(&'static str, Value)> = None;
        for name in names {
            let Some(value) = self.left.shift_remove(*name) else { continue };
            if let Some((other, _)) = found {
                return Err(bad(format!("`{other}` and `{name}` are the same setting; give one of them")));
            }
            found = Some((name, value));
        }
        Ok(found)
    }

    /// As [`take`](Self::take), read as what it has to be.
    pub(super) fn read<T: DeserializeOwned>(&mut self, names: &[&'static str]) -> Result<Option<T>, Problem> {
        let found = self.take(names)?;
        found.map(|(name, value)| parse(name, value)).transpose()
    }

    /// Takes fields that say nothing to us.
    pub(super) fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            self.left.shift_remove(*name);
        }
    }

    /// Takes a field that says what holds anyway.
    pub(super) fn allow(&mut self, name: &str, value: &Value) {
        if self.left.get(name) == Some(value) {
            self.left.shift_remove(name);
        }
    }

    /// Refuses what is asked for by these fields, unless they say no.
    pub(super) fn refuse(&mut self, names: &[(&'static str, &str)]) -> Result<(), Problem> {
        for (name, instead) in names {
            match self.left.shift_remove(*name) {
                None | Some(Value::Bool(false)) => {}
                Some(_) => return Err(bad(format!("`{name}` is not supported; {instead}"))),
            }
        }
        Ok(())
    }

    /// Every field has to be taken by now.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some(name) = self.left.keys().next() else { return Ok(()) };
        let likeness = |known: &&&'static str| strsim::jaro_winkler(name, known);
        let nearest = self.asked.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = match nearest.filter(|known| likeness(known) >= ALIKE) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None => "; leave it out".to_owned(),
        };
        Err(Problem::request("unknown_field", format!("there is no field `{name}`{hint}")))
    }
}

/// Reads one value.
pub(super) fn parse<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| bad(format!("`{name}`: {error}")))
}

/// A request that cannot be.
pub(super) fn bad(message: impl Into<String>) -> Problem {
    Problem::request("invalid_request", message)
}

/// The object on a line.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let what = match other {
                Value::Array(_) => "an array",
                Value::String(_) => "a string",
                _ => "no object",
            };
            Err(Problem::line("invalid_json", format!("the line is {what}; write one JSON object per line")))
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            let place = format!("the line is not valid JSON: {reason} at column {}", error.column());
            Err(Problem::line("invalid_json", place))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::new(object(text).unwrap())
    }

    #[test]
    fn a_field_that_nobody_took_is_told_with_the_nearest_name() {
        let mut some = fields(r#"{"temperatur": 1, "id": null}"#);
        assert_eq!(some.read::<f32>(&["temperature", "temp"]).unwrap(), None);
        let error = some.finish().unwrap_err();
        assert_eq!(error.message, "there is no field `temperatur`; did you mean `temperature`?");
        let mut some = fields(r#"{"zzz": 1}"#);
        some.take(&["temperature", "priority"]).unwrap();
        assert_eq!(some.finish().unwrap_err().message, "there is no field `zzz`; leave it out");
        let mut some = fields(r#"{"prompt": 1}"#);
        some.take(&["temperature", "priority"]).unwrap();
        assert_eq!(some.finish().unwrap_err().message, "there is no field `prompt`; leave it out");
    }

    #[test]
    fn two_names_of_one_setting_and_wrong_types_are_refused() {
        let error = fields(r#"{"n": 1, "choices": 2}"#).take(&["choices", "n"]).unwrap_err();
        assert_eq!(error.message, "`choices` and `n` are the same setting; give one of them");
        let error = fields(r#"{"top_p": "x"}"#).read::<f32>(&["top_p"]).unwrap_err();
        assert_eq!(error.message, "`top_p`: invalid type: string \"x\", expected f32");
        let mut some = fields(r#"{"stream": false, "echo": true}"#);
        let error = some.refuse(&[("stream", "no"), ("echo", "leave it out")]).unwrap_err();
        assert_eq!(error.message, "`echo` is not supported; leave it out");
    }

    #[test]
    fn what_is_no_object_is_told_with_its_place() {
        let error = |text: &str| object(text).unwrap_err().message;
        assert!(error(r#"{"a": tru}"#).ends_with("at column 10"), "{}", error(r#"{"a": tru}"#));
        assert!(error(r#"{"a": 1"#).contains("not valid JSON: EOF while parsing an object at column 7"));
        assert!(error("[1]").contains("is an array; write one JSON object per line"));
    }
}
