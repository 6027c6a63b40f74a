use proptest::prelude::*;

use super::{StopError, StopSet};

/// What the module promises, written the slow way: the match that ends first, and of those the one that starts first.
fn naive<'t>(stops: &[String], text: &'t str) -> (&'t str, Option<usize>) {
    for end in 1..=text.len() {
        let complete = stops.iter().enumerate().filter(|(_, stop)| text.as_bytes()[..end].ends_with(stop.as_bytes()));
        let longest = complete.max_by_key(|(index, stop)| (stop.len(), usize::MAX - index));
        if let Some((index, stop)) = longest {
            return (&text[..end - stop.len()], Some(index));
        }
    }
    (text, None)
}

fn scan<'t>(set: &StopSet, pieces: impl IntoIterator<Item = &'t str>) -> (String, Option<usize>) {
    let mut scanner = set.scanner();
    let mut shown = String::new();
    for piece in pieces {
        let hit = scanner.push(piece, &mut shown);
        assert_eq!(hit, scanner.stopped());
    }
    let hit = scanner.finish(&mut shown);
    assert_eq!(scanner.held(), "");
    (shown, hit)
}

#[test]
fn text_without_a_stop_string_comes_out_whole() {
    let set = StopSet::new(["stop", "<|end|>"]).unwrap();
    assert_eq!(scan(&set, ["a sto", "ry of <", "|en"]), ("a story of <|en".to_owned(), None));
}

#[test]
fn an_empty_set_holds_nothing_back() {
    let set = StopSet::new(Vec::<String>::new()).unwrap();
    let mut scanner = set.scanner();
    let mut shown = String::new();
    assert_eq!(scanner.push("anything", &mut shown), None);
    assert_eq!((shown.as_str(), scanner.held()), ("anything", ""));
    assert!(set.is_empty());
}

#[test]
fn only_the_part_that_may_become_a_stop_string_is_held_back() {
    let set = StopSet::new(["aab"]).unwrap();
    let mut scanner = set.scanner();
    let mut shown = String::new();
    scanner.push("xaaa", &mut shown);
    assert_eq!((shown.as_str(), scanner.held()), ("xa", "aa"));
    scanner.push("c", &mut shown);
    assert_eq!((shown.as_str(), scanner.held()), ("xaaac", ""));
}

#[test]
fn the_first_string_to_be_complete_counts_and_the_longest_at_the_same_end() {
    let set = StopSet::new(["abc", "ab", "zab"]).unwrap();
    assert_eq!(scan(&set, ["xabc"]), ("x".to_owned(), Some(1)));
    assert_eq!(scan(&set, ["xz", "a", "bc"]), ("x".to_owned(), Some(2)));
    let overlapping = StopSet::new(["abcd", "bc"]).unwrap();
    assert_eq!(scan(&overlapping, ["abcd"]), ("a".to_owned(), Some(1)));
}

#[test]
fn of_equal_strings_the_first_is_reported() {
    let set = StopSet::new(["b", "a", "a"]).unwrap();
    assert_eq!(scan(&set, ["xa"]), ("x".to_owned(), Some(1)));
    assert_eq!(set.get(1), Some("a"));
    assert_eq!(set.get(3), None);
}

#[test]
fn after_a_match_nothing_more_is_shown_until_reset() {
    let set = StopSet::new(["."]).unwrap();
    let mut scanner = set.scanner();
    let mut shown = String::new();
    assert_eq!(scanner.push("one. two", &mut shown), Some(0));
    assert_eq!(scanner.push(" three", &mut shown), Some(0));
    assert_eq!(scanner.finish(&mut shown), Some(0));
    assert_eq!(shown, "one");
    scanner.reset();
    assert_eq!(scanner.push("four", &mut shown), None);
    assert_eq!(shown, "onefour");
}

#[test]
fn a_bad_list_is_refused_with_the_string_at_fault() {
    assert_eq!(StopSet::new(["a", ""]).unwrap_err(), StopError::Empty { index: 1 });
    let long = "x".repeat(StopSet::MAX_BYTES + 1);
    let refused = StopSet::new([long.clone()]).unwrap_err();
    assert_eq!(refused, StopError::TooLong { index: 0, bytes: long.len(), limit: StopSet::MAX_BYTES });
    let refused = StopSet::new(std::iter::repeat("x")).unwrap_err();
    assert_eq!(refused, StopError::TooMany { limit: StopSet::MAX_STRINGS });
}

#[test]
fn the_hold_back_stays_below_the_longest_stop_string() {
    let set = StopSet::new(["aaaaaaab".to_owned()]).unwrap();
    let mut scanner = set.scanner();
    let mut shown = String::new();
    for _ in 0..1000 {
        assert_eq!(scanner.push("a", &mut shown), None);
        assert!(scanner.held().len() < 8);
    }
    assert_eq!(shown.len() + scanner.held().len(), 1000);
}

/// Few letters, so that prefixes, suffixes and near misses are common; some take several bytes and share their first.
fn word(len: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', 'é', 'è', '€', '😀', '😁']), len)
        .prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #[test]
    fn any_cut_of_any_text_gives_what_the_slow_way_gives(
        stops in prop::collection::vec(word(1..5), 0..5),
        text in word(0..40),
        cuts in prop::collection::vec(0_usize..5, 0..40),
    ) {
        let set = StopSet::new(stops.clone()).unwrap();
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        for cut in cuts {
            let at = rest.char_indices().nth(cut).map_or(rest.len(), |(at, _)| at);
            let (piece, after) = rest.split_at(at);
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let (shown, hit) = scan(&set, pieces);
        prop_assert_eq!((shown.as_str(), hit), naive(&stops, &text));
    }

    #[test]
    fn what_is_held_back_is_the_longest_end_that_begins_a_stop_string(
        stops in prop::collection::vec(word(1..5), 1..5),
        text in word(0..30),
    ) {
        let set = StopSet::new(stops.clone()).unwrap();
        let mut scanner = set.scanner();
        let mut shown = String::new();
        if scanner.push(&text, &mut shown).is_none() {
            let longest = text.char_indices().map(|(at, _)| &text[at..])
                .find(|end| stops.iter().any(|stop| stop.starts_with(end)))
                .unwrap_or("");
            prop_assert_eq!(scanner.held(), longest);
            prop_assert_eq!(format!("{shown}{longest}"), text);
        }
    }
}
