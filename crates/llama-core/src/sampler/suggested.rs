//! What a model's file suggests for sampling: [`SuggestedSampling`].

use super::{Mirostat, SamplingParams, Stage};
use crate::model::Model;

/// What a model's file suggests for sampling, from its `general.sampling.*` metadata. `None` is where it says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SuggestedSampling {
    /// `general.sampling.sequence`: the order of the stages.
    pub stages: Option<Vec<Stage>>,
    /// `general.sampling.top_k`.
    pub top_k: Option<u32>,
    /// `general.sampling.top_p`.
    pub top_p: Option<f32>,
    /// `general.sampling.min_p`.
    pub min_p: Option<f32>,
    /// `general.sampling.xtc_probability`.
    pub xtc_probability: Option<f32>,
    /// `general.sampling.xtc_threshold`.
    pub xtc_threshold: Option<f32>,
    /// `general.sampling.temp`.
    pub temperature: Option<f32>,
    /// `general.sampling.penalty_last_n`.
    pub penalty_last_n: Option<u32>,
    /// `general.sampling.penalty_repeat`.
    pub penalty_repeat: Option<f32>,
    /// `general.sampling.mirostat`.
    pub mirostat: Option<Mirostat>,
    /// `general.sampling.mirostat_tau`.
    pub mirostat_tau: Option<f32>,
    /// `general.sampling.mirostat_eta`.
    pub mirostat_eta: Option<f32>,
}

impl SuggestedSampling {
    /// What the file of `model` suggests. A value that makes no sense is left out, and the log says so.
    pub fn of(model: &Model) -> Self {
        let n_ctx_train = model.facts().n_ctx_train;
        Self::read(n_ctx_train, |name| model.metadata(&format!("general.sampling.{name}")))
    }

    /// `params` with what is suggested, but for the fields that `keep` names: those that somebody set. Names are those of
    /// the fields of [`SamplingParams`].
    #[must_use]
    pub fn apply(&self, mut params: SamplingParams, keep: impl Fn(&str) -> bool) -> SamplingParams {
        fn set<T: Clone>(place: &mut T, suggested: Option<&T>, kept: bool) {
            if let Some(value) = suggested.filter(|_| !kept) {
                place.clone_from(value);
            }
        }
        set(&mut params.top_k, self.top_k.as_ref(), keep("top_k"));
        set(&mut params.top_p, self.top_p.as_ref(), keep("top_p"));
        set(&mut params.min_p, self.min_p.as_ref(), keep("min_p"));
        set(&mut params.xtc_probability, self.xtc_probability.as_ref(), keep("xtc_probability"));
        set(&mut params.xtc_threshold, self.xtc_threshold.as_ref(), keep("xtc_threshold"));
        set(&mut params.temperature, self.temperature.as_ref(), keep("temperature"));
        set(&mut params.penalty_last_n, self.penalty_last_n.as_ref(), keep("penalty_last_n"));
        set(&mut params.penalty_repeat, self.penalty_repeat.as_ref(), keep("penalty_repeat"));
        set(&mut params.mirostat, self.mirostat.as_ref(), keep("mirostat"));
        set(&mut params.mirostat_tau, self.mirostat_tau.as_ref(), keep("mirostat_tau"));
        set(&mut params.mirostat_eta, self.mirostat_eta.as_ref(), keep("mirostat_eta"));
        // An order may need a value that was kept as it is: then the order is not taken.
        let mut ordered = params.clone();
        set(&mut ordered.stages, self.stages.as_ref(), keep("stages"));
        match ordered.validate() {
            Err(error) if ordered.stages != params.stages && params.validate().is_ok() => {
                tracing::warn!(%error, "the model's order of sampling stages does not fit the other settings");
                params
            }
            _ => ordered,
        }
    }

    fn read(n_ctx_train: u32, value: impl Fn(&str) -> Option<String>) -> Self {
        let float = |name, of: fn(&mut SamplingParams) -> &mut f32| {
            number(name, value(name)?, |value, params| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "what is too large becomes infinite, which is refused"
                )]
                let value = value as f32;
                *of(params) = value;
                Some(value)
            })
        };
        let whole = |name, of: fn(&mut SamplingParams) -> &mut u32, least: (f64, u32)| {
            number(name, value(name)?, |value, params| {
                let value = if value == least.0 { least.1 } else { exact(value)? };
                *of(params) = value;
                Some(value)
            })
        };
        Self {
            stages: value("sequence").and_then(|names| stages(&names)),
            // Upstream turns top-k off with anything below 1.
            top_k: whole("top_k", |params| &mut params.top_k, (-1.0, 0)),
            top_p: float("top_p", |params| &mut params.top_p),
            min_p: float("min_p", |params| &mut params.min_p),
            xtc_probability: float("xtc_probability", |params| &mut params.xtc_probability),
            xtc_threshold: float("xtc_threshold", |params| &mut params.xtc_threshold),
            temperature: float("temp", |params| &mut params.temperature),
            // -1 is as far as the context goes.
            penalty_last_n: whole("penalty_last_n", |params| &mut params.penalty_last_n, (-1.0, n_ctx_train)),
            penalty_repeat: float("penalty_repeat", |params| &mut params.penalty_repeat),
            mirostat: value("mirostat").and_then(|text| number("mirostat", text, |value, _| mirostat(value))),
            mirostat_tau: float("mirostat_tau", |params| &mut params.mirostat_tau),
            mirostat_eta: float("mirostat_eta", |params| &mut params.mirostat_eta),
        }
    }
}

/// Reads a number of the metadata, whatever type it has there; `None`, with a warning, if it is none, or one that no
/// sampler takes. `take` makes a field of it, and puts it into the parameters that are checked.
fn number<T>(name: &str, text: String, take: impl FnOnce(f64, &mut SamplingParams) -> Option<T>) -> Option<T> {
    let mut params = SamplingParams::default();
    let taken = text.trim().parse().ok().and_then(|value| take(value, &mut params));
    match (taken, params.validate()) {
        (Some(taken), Ok(())) => Some(taken),
        (_, Err(error)) => {
            tracing::warn!(%error, "the model suggests a value for sampling that is left out");
            None
        }
        (None, Ok(())) => {
            tracing::warn!(name, value = text, "the model suggests a value for sampling that is left out");
            None
        }
    }
}

/// A number that is a whole one.
fn exact(value: f64) -> Option<u32> {
    let whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number within range")]
    whole.then_some(value as u32)
}

fn mirostat(value: f64) -> Option<Mirostat> {
    match exact(value)? {
        0 => Some(Mirostat::Off),
        1 => Some(Mirostat::V1),
        2 => Some(Mirostat::V2),
        _ => None,
    }
}

/// Names with semicolons between them. A name that is unknown, or comes again, is left out; `None` if nothing is left.
fn stages(names: &str) -> Option<Vec<Stage>> {
    let mut stages = Vec::new();
    for name in names.split(';').map(str::trim).filter(|name| !name.is_empty()) {
        match Stage::from_name(name) {
            Some(stage) if !stages.contains(&stage) => stages.push(stage),
            _ => tracing::warn!(name, "the model suggests a sampling stage that is left out: unknown, or named twice"),
        }
    }
    (!stages.is_empty()).then_some(stages)
}

impl Stage {
    /// The stage of one of upstream's names: `top_k`, `top-k` or `topk`, capitals or not; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        let letters: String = name.to_ascii_lowercase().chars().filter(|c| !matches!(c, '_' | '-')).collect();
        Some(match &*letters {
            "penalties" => Self::Penalties,
            "dry" => Self::Dry,
            "topnsigma" => Self::TopNSigma,
            "topk" => Self::TopK,
            "typp" | "typ" | "typicalp" | "typical" => Self::TypicalP,
            "topp" | "nucleus" => Self::TopP,
            "minp" => Self::MinP,
            "xtc" => Self::Xtc,
            "temperature" | "temp" => Self::Temperature,
            "infill" => Self::Infill,
            "adaptivep" => Self::AdaptiveP,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> SuggestedSampling {
        SuggestedSampling::read(4096, |name| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn numbers_of_any_type_are_read() {
        let suggested = read(&[("top_k", "20"), ("top_p", "0.800000"), ("temp", "1"), ("penalty_last_n", "32.0")]);
        let expected = SuggestedSampling {
            top_k: Some(20),
            top_p: Some(0.8),
            temperature: Some(1.0),
            penalty_last_n: Some(32),
            ..SuggestedSampling::default()
        };
        assert_eq!(suggested, expected);
        assert_eq!(read(&[]), SuggestedSampling::default());
        assert_eq!(
            (read(&[("top_k", "-1")]).top_k, read(&[("penalty_last_n", "-1")]).penalty_last_n),
            (Some(0), Some(4096))
        );
        assert_eq!(read(&[("mirostat", "2")]).mirostat, Some(Mirostat::V2));
    }

    #[test]
    fn what_no_sampler_takes_is_left_out() {
        for (name, value) in [
            ("top_k", "many"),
            ("top_k", "1.5"),
            ("top_k", "-7"),
            ("top_k", "5000000000"),
            ("top_p", "1.5"),
            ("top_p", "nan"),
            ("min_p", "-0.1"),
            ("temp", "inf"),
            ("temp", "1e300"),
            ("temp", ""),
            ("penalty_last_n", "2000000"),
            ("penalty_repeat", "0"),
            ("mirostat", "3"),
            ("mirostat_tau", "-1"),
            ("mirostat_eta", "11"),
            ("xtc_probability", "2"),
            ("xtc_threshold", "-1"),
            ("sequence", ""),
            ("sequence", ";;"),
            ("sequence", "magic"),
        ] {
            assert_eq!(read(&[(name, value)]), SuggestedSampling::default(), "{name} {value}");
        }
    }

    #[test]
    fn the_order_of_stages_is_read_by_upstreams_names() {
        let stages = |names| read(&[("sequence", names)]).stages.unwrap_or_default();
        let all = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";
        assert_eq!(stages(all), Stage::DEFAULT_ORDER);
        assert_eq!(stages("TOP-K; topp ;nucleus;unheard;temp"), [Stage::TopK, Stage::TopP, Stage::Temperature]);
        assert_eq!(stages("infill;adaptive_p"), [Stage::Infill, Stage::AdaptiveP]);
    }

    #[test]
    fn what_somebody_set_is_kept() {
        let suggested = read(&[("top_k", "7"), ("temp", "0.3"), ("sequence", "temp"), ("mirostat", "1")]);
        let set = SamplingParams { top_k: 50, ..SamplingParams::default() };
        let applied = suggested.apply(set.clone(), |field| field == "top_k");
        let expected = SamplingParams {
            temperature: 0.3,
            stages: vec![Stage::Temperature],
            mirostat: Mirostat::V1,
            ..set.clone()
        };
        assert_eq!(applied, expected);
        assert_eq!(suggested.apply(set.clone(), |_| true), set);
        assert_eq!(SuggestedSampling::default().apply(set.clone(), |_| false), set);
    }

    #[test]
    fn an_order_that_needs_another_value_than_the_one_set_is_not_taken() {
        let suggested = read(&[("sequence", "top_k;infill"), ("temp", "0.5")]);
        let off = SamplingParams { top_k: 0, ..SamplingParams::default() };
        let applied = suggested.apply(off.clone(), |field| field == "top_k");
        assert_eq!(applied, SamplingParams { temperature: 0.5, ..off });
        assert_eq!(suggested.apply(SamplingParams::default(), |_| false).stages, [Stage::TopK, Stage::Infill]);
    }
}
