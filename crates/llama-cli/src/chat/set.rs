//! What `/set` changes: the settings of sampling, answers and reasoning, by their key or their flag.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use llama_runtime::SamplingParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use strsim::osa_distance;

use crate::settings::{AnswerSettings, Effective, ReasoningSettings};

/// Flags, and keys of upstream, whose key has another name.
const OTHER_NAMES: [(&str, &str); 17] = [
    ("temp", "temperature"),
    ("n", "max_tokens"),
    ("predict", "max_tokens"),
    ("n_predict", "max_tokens"),
    ("s", "seed"),
    ("reverse_prompt", "stop"),
    ("typical", "typical_p"),
    ("top_nsigma", "top_n_sigma"),
    ("repeat_last_n", "penalty_last_n"),
    ("repeat_penalty", "penalty_repeat"),
    ("presence_penalty", "penalty_presence"),
    ("frequency_penalty", "penalty_frequency"),
    ("dynatemp_exp", "dynatemp_exponent"),
    ("mirostat_lr", "mirostat_eta"),
    ("mirostat_ent", "mirostat_tau"),
    ("reasoning", "enabled"),
    ("reasoning_effort", "effort"),
];

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sampling,
    Answer,
    Reasoning,
}

/// What was changed since the program was started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes {
    /// As they were typed, by key.
    typed: BTreeMap<String, String>,
    /// Of sampling, on top of what the model suggests.
    sampling: Map<String, Value>,
}

impl Changes {
    /// As they were typed, by key.
    pub(crate) fn typed(&self) -> &BTreeMap<String, String> {
        &self.typed
    }

    /// Changes a setting. Returns its key.
    ///
    /// # Errors
    ///
    /// What is wrong with the key or the value; nothing is changed then.
    pub(crate) fn set(&mut self, effective: &mut Effective, key: &str, typed: &str) -> anyhow::Result<String> {
        let (part, key) = find(key)?;
        let current = fields(part)?;
        let value = value(&key, typed, current.get(&key).unwrap_or(&Value::Null))
            .with_context(|| format!("{key} cannot be {typed:?}"))?;
        let told = || format!("{key} cannot be {typed:?}");
        match part {
            Part::Sampling => {
                let mut changed = self.sampling.clone();
                changed.insert(key.clone(), value);
                let params = with(&SamplingParams::default(), &changed).with_context(told)?;
                params.validate().map_err(|error| anyhow!("{error}"))?;
                self.sampling = changed;
            }
            Part::Answer => {
                effective.settings.answer = changed_answer(effective, &key, value).with_context(told)?;
                if ["grammar", "json_schema"].contains(&key.as_str()) {
                    effective.forget_structure_origin();
                }
            }
            Part::Reasoning => {
                let change = Map::from_iter([(key.clone(), value)]);
                effective.settings.reasoning = with(&effective.settings.reasoning, &change).with_context(told)?;
            }
        }
        self.typed.insert(key.clone(), typed.to_owned());
        Ok(key)
    }

    /// What holds of `params` with the changes.
    pub(crate) fn apply(&self, params: &SamplingParams) -> anyhow::Result<SamplingParams> {
        with(params, &self.sampling)
    }
}

/// A grammar and a schema exclude each other: the last one counts.
fn changed_answer(effective: &Effective, key: &str, value: Value) -> anyhow::Result<AnswerSettings> {
    let mut change = Map::from_iter([(key.to_owned(), value)]);
    match key {
        "grammar" => change.insert("json_schema".to_owned(), Value::Null),
        "json_schema" => change.insert("grammar".to_owned(), Value::Null),
        _ => None,
    };
    with(&effective.settings.answer, &change)
}

/// What differs from the defaults, as lines of keys and values.
pub(crate) fn differing(sampling: &SamplingParams, effective: &Effective) -> anyhow::Result<Vec<String>> {
    let settings = &effective.settings;
    let pairs = [
        (object(sampling)?, object(&SamplingParams::default())?),
        (object(&settings.answer)?, object(&AnswerSettings::default())?),
        (object(&settings.reasoning)?, object(&ReasoningSettings::default())?),
    ];
    let mut lines = Vec::new();
    for (now, default) in pairs {
        lines.extend(
            now.iter().filter(|(key, now)| default.get(*key) != Some(now)).map(|(key, now)| format!("{key} = {now}")),
        );
    }
    Ok(lines)
}

fn find(typed: &str) -> anyhow::Result<(Part, String)> {
    let plain = typed.trim_start_matches('-').replace('-', "_").to_lowercase();
    let bare =
        ["sampling.", "answer.", "reasoning."].iter().find_map(|part| plain.strip_prefix(part)).unwrap_or(&plain);
    let key = OTHER_NAMES.iter().find(|(other, _)| *other == bare).map_or(bare, |(_, key)| key);
    // Sampling has a grammar too, of another form.
    let other = OTHER_NAMES.iter().map(|(other, _)| (osa_distance(other, bare), (*other).to_owned()));
    let mut nearest: Option<(usize, String)> = other.min_by_key(|(far, _)| *far);
    for part in [Part::Answer, Part::Sampling, Part::Reasoning] {
        for name in fields(part)?.keys() {
            if name == key {
                return Ok((part, name.clone()));
            }
            let far = osa_distance(name, key);
            if nearest.as_ref().is_none_or(|(least, _)| far <= *least) {
                nearest = Some((far, name.clone()));
            }
        }
    }
    let hint = nearest
        .filter(|(far, name)| *far <= name.len() / 2)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"));
    bail!("there is no setting {typed} that a conversation can change{hint}")
}

/// Its keys, with values of the kind that they take.
fn fields(part: Part) -> anyhow::Result<Map<String, Value>> {
    match part {
        Part::Sampling => object(&SamplingParams::default()),
        Part::Answer => object(&AnswerSettings::default()),
        Part::Reasoning => object(&ReasoningSettings::default()),
    }
}

/// What was typed, as the kind of value that is there now.
fn value(key: &str, typed: &str, current: &Value) -> anyhow::Result<Value> {
    let number =
        || serde_json::from_str::<serde_json::Number>(typed).map(Value::Number).context("it has to be a number");
    let list =
        |by: &[char]| Value::from(typed.split(by).map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>());
    let none = matches!(typed, "none" | "off" | "-");
    Ok(match key {
        "seed" if typed == "-1" || typed == "random" => json!("random"),
        "seed" => json!({ "fixed": typed.parse::<u32>().context("it has to be -1 or a number up to 4294967295")? }),
        "max_tokens" if none || matches!(typed, "-1" | "-2") => Value::Null,
        "max_tokens" => match typed.parse::<u64>() {
            Ok(0) | Err(_) => bail!("it has to be -1 or the number of tokens, at least 1"),
            Ok(tokens) => json!(tokens),
        },
        "mirostat" => match typed {
            "1" => json!("v1"),
            "2" => json!("v2"),
            "0" => json!("off"),
            other => json!(other),
        },
        "grammar" | "json_schema" | "effort" if none => Value::Null,
        "json_schema" => serde_json::from_str(typed).context("it has to be a JSON schema")?,
        "stages" => list(&[';', ',']),
        "stop" if none => json!([]),
        "stop" | "dry_breakers" if !typed.starts_with('[') => json!([typed]),
        _ => match current {
            Value::Bool(_) => match typed {
                "true" | "on" | "1" | "yes" => json!(true),
                "false" | "off" | "0" | "no" => json!(false),
                _ => bail!("it has to be on or off"),
            },
            Value::Number(_) => number()?,
            Value::Array(_) | Value::Object(_) => serde_json::from_str(typed).context("it has to be JSON")?,
            Value::Null | Value::String(_) => json!(typed),
        },
    })
}

fn object(value: &impl Serialize) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(value)? {
        Value::Object(object) => Ok(object),
        other => bail!("{other} has no keys"),
    }
}

fn with<T: Serialize + DeserializeOwned>(value: &T, changes: &Map<String, Value>) -> anyhow::Result<T> {
    let mut object = object(value)?;
    object.extend(changes.clone());
    Ok(serde_json::from_value(Value::Object(object))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{self, Command};
    use llama_runtime::Seed;

    fn effective() -> Effective {
        let cli = args::parse(vec!["llama-cli".into(), "chat".into()]).unwrap();
        let Command::Chat(args) = cli.command else { panic!("not a chat") };
        args.settings.resolve().unwrap()
    }

    #[test]
    fn settings_are_found_by_key_and_by_flag() {
        let mut effective = effective();
        let mut changes = Changes::default();
        for (key, value) in [
            ("temperature", "0.2"),
            ("--top-k", "5"),
            ("sampling.min_p", "0"),
            ("seed", "7"),
            ("max-tokens", "100"),
            ("stop", "END"),
            ("reasoning", "off"),
            ("repeat-penalty", "1.1"),
        ] {
            changes.set(&mut effective, key, value).unwrap();
        }
        let params = changes.apply(&SamplingParams::default()).unwrap();
        assert_eq!((params.temperature, params.top_k, params.min_p), (0.2, 5, 0.0));
        assert_eq!((params.seed, params.penalty_repeat), (Seed::Fixed(7), 1.1));
        assert_eq!(effective.settings.answer.max_tokens, Some(100));
        assert_eq!(effective.settings.answer.stop, ["END"]);
        assert!(!effective.settings.reasoning.enabled);
        let lines = differing(&params, &effective).unwrap();
        assert!(lines.iter().any(|line| line.starts_with("temperature = 0.2")), "{lines:?}");
        assert!(lines.contains(&"max_tokens = 100".to_owned()) && !lines.iter().any(|line| line.starts_with("top_p")));
        changes.set(&mut effective, "n", "-1").unwrap();
        assert_eq!(effective.settings.answer.max_tokens, None);
    }

    #[test]
    fn a_grammar_takes_the_place_of_a_schema() {
        let mut effective = effective();
        let mut changes = Changes::default();
        changes.set(&mut effective, "json-schema", "{\"type\": \"object\"}").unwrap();
        assert!(effective.settings.answer.json_schema.is_some());
        changes.set(&mut effective, "grammar", "root ::= \"a\"").unwrap();
        let answer = &effective.settings.answer;
        assert_eq!((answer.json_schema.as_ref(), answer.grammar.as_deref()), (None, Some("root ::= \"a\"")));
    }

    #[test]
    fn what_is_wrong_changes_nothing_and_is_told() {
        let mut effective = effective();
        let before = effective.settings.clone();
        let mut changes = Changes::default();
        for (key, value, part) in [
            ("temprature", "1", "did you mean temperature?"),
            ("tmep", "1", "did you mean temp?"),
            ("top-p", "2", "top_p"),
            ("top-k", "many", "top_k"),
            ("seed", "x", "seed"),
            ("max-tokens", "0", "at least 1"),
            ("ignore_eos", "perhaps", "on or off"),
            ("json-schema", "{", "JSON"),
        ] {
            let error = format!("{:#}", changes.set(&mut effective, key, value).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
        assert_eq!((changes, effective.settings), (Changes::default(), before));
    }
}
