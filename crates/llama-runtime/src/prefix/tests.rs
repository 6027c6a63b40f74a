use std::collections::BTreeMap;

use llama_core::Token;
use proptest::prelude::*;

use super::{Match, PrefixTree};

/// One token per letter.
fn tokens(text: &str) -> Vec<Token> {
    text.bytes().map(|byte| Token(i32::from(byte))).collect()
}

fn tree(holders: &[(u32, &str)]) -> PrefixTree<u32> {
    let mut tree = PrefixTree::new();
    for (holder, text) in holders {
        tree.insert(0, *holder, &tokens(text));
    }
    check(&tree);
    tree
}

fn longest(tree: &PrefixTree<u32>, query: &str) -> (usize, Vec<u32>) {
    let Match { len, holders } = tree.longest(0, &tokens(query));
    (len, holders)
}

fn matches(tree: &PrefixTree<u32>, query: &str) -> Vec<(u32, usize)> {
    tree.matches(0, &tokens(query)).collect()
}

/// What must hold between any two calls. Returns how many nodes and how many tokens the tree keeps.
fn check(tree: &PrefixTree<u32>) -> (usize, usize) {
    let (mut nodes, mut kept, mut ends) = (0, 0, 0);
    let mut below: Vec<_> = tree.roots.values().map(|&root| (None, root)).collect();
    while let Some((parent, id)) = below.pop() {
        let node = &tree.arena[id];
        (nodes, kept, ends) = (nodes + 1, kept + node.label.len(), ends + node.ends.len());
        assert_eq!(node.parent, parent);
        assert_eq!(node.start, parent.map_or(0, |parent| tree.arena[parent].end()));
        let lens: Vec<_> = tree.ends(id).map(|(_, len)| len).collect();
        assert_eq!(lens.len(), node.ends.len(), "everybody who ends here is known");
        assert!(node.ends.iter().all(|holder| tree.holders[holder].node == id));
        if parent.is_some() {
            assert!(!node.label.is_empty());
            assert_ne!(node.children.len(), 1, "an edge that could be joined with the next");
            assert!(lens.iter().all(|len| (node.start + 1..=node.end()).contains(len)));
        } else {
            assert!(node.label.is_empty() && lens.iter().all(|&len| len == 0));
            assert!(!node.children.is_empty() || !lens.is_empty(), "a root that nobody needs");
        }
        if parent.is_some() && node.children.is_empty() {
            assert_eq!(lens.iter().max(), Some(&node.end()), "tokens that nobody holds");
        }
        for (first, &child) in &node.children {
            assert_eq!(tree.arena[child].label.first(), Some(first));
            below.push((Some(id), child));
        }
    }
    assert_eq!(ends, tree.holders.len());
    assert_eq!(nodes, tree.arena.live());
    (nodes, kept)
}

#[test]
fn a_prompt_finds_what_it_shares_to_the_token() {
    let tree = tree(&[(1, "the cat sat"), (2, "the cat ran"), (3, "the dog")]);
    assert_eq!(longest(&tree, "the cat sang"), (10, vec![1]));
    assert_eq!(longest(&tree, "the cat"), (7, vec![1, 2]));
    assert_eq!(longest(&tree, "the cow"), (5, vec![1, 2]));
    assert_eq!(longest(&tree, "the emu"), (4, vec![1, 2, 3]));
    assert_eq!(longest(&tree, "the dog barks"), (7, vec![3]));
    assert_eq!(longest(&tree, "a cat"), (0, vec![]));
    assert_eq!(longest(&tree, ""), (0, vec![]));
}

#[test]
fn donors_come_longest_first_each_with_what_it_shares() {
    let tree = tree(&[(1, "abcdef"), (2, "abc"), (3, "abcxyz"), (4, "ab"), (5, "abcdxx"), (6, "zzz"), (7, "abcdef")]);
    assert_eq!(matches(&tree, "abcdeq"), [(1, 5), (7, 5), (5, 4), (2, 3), (3, 3), (4, 2)]);
    assert_eq!(matches(&tree, "abcdefgh"), [(1, 6), (7, 6), (5, 4), (2, 3), (3, 3), (4, 2)]);
    assert_eq!(matches(&tree, "q"), []);
}

#[test]
fn namespaces_share_nothing() {
    let mut tree = PrefixTree::new();
    tree.insert(1, 10, &tokens("same"));
    tree.insert(2, 20, &tokens("same"));
    assert_eq!(tree.longest(1, &tokens("same")).holders, [10]);
    assert_eq!(tree.matches(2, &tokens("same")).collect::<Vec<_>>(), [(20, 4)]);
    tree.insert(2, 10, &tokens("same"));
    assert_eq!(tree.longest(1, &tokens("same")).len, 0, "it has moved");
    assert_eq!(tree.longest(2, &tokens("same")).holders, [10, 20]);
    check(&tree);
}

#[test]
fn copies_of_one_prompt_part_where_their_answers_differ() {
    let mut tree = tree(&[(1, "prompt"), (2, "prompt"), (3, "prompt")]);
    assert_eq!(check(&tree), (2, 6));
    for (holder, token) in [(1, "x"), (2, "y"), (3, "x"), (1, "1"), (3, "3")] {
        tree.extend(holder, &tokens(token));
        check(&tree);
    }
    assert_eq!(tree.tokens_of(1), Some(tokens("promptx1")));
    assert_eq!(tree.tokens_of(2), Some(tokens("prompty")));
    assert_eq!(tree.tokens_of(3), Some(tokens("promptx3")));
    assert_eq!(check(&tree).1, 6 + 4);
    assert_eq!(longest(&tree, "promptx"), (7, vec![1, 3]));
}

#[test]
fn whoever_grows_into_the_tokens_of_another_shares_them() {
    let mut tree = tree(&[(1, "abcdef"), (2, "ab")]);
    assert_eq!(tree.extend(2, &tokens("cdefgh")), Some(8));
    assert_eq!(check(&tree), (2, 8));
    assert_eq!(longest(&tree, "abcdefghij"), (8, vec![2]));
    assert_eq!(longest(&tree, "abcdef"), (6, vec![1, 2]));
}

#[test]
fn what_is_cut_off_is_found_no_more() {
    let mut tree = tree(&[(1, "abcdef"), (2, "abcxyz")]);
    assert_eq!(tree.truncate(1, 4), Some(4));
    assert_eq!(longest(&tree, "abcdef"), (4, vec![1]));
    assert_eq!(tree.truncate(2, 2), Some(2));
    assert_eq!(longest(&tree, "abcxyz"), (3, vec![1]));
    assert_eq!(tree.truncate(1, 100), Some(4));
    assert_eq!(check(&tree), (2, 4));
    assert_eq!(tree.truncate(1, 0), Some(0));
    assert_eq!(tree.tokens_of(1), Some(vec![]));
    assert_eq!(check(&tree), (2, 2));
    tree.extend(1, &tokens("ax"));
    assert_eq!(longest(&tree, "ax"), (2, vec![1]));
}

#[test]
fn strangers_are_told_apart_from_holders_without_tokens() {
    let mut tree = tree(&[(1, "")]);
    assert_eq!((tree.len_of(1), tree.tokens_of(1)), (Some(0), Some(vec![])));
    assert_eq!((tree.len_of(2), tree.tokens_of(2)), (None, None));
    assert_eq!((tree.extend(2, &tokens("a")), tree.truncate(2, 0)), (None, None));
    assert!(!tree.remove(2));
    assert!(tree.remove(1));
    assert_eq!(check(&tree), (0, 0));
}

#[test]
fn memory_is_given_back_with_the_last_holder() {
    let mut tree = PrefixTree::new();
    for holder in 0..500u32 {
        let text: Vec<_> = (0..200).map(|i| Token(if i < holder { 0 } else { holder as i32 })).collect();
        tree.insert(u64::from(holder % 3), holder, &text);
    }
    for holder in (0..500).rev() {
        assert!(tree.remove(holder));
    }
    assert_eq!(check(&tree), (0, 0));
    assert_eq!(tree.arena.room(), 0);
    assert!(tree.roots.is_empty() && tree.holders.is_empty());
}

#[test]
fn a_long_holder_that_is_cut_short_gives_its_room_back() {
    let mut tree = PrefixTree::new();
    tree.insert(0, 1, &vec![Token(7); 100_000]);
    tree.truncate(1, 1000);
    let place = tree.holders[&1];
    assert!(tree.arena[place.node].label.capacity() < 5000);
}

#[test]
fn paths_of_a_hundred_thousand_tokens_and_branches_do_not_end_the_stack() {
    let mut tree = PrefixTree::new();
    let trunk = vec![Token(0); 100_000];
    tree.insert(0, u32::MAX, &trunk);
    // A branch every 250 tokens.
    for holder in 0..400u32 {
        tree.insert(0, holder, &trunk[..250 * holder as usize]);
        tree.extend(holder, &[Token(1)]);
    }
    assert_eq!(tree.longest(0, &trunk), Match { len: 100_000, holders: vec![u32::MAX] });
    assert_eq!(tree.matches(0, &trunk[..1]).count(), 400, "all but the one that starts with another token");
    assert_eq!(tree.tokens_of(u32::MAX), Some(trunk));
    check(&tree);
    drop(tree);
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, u32, Vec<Token>),
    Extend(u32, Vec<Token>),
    /// Cut to so many hundredths of the length.
    Truncate(u32, usize),
    Remove(u32),
    Query(u64, Vec<Token>),
    /// Ask for what a holder has, and some more.
    Continue(u32, Vec<Token>),
}

/// Few different tokens, and runs of one, so that holders share and part often.
fn text(runs: usize) -> impl Strategy<Value = Vec<Token>> {
    let run = (0..3i32, 1..6usize).prop_map(|(token, len)| vec![Token(token); len]);
    proptest::collection::vec(run, 0..runs).prop_map(|runs| runs.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2u64, 0..12u32, text(6)).prop_map(|(ns, holder, text)| Step::Insert(ns, holder, text)),
        6 => (0..12u32, text(3)).prop_map(|(holder, text)| Step::Extend(holder, text)),
        3 => (0..12u32, 0..110usize).prop_map(|(holder, part)| Step::Truncate(holder, part)),
        2 => (0..12u32).prop_map(Step::Remove),
        3 => (0..2u64, text(8)).prop_map(|(ns, text)| Step::Query(ns, text)),
        3 => (0..12u32, text(3)).prop_map(|(holder, text)| Step::Continue(holder, text)),
    ];
    proptest::collection::vec(step, 0..40)
}

/// What the module promises, in a plain map.
#[derive(Default)]
struct Naive(BTreeMap<u32, (u64, Vec<Token>)>);

impl Naive {
    fn matches(&self, namespace: u64, query: &[Token]) -> Vec<(u32, usize)> {
        let mut all: Vec<_> = self.of(namespace).map(|(holder, text)| (holder, shared(text, query))).collect();
        all.retain(|&(_, len)| len > 0);
        all.sort_by_key(|&(holder, len)| (std::cmp::Reverse(len), holder));
        all
    }

    fn of(&self, namespace: u64) -> impl Iterator<Item = (u32, &[Token])> {
        self.0.iter().filter(move |(_, (ns, _))| *ns == namespace).map(|(holder, (_, text))| (*holder, &text[..]))
    }

    /// How many different prefixes there are: what a tree keeps, a token each.
    fn distinct(&self) -> usize {
        let prefixes = self.0.values().flat_map(|(ns, text)| (1..=text.len()).map(move |len| (ns, &text[..len])));
        prefixes.collect::<std::collections::BTreeSet<_>>().len()
    }
}

fn shared(a: &[Token], b: &[Token]) -> usize {
    (0..a.len().min(b.len())).find(|&i| a[i] != b[i]).unwrap_or(a.len().min(b.len()))
}

fn compare(tree: &PrefixTree<u32>, naive: &Naive, namespace: u64, query: &[Token]) -> Result<(), TestCaseError> {
    let expected = naive.matches(namespace, query);
    let len = expected.first().map_or(0, |&(_, len)| len);
    let holders = expected.iter().filter(|&&(_, shared)| shared == len).map(|&(holder, _)| holder).collect();
    prop_assert_eq!(tree.longest(namespace, query), Match { len, holders });
    prop_assert_eq!(tree.matches(namespace, query).collect::<Vec<_>>(), expected);
    Ok(())
}

fn apply(tree: &mut PrefixTree<u32>, naive: &mut Naive, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Insert(namespace, holder, text) => {
            tree.insert(namespace, holder, &text);
            naive.0.insert(holder, (namespace, text));
        }
        Step::Extend(holder, text) => {
            let known = naive.0.get_mut(&holder).map(|(_, tokens)| {
                tokens.extend_from_slice(&text);
                tokens.len()
            });
            prop_assert_eq!(tree.extend(holder, &text), known);
        }
        Step::Truncate(holder, part) => {
            let len = naive.0.get(&holder).map_or(0, |(_, tokens)| tokens.len() * part / 100);
            let known = naive.0.get_mut(&holder).map(|(_, tokens)| {
                tokens.truncate(len);
                tokens.len()
            });
            prop_assert_eq!(tree.truncate(holder, len), known);
        }
        Step::Remove(holder) => prop_assert_eq!(tree.remove(holder), naive.0.remove(&holder).is_some()),
        Step::Query(namespace, query) => compare(tree, naive, namespace, &query)?,
        Step::Continue(holder, text) => {
            if let Some((namespace, tokens)) = naive.0.get(&holder) {
                compare(tree, naive, *namespace, &[&tokens[..], &text].concat())?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_tree_does_what_a_plain_map_does(steps in steps()) {
        let (mut tree, mut naive) = (PrefixTree::new(), Naive::default());
        for step in steps {
            apply(&mut tree, &mut naive, step)?;
            check(&tree);
        }
        prop_assert_eq!(check(&tree).1, naive.distinct());
        for holder in 0..12 {
            prop_assert_eq!(tree.len_of(holder), naive.0.get(&holder).map(|(_, text)| text.len()));
            prop_assert_eq!(tree.tokens_of(holder), naive.0.get(&holder).map(|(_, text)| text.clone()));
            tree.remove(holder);
        }
        prop_assert_eq!((check(&tree), tree.arena.room()), ((0, 0), 0));
    }
}
