//! What a setting may be: [`Kind`] reads a value from a file or a text, and says what it takes when it does not.
//!
//! A value that was read is in the form in which files write it. [`Kind::typed`] turns it into the form that the types of
//! [`Settings`](super::Settings) are read from.

mod lists;
mod stages;
#[cfg(test)]
mod tests;

use llama_runtime::Bytes;
use llama_runtime::on_or_off;
use serde_json::{Map, Value, json};

use super::suggest;

pub(crate) use lists::escaped;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// On or off; its flag takes no value, and has a negated form.
    Switch,
    /// On or off, by the words that its flag takes.
    OnOff(&'static [(&'static str, bool)]),
    /// A whole number; those in `unset` mean that the program chooses.
    Int { min: i64, max: i64, unset: &'static [i64] },
    /// A number.
    Float { min: f64, max: f64 },
    /// A number above 0, of which the setting is the inverse.
    Inverse,
    /// Any text.
    Text,
    /// A file; from a settings file it is relative to that file's folder.
    Path,
    /// One of some words: the name and what else it is called.
    Choice(&'static [(&'static str, &'static [&'static str])]),
    /// A time such as `50ms`.
    Time,
    /// An amount of memory such as `512MiB`; a number alone is bytes in a file, and MiB on the command line as upstream has
    /// it.
    Size,
    /// A number to start from, or `random`.
    Seed,
    /// A number of layers, or `all`.
    Layers,
    /// The order of the sampling stages, by name.
    Stages,
    /// The same, by upstream's letters.
    StageLetters,
    /// Texts, each given on its own.
    Texts,
    /// As [`Self::Texts`]; the word `none` is an empty list.
    Breakers,
    /// Names with commas between them; the word `none` is an empty list.
    Names,
    /// Numbers with commas between them.
    Shares,
    /// Adapters: files with commas between them.
    Adapters,
    /// Adapters with their scales: `FILE:SCALE`.
    ScaledAdapters,
    /// Metadata to replace: `KEY=TYPE:VALUE`.
    Overrides,
    /// Biases of tokens: `ID+BIAS`, `ID-BIAS` or `ID=false`.
    LogitBias,
    /// A JSON schema.
    Schema,
    /// A JSON object.
    Object,
    /// A flag without a value that stands for this text of the setting's own kind.
    Stands(&'static str),
}

/// What is wrong with a value: the end of a sentence that begins with the setting's name and the value.
pub(crate) type Wrong = String;

impl Kind {
    /// Reads a value as it stands on a command line or in a variable.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn read(&self, text: &str) -> Result<Value, Wrong> {
        let text =
            if matches!(self, Self::Text | Self::Path | Self::Texts | Self::Breakers) { text } else { text.trim() };
        let must = || self.must();
        match self {
            Self::Switch => on_or_off(text).map(Value::Bool).ok_or_else(must),
            Self::OnOff(words) => on_off(words, text).ok_or_else(must),
            Self::Int { .. } => self.accept(json!(text.parse::<i64>().map_err(|_| must())?)),
            Self::Float { .. } => self.accept(json!(text.parse::<f64>().map_err(|_| must())?)),
            Self::Inverse => match text.parse::<f64>() {
                Ok(number) if number > 0.0 && number.is_finite() => Ok(json!(1.0 / number)),
                _ => Err(must()),
            },
            Self::Text | Self::Path if text.is_empty() => Err(must()),
            Self::Text | Self::Path => Ok(text.into()),
            Self::Choice(words) => choice(words, text),
            Self::Size => match text.parse::<u64>() {
                Ok(mib) => Ok(Bytes::mib(mib).to_string().into()),
                Err(_) => self.accept(text.into()),
            },
            Self::Time => match text.parse::<f64>() {
                Ok(seconds) => self.accept(json!(seconds)),
                Err(_) => self.accept(text.into()),
            },
            Self::Seed | Self::Layers => match text.parse::<i64>() {
                Ok(number) => self.accept(number.into()),
                Err(_) => self.accept(text.into()),
            },
            Self::Stages => stages::named(text.split([';', ',']).map(str::trim).filter(|name| !name.is_empty())),
            Self::StageLetters => stages::lettered(text),
            Self::Texts | Self::Breakers => self.accept(escaped(text)?.into()),
            Self::Schema | Self::Object => self.accept(text.into()),
            Self::Stands(_) => Err("which is no value of its own".to_owned()),
            Self::Names | Self::Shares | Self::Adapters | Self::ScaledAdapters | Self::Overrides | Self::LogitBias => {
                lists::read(self, text)
            }
        }
    }

    /// Takes a value as it stands in a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn accept(&self, value: Value) -> Result<Value, Wrong> {
        let must = || self.must();
        match (self, &value) {
            (Self::Switch | Self::OnOff(_), Value::Bool(_)) => Ok(value),
            (Self::OnOff(words), Value::String(text)) => {
                words.iter().find(|(word, _)| word == text).map(|(_, on)| Value::Bool(*on)).ok_or_else(must)
            }
            (Self::Int { min, max, unset }, Value::Number(number)) => match number.as_i64() {
                Some(number) if unset.contains(&number) => Ok(Value::Null),
                Some(number) if (*min..=*max).contains(&number) => Ok(value),
                _ => Err(must()),
            },
            (Self::Float { min, max }, Value::Number(number)) => match number.as_f64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(value),
                _ => Err(must()),
            },
            (Self::Text | Self::Path, Value::String(text)) if !text.is_empty() => Ok(value),
            (Self::Choice(words), Value::String(text)) => choice(words, text),
            (Self::Size, Value::String(text)) => {
                let bytes: Bytes = text.parse().map_err(|_| must())?;
                Ok(bytes.to_string().into())
            }
            (Self::Size, Value::Number(number)) => {
                number.as_u64().map(|bytes| Bytes(bytes).to_string().into()).ok_or_else(must)
            }
            (Self::Time, Value::String(_) | Value::Number(_)) if is_time(&value) => Ok(value),
            (Self::Seed, _) => seed(&value).ok_or_else(must),
            (Self::Layers, _) => layers(&value).ok_or_else(must),
            (Self::Stages, Value::String(text)) => self.read(text),
            (Self::Stages, Value::Array(names)) => {
                let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
                stages::named(names.ok_or_else(must)?.into_iter())
            }
            (Self::Schema, Value::String(text)) => parsed(text, Self::is_schema).map_err(|why| self.broken(&why)),
            (Self::Schema, _) if Self::is_schema(&value) => Ok(value),
            (Self::Object, Value::String(text)) => parsed(text, Value::is_object).map_err(|why| self.broken(&why)),
            (Self::Object, Value::Object(_)) => Ok(value),
            _ => lists::accept(self, value),
        }
    }

    /// The value as the types of the settings are read from it.
    pub(crate) fn typed(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Seed, Value::Number(number)) => json!({ "fixed": number }),
            // No JSON number is negative infinity, but this one is when it becomes an f32.
            (Self::LogitBias, Value::Array(biases)) => biases.into_iter().map(lists::ban_as_number).collect(),
            (_, value) => value,
        }
    }

    /// Puts the value of a flag that was given again together with what was there.
    pub(crate) fn together(&self, old: Value, new: Value) -> Value {
        match (old, new) {
            (Value::Array(mut old), Value::Array(new)) => {
                old.extend(new);
                Value::Array(old)
            }
            (Value::Object(mut old), Value::Object(new)) => {
                old.extend(new);
                Value::Object(old)
            }
            (_, new) => new,
        }
    }

    /// Whether a flag that is given several times adds to what was there, as upstream has it.
    pub(crate) fn accumulates(&self) -> bool {
        matches!(
            self,
            Self::Texts | Self::Breakers | Self::Adapters | Self::ScaledAdapters | Self::Overrides | Self::LogitBias
        )
    }

    /// Whether its flag is followed by a value.
    pub(crate) fn takes_value(&self) -> bool {
        !matches!(self, Self::Switch | Self::Stands(_))
    }

    /// What help calls a value.
    pub(crate) fn value_name(&self) -> &'static str {
        match self {
            Self::Switch | Self::OnOff(_) => "on|off",
            Self::Int { .. } | Self::Layers | Self::Float { .. } | Self::Inverse | Self::Seed => "N",
            Self::Text => "TEXT",
            Self::Path => "FILE",
            Self::Choice(_) => "NAME",
            Self::Time => "TIME",
            Self::Size => "SIZE",
            Self::Stages => "A;B;C",
            Self::StageLetters => "LETTERS",
            Self::Texts | Self::Breakers => "TEXT",
            Self::Names => "A,B",
            Self::Shares => "N,N",
            Self::Adapters => "FILE,FILE",
            Self::ScaledAdapters => "FILE:SCALE",
            Self::Overrides => "KEY=TYPE:VALUE",
            Self::LogitBias => "ID+BIAS",
            Self::Schema | Self::Object => "JSON",
            Self::Stands(_) => "",
        }
    }

    /// What a value may be, for people.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Switch => "true or false".to_owned(),
            Self::OnOff(words) => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                suggest::or(&words)
            }
            Self::Int { min, max, unset } => match unset {
                [] => format!("a whole number from {min} to {max}"),
                unset => {
                    let words: Vec<String> = unset.iter().map(ToString::to_string).collect();
                    format!("a whole number from {min} to {max}, or {}", words.join(" or "))
                }
            },
            Self::Float { min, max } => format!("a number from {min} to {max}"),
            Self::Inverse => "a number above 0".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Path => "the name of a file".to_owned(),
            Self::Choice(words) => {
                let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
                suggest::or(&names)
            }
            Self::Time => "a time such as \"50ms\" or \"2s\"".to_owned(),
            Self::Size => "a size such as \"512MiB\" or \"2GB\"".to_owned(),
            Self::Seed => "a whole number from 0 to 4294967295, or -1 for another one each time".to_owned(),
            Self::Layers => "a number of layers, \"all\" or \"auto\"".to_owned(),
            Self::Stages => format!("an order of {}", stages::NAMES.join(", ")),
            Self::StageLetters => format!("letters of {}", stages::LETTERS),
            Self::Texts | Self::Breakers => "texts, none of them empty".to_owned(),
            Self::Names => "names with commas between them, or \"none\"".to_owned(),
            Self::Shares => "numbers from 0 with commas between them".to_owned(),
            Self::Adapters => "files with commas between them".to_owned(),
            Self::ScaledAdapters => "FILE:SCALE, with a number as SCALE".to_owned(),
            Self::Overrides => "KEY=TYPE:VALUE, with int, float, bool or str as TYPE".to_owned(),
            Self::LogitBias => "the id of a token and its bias, such as 15043+1, 15043-0.5 or 15043=false".to_owned(),
            Self::Schema => "a JSON schema".to_owned(),
            Self::Object => "a JSON object".to_owned(),
            Self::Stands(text) => format!("nothing: it stands for {text}"),
        }
    }

    /// Whether [`Self::allowed`] tells more than what the value looks like.
    pub(crate) fn has_range(&self) -> bool {
        matches!(
            self,
            Self::Int { .. }
                | Self::Float { .. }
                | Self::Choice(_)
                | Self::Seed
                | Self::Layers
                | Self::Stages
                | Self::Size
        )
    }

    fn must(&self) -> Wrong {
        format!("must be {}", self.allowed())
    }

    fn broken(&self, why: &str) -> Wrong {
        format!("must be {} ({why})", self.allowed())
    }

    /// A schema is an object, or says that everything or nothing fits.
    fn is_schema(value: &Value) -> bool {
        value.is_object() || value.is_boolean()
    }
}

fn on_off(words: &[(&str, bool)], text: &str) -> Option<Value> {
    let word = words.iter().find(|(word, _)| *word == text);
    word.map(|(_, on)| *on).or_else(|| on_or_off(text)).map(Value::Bool)
}

fn choice(words: &[(&'static str, &[&str])], text: &str) -> Result<Value, Wrong> {
    let found = words.iter().find(|(name, aliases)| *name == text || aliases.contains(&text));
    if let Some((name, _)) = found {
        return Ok((*name).into());
    }
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    let all = names.iter().chain(words.iter().flat_map(|(_, aliases)| *aliases)).copied();
    let nearest = suggest::did_you_mean(text, all).unwrap_or_default();
    Err(format!("must be {}{nearest}", suggest::or(&names)))
}

fn seed(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => match number.as_i64()? {
            -1 | 0xFFFF_FFFF => Some("random".into()),
            number => u32::try_from(number).ok().map(Value::from),
        },
        Value::String(text) if text == "random" => Some(value.clone()),
        _ => None,
    }
}

fn layers(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => match number.as_i64()? {
            -1 => Some("all".into()),
            number => u32::try_from(number).ok().map(Value::from),
        },
        Value::String(text) if text == "all" || text == "auto" => Some("all".into()),
        _ => None,
    }
}

/// Whether the engine's configuration takes it for a time; whether it is in range is for its own check.
fn is_time(value: &Value) -> bool {
    serde_json::from_value::<llama_runtime::BatchConfig>(json!({ "step_time": value })).is_ok()
}

fn parsed(text: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if fits(&value) { Ok(value) } else { Err("it is JSON of another kind".to_owned()) }
}

/// An object with these members.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
