//! The order of the sampling stages: names, upstream's other names for them, and its letters.

use serde_json::Value;

use super::Wrong;
use crate::settings::suggest;

/// The names, as files write them.
pub(super) const NAMES: [&str; 11] = [
    "penalties",
    "dry",
    "top_n_sigma",
    "top_k",
    "typical_p",
    "top_p",
    "min_p",
    "xtc",
    "temperature",
    "infill",
    "adaptive_p",
];

/// Upstream's letter for each of [`NAMES`].
pub(super) const LETTERS: &str = "edskypmxtia";

/// What upstream calls them too, without dashes and underscores.
const ALIASES: [(&str, &str); 8] = [
    ("topnsigma", "top_n_sigma"),
    ("nucleus", "top_p"),
    ("typ", "typical_p"),
    ("typp", "typical_p"),
    ("typical", "typical_p"),
    ("temp", "temperature"),
    ("penalty", "penalties"),
    ("adaptive", "adaptive_p"),
];

/// An order by names. An unknown one is refused: upstream warns and leaves it out, and then samples otherwise than was
/// asked.
pub(super) fn named<'a>(names: impl Iterator<Item = &'a str>) -> Result<Value, Wrong> {
    in_order(names.map(|name| stage(name).ok_or_else(|| unknown(name))))
}

/// An order by letters.
pub(super) fn lettered(text: &str) -> Result<Value, Wrong> {
    in_order(text.chars().map(|letter| {
        let place = LETTERS.chars().position(|known| known == letter);
        place.map(|place| NAMES[place]).ok_or_else(|| format!("but {letter:?} is none of {LETTERS}"))
    }))
}

fn in_order(stages: impl Iterator<Item = Result<&'static str, Wrong>>) -> Result<Value, Wrong> {
    let mut order: Vec<Value> = Vec::new();
    for stage in stages {
        let stage = stage?;
        if order.iter().any(|known| known == stage) {
            return Err(format!("but {stage} is in it twice"));
        }
        order.push(stage.into());
    }
    Ok(Value::Array(order))
}

fn stage(name: &str) -> Option<&'static str> {
    let bare = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
    let wanted = bare(name);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == wanted).map(|(_, name)| *name);
    alias.or_else(|| NAMES.into_iter().find(|known| bare(known) == wanted))
}

fn unknown(name: &str) -> Wrong {
    let nearest = suggest::did_you_mean(name, NAMES).unwrap_or_default();
    format!("but there is no stage {name:?}{nearest}; the stages are {}", NAMES.join(", "))
}
