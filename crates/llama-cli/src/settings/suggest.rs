//! The nearest valid name to one that was mistyped.

/// Names that are less alike are no help.
const ALIKE: f64 = 0.75;

/// The name among `known` that is most like `name`, if one is like it.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let name = plain(name);
    let alike = known.into_iter().map(|known| (likeness(&name, &plain(known)), known));
    alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// From 0 to 1. In short words one slip is much, and still the likeliest reason.
fn likeness(name: &str, known: &str) -> f64 {
    if name.chars().count() < 3 {
        return 0.0;
    }
    let one_slip = strsim::osa_distance(name, known) == 1;
    strsim::jaro_winkler(name, known).max(if one_slip { 0.9 } else { 0.0 })
}

/// The end of a sentence that names it.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(name, known).map(|known| format!("; did you mean {known}?"))
}

/// `a, b or c`.
pub(crate) fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Dashes, underscores and capitals make no difference to a person.
fn plain(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_seen_through_and_nonsense_is_not() {
        let known = ["sampling.temperature", "sampling.top_k", "context.n_ctx"];
        assert_eq!(nearest("sampling.temprature", known), Some("sampling.temperature"));
        assert_eq!(nearest("sampling.topk", known), Some("sampling.top_k"));
        assert_eq!((nearest("zzz", known), nearest("s", known)), (None, None));
        assert_eq!(nearest("rnu", ["run", "chat"]), Some("run"));
        assert_eq!(or(&["a", "b", "c"]), "a, b or c");
    }
}
