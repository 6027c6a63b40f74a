//! The fields of a request that say how tokens are chosen, with the names of the settings and those of other programs.

use llama_runtime::{LogitBias, Mirostat, SamplingParams, Seed, Token};
use serde_json::{Map, Value};

use super::fields::{Fields, bad, parse};
use super::problem::Problem;

/// Fields that are read as the settings have them: the name there, and other names.
macro_rules! plain_fields {
    ($($name:ident $(= $alias:literal)*),+ $(,)?) => {
        /// Takes them from a request.
        fn plain(fields: &mut Fields, params: &mut SamplingParams) -> Result<(), Problem> {
            $(if let Some((name, value)) = fields.take(&[stringify!($name), $($alias),*])? {
                let one = Map::from_iter([(stringify!($name).to_owned(), value)]);
                params.$name = parse::<SamplingParams>(name, Value::Object(one))?.$name;
            })+
            Ok(())
        }

        #[cfg(test)]
        const PLAIN: &[&str] = &[$(stringify!($name)),+];
    };
}

plain_fields! {
    stages = "samplers", min_keep, top_k, top_p, min_p, typical_p = "typ_p", top_n_sigma, xtc_probability, xtc_threshold,
    temperature = "temp", dynatemp_range, dynatemp_exponent, penalty_last_n = "repeat_last_n",
    penalty_repeat = "repeat_penalty", penalty_frequency = "frequency_penalty", penalty_presence = "presence_penalty",
    dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n, dry_breakers = "dry_sequence_breakers",
    adaptive_target, adaptive_decay, mirostat_tau, mirostat_eta, ignore_eos,
}

/// Takes all of them, and changes what they say.
pub(super) fn take(fields: &mut Fields, params: &mut SamplingParams) -> Result<(), Problem> {
    plain(fields, params)?;
    if let Some((_, value)) = fields.take(&["seed"])? {
        params.seed = seed(&value)?;
    }
    if let Some((name, value)) = fields.take(&["mirostat"])? {
        params.mirostat = match value.as_u64() {
            Some(0) => Mirostat::Off,
            Some(1) => Mirostat::V1,
            Some(2) => Mirostat::V2,
            _ => parse(name, value)?,
        };
    }
    if let Some((_, value)) = fields.take(&["logit_bias"])? {
        params.logit_bias = logit_bias(&value)?;
    }
    Ok(())
}

fn seed(value: &Value) -> Result<Seed, Problem> {
    match value {
        Value::String(text) if text == "random" => return Ok(Seed::Random),
        Value::Number(number) if number.as_i64() == Some(-1) => return Ok(Seed::Random),
        Value::Number(number) => {
            if let Some(seed) = number.as_u64().and_then(|seed| u32::try_from(seed).ok()) {
                return Ok(Seed::from(seed));
            }
        }
        _ => {}
    }
    Err(bad(format!("`seed` is {value}, and must be -1, \"random\" or a number from 0 to {}", u32::MAX)))
}

/// `{"15": -100}`, `[[15, -100]]` or `[{"token": 15, "bias": -100}]`; `false` bans a token.
fn logit_bias(value: &Value) -> Result<Vec<LogitBias>, Problem> {
    let wrong = |what: &dyn std::fmt::Display| {
        bad(format!(
            "`logit_bias`: {what} is not understood; write an object of token numbers and biases, such as {{\"15\": -100}}"
        ))
    };
    let one = |token: Option<i64>, bias: Option<&Value>, what: &dyn std::fmt::Display| {
        let token = token.and_then(|token| i32::try_from(token).ok()).map(Token).ok_or_else(|| wrong(what))?;
        match bias {
            Some(Value::Bool(false)) => Ok(LogitBias::ban(token)),
            #[expect(clippy::cast_possible_truncation, reason = "a bias needs no more digits")]
            Some(Value::Number(bias)) => {
                Ok(LogitBias { token, bias: bias.as_f64().ok_or_else(|| wrong(what))? as f32 })
            }
            _ => Err(wrong(what)),
        }
    };
    match value {
        Value::Object(map) => map.iter().map(|(name, bias)| one(name.parse().ok(), Some(bias), name)).collect(),
        Value::Array(list) => list
            .iter()
            .map(|item| match item {
                Value::Array(pair) if pair.len() == 2 => one(pair[0].as_i64(), pair.get(1), item),
                _ => one(item["token"].as_i64(), item.get("bias"), item),
            })
            .collect(),
        other => Err(wrong(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::fields::object;

    fn taken(text: &str) -> Result<SamplingParams, String> {
        let mut fields = Fields::new(object(text).unwrap());
        let mut params = SamplingParams::greedy();
        take(&mut fields, &mut params).and_then(|()| fields.finish()).map_err(|problem| problem.message)?;
        Ok(params)
    }

    #[test]
    fn every_sampling_setting_is_a_field() {
        let Ok(Value::Object(all)) = serde_json::to_value(SamplingParams::default()) else { panic!("no object") };
        for name in all.keys() {
            // A grammar is a matter of what the answer has to look like.
            let known = [PLAIN, &["seed", "mirostat", "logit_bias", "grammar"]].concat();
            assert!(known.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn fields_change_what_they_name_and_nothing_else() {
        let params =
            taken(r#"{"top_p": 0.5, "repeat_penalty": 1.5, "seed": 7, "mirostat": 2, "logit_bias": {"3": -1}}"#);
        let mut expected = SamplingParams::greedy().seed(7);
        (expected.top_p, expected.penalty_repeat, expected.mirostat) = (0.5, 1.5, Mirostat::V2);
        expected.logit_bias = vec![LogitBias { token: Token(3), bias: -1.0 }];
        assert_eq!(params.unwrap(), expected);
        assert_eq!(taken("{}").unwrap(), SamplingParams::greedy());
        assert_eq!(
            taken(r#"{"seed": -1, "logit_bias": [[3, false]]}"#).unwrap().logit_bias,
            [LogitBias::ban(Token(3))]
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        for (text, says) in [
            (r#"{"seed": 1.5}"#, "`seed` is 1.5"),
            (r#"{"temp": "hot"}"#, "`temp`: invalid type"),
            (r#"{"top_k": -1}"#, "`top_k`: invalid value"),
            (r#"{"logit_bias": {"x": 1}}"#, "`logit_bias`: x is not understood"),
            (r#"{"stages": ["top_q"]}"#, "`stages`: unknown variant `top_q`"),
        ] {
            let error = taken(text).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
