//! Environment variables: upstream's `LLAMA_ARG_*` and ours.

use anyhow::anyhow;
use serde_json::Value;

use super::kind::Kind;
use super::layers::{Entry, Level, Origin, subject};
use super::places::Surroundings;
use super::table::{Row, rows};
use super::{suggest, unsupported};

const PREFIX: &str = "LLAMA_ARG_";
const NEGATED: &str = "LLAMA_ARG_NO_";

/// What the variables set.
///
/// # Errors
///
/// The variable whose value cannot be used.
pub(crate) fn read(around: &Surroundings) -> anyhow::Result<Level> {
    let mut level = Level::default();
    for row in rows() {
        let mut set = entry(row, around)?;
        for also in row.also {
            let Some(other) = also.env.map(|name| value(row, &also.kind, name, around)).transpose()?.flatten() else {
                continue;
            };
            if also.only_lowers {
                level.lowers.push(other);
            } else {
                set = set.or(Some(other));
            }
        }
        level.sets.extend(set);
    }
    Ok(level)
}

fn entry(row: &'static Row, around: &Surroundings) -> anyhow::Result<Option<Entry>> {
    for name in row.env {
        if let Some(off) = negated(row, name).filter(|off| around.variables.contains_key(std::ffi::OsStr::new(off))) {
            let origin = Origin::Variable(off);
            return Ok(Some(Entry { row, value: Value::Bool(false), written: String::new(), origin }));
        }
        if let Some(entry) = value(row, &row.kind, name, around)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

fn value(row: &'static Row, kind: &Kind, name: &str, around: &Surroundings) -> anyhow::Result<Option<Entry>> {
    let Some(text) = around.variable(name)? else { return Ok(None) };
    let origin = Origin::Variable(name.to_owned());
    let read = kind.read(text).map_err(|wrong| anyhow!("{}, {wrong}", subject(row.key, text, &origin)))?;
    Ok(Some(Entry { row, value: read, written: text.to_owned(), origin }))
}

/// The variable that switches it off by being there, as upstream has it for each flag with a negated form.
pub(crate) fn negated(row: &Row, name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX).filter(|_| row.kind == Kind::Switch)?;
    Some(format!("{NEGATED}{rest}"))
}

/// Variables that look as if they were meant for a setting: what to tell about each. Those of upstream that are about
/// other programs are nobody's mistake.
pub(crate) fn doubtful(around: &Surroundings) -> Vec<String> {
    let also = rows().flat_map(|row| row.also).filter_map(|also| also.env);
    let ours: Vec<&str> = rows().flat_map(|row| row.env).copied().chain(also).collect();
    let names = around.variables.keys().filter_map(|name| name.to_str()).filter(|name| name.starts_with(PREFIX));
    let strangers = names.filter(|name| {
        let positive = name.replacen(NEGATED, PREFIX, 1);
        !ours.contains(name) && !ours.contains(&positive.as_str()) && !unsupported::is_variable(name)
    });
    strangers
        .filter_map(|name| {
            let nearest = suggest::did_you_mean(
                name.trim_start_matches(PREFIX),
                ours.iter().map(|name| name.trim_start_matches(PREFIX)),
            )?;
            Some(format!(
                "warning: {name} is no variable of this program{}",
                nearest.replace("did you mean ", "did you mean LLAMA_ARG_")
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Surroundings { variables, ..Surroundings::default() }
    }

    #[test]
    fn variables_set_what_upstream_sets_by_them() {
        let level = read(&around(&[
            ("LLAMA_ARG_TOP_K", "7"),
            ("LLAMA_ARG_OFFLINE", "on"),
            ("LLAMA_ARG_NO_KV_OFFLOAD", ""),
            ("LLAMA_ARG_MODEL", ""),
        ]))
        .unwrap();
        let set: Vec<_> = level.sets.iter().map(|entry| (entry.row.key, entry.value.to_string())).collect();
        let expected = [("model.offline", "true"), ("context.offload_kqv", "false"), ("sampling.top_k", "7")];
        assert_eq!(set, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn upstreams_other_ways_to_set_a_setting_have_variables_too() {
        let level = read(&around(&[("LLAMA_ARG_THINK", "none"), ("LLAMA_ARG_BATCH", "64")])).unwrap();
        assert_eq!((level.sets[0].row.key, &level.sets[0].value), ("reasoning.split", &Value::Bool(false)));
        assert_eq!((level.lowers[0].row.key, &level.lowers[0].value), ("batch.step_tokens", &Value::from(64)));
        let error = read(&around(&[("LLAMA_ARG_THINK", "some")])).unwrap_err().to_string();
        assert_eq!(error, "LLAMA_ARG_THINK is some, must be none, auto or deepseek");
    }

    #[test]
    fn a_bad_value_is_told_with_its_variable() {
        let error = read(&around(&[("LLAMA_ARG_OFFLINE", "maybe")])).unwrap_err().to_string();
        assert_eq!(error, "LLAMA_ARG_OFFLINE is maybe, must be true or false");
    }

    #[test]
    fn only_misspelt_variables_are_doubtful() {
        assert_eq!(
            doubtful(&around(&[("LLAMA_ARG_PORT", "8080"), ("LLAMA_ARG_TOP_K", "1"), ("LLAMA_ARG_NO_OFFLINE", "1")])),
            [""; 0]
        );
        let told = doubtful(&around(&[("LLAMA_ARG_TOPK", "1")]));
        assert_eq!(told, ["warning: LLAMA_ARG_TOPK is no variable of this program; did you mean LLAMA_ARG_TOP_K?"]);
    }
}
