//! Walks the rules of a grammar one character at a time.
//!
//! A place in a grammar is a stack: what is to be matched next, and below it what follows once that is done. Stacks are
//! kept as linked nodes that exist once each, so a stack is a number; a state is a set of stacks, kept once each as well,
//! so moving from a state by a character is looked up the second time it happens. An ambiguous grammar can have any
//! number of stacks after a few characters: every call has a budget, and ends with [`TooAmbiguous`] past it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rules::{Element, Rules};

/// Steps from one stack to the next that a call may take: less than a second. The first mask of a JSON grammar over a
/// vocabulary of 150,000 tokens takes some 100,000.
const BUDGET: u32 = 1 << 21;
/// What is remembered before everything but the current state is forgotten: some 8 MiB.
const MAX_REMEMBERED: usize = 1 << 18;

/// The stack on which nothing is left to match.
const DONE: u32 = 0;

/// A state of a [`Machine`], valid until the next [`Machine::forget`].
pub(super) type State = u32;

/// The state without a stack: nothing can follow, not even the end.
pub(super) const DEAD: State = 0;

/// The grammar can be read in too many ways at once to follow them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooAmbiguous;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    element: u32,
    below: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Machine {
    rules: Arc<Rules>,
    nodes: Vec<Node>,
    node_ids: HashMap<Node, u32>,
    states: Vec<Box<[u32]>>,
    state_ids: HashMap<Box<[u32]>, State>,
    moves: HashMap<(State, u32), State>,
    budget: u32,
    /// Stacks in all states together.
    size: usize,
    max_remembered: usize,
}

impl Machine {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        // Node 0 stands for the empty stack; its content is never looked at.
        let nodes = vec![Node { element: u32::MAX, below: DONE }];
        let states = vec![Box::default()];
        let state_ids = HashMap::from([(Box::default(), DEAD)]);
        Self {
            rules,
            nodes,
            node_ids: HashMap::new(),
            states,
            state_ids,
            moves: HashMap::new(),
            budget: BUDGET,
            size: 0,
            max_remembered: MAX_REMEMBERED,
        }
    }

    /// Where every text of the grammar starts.
    pub(super) fn start(&mut self) -> Result<State, TooAmbiguous> {
        let rules = Arc::clone(&self.rules);
        let mut stacks = Vec::new();
        for start in rules.alternatives(rules.root()) {
            let stack = if rules.ends(start) { DONE } else { self.push(start, DONE) };
            self.expand(stack, &mut stacks)?;
        }
        Ok(self.intern(stacks))
    }

    /// Starts a new call: gives it its budget, and drops what was remembered if it became much. Every state but the one
    /// passed in and out becomes invalid.
    pub(super) fn begin(&mut self, state: State) -> State {
        self.budget = BUDGET;
        if self.remembered() <= self.max_remembered {
            return state;
        }
        let stacks = std::mem::take(&mut self.states[state as usize]);
        let old = std::mem::replace(self, Self::new(Arc::clone(&self.rules)));
        let mut copied = HashMap::from([(DONE, DONE)]);
        let mut kept = Vec::with_capacity(stacks.len());
        for stack in stacks {
            let mut path = Vec::new();
            let mut at = stack;
            while !copied.contains_key(&at) {
                path.push(at);
                at = old.nodes[at as usize].below;
            }
            let mut below = copied[&at];
            for from in path.into_iter().rev() {
                below = self.push(old.nodes[from as usize].element, below);
                copied.insert(from, below);
            }
            kept.push(below);
        }
        let state = self.intern(kept);
        self.max_remembered = MAX_REMEMBERED.max(2 * self.remembered());
        state
    }

    fn remembered(&self) -> usize {
        self.nodes.len() + self.moves.len() + self.states.len() + self.size
    }

    /// Whether the text may end here.
    pub(super) fn may_end(&self, state: State) -> bool {
        // Sorted, and `DONE` is the smallest stack.
        self.states[state as usize].first() == Some(&DONE)
    }

    /// Whether nothing but the end can follow.
    pub(super) fn must_end(&self, state: State) -> bool {
        *self.states[state as usize] == [DONE]
    }

    /// The state after a character, [`DEAD`] if none can follow it.
    pub(super) fn step(&mut self, state: State, code_point: u32) -> Result<State, TooAmbiguous> {
        if let Some(next) = self.moves.get(&(state, code_point)) {
            return Ok(*next);
        }
        let next = self.follow(state, |rules, element| match element {
            Element::Class(class) => rules.matches(class, code_point),
            _ => false,
        })?;
        self.moves.insert((state, code_point), next);
        Ok(next)
    }

    /// The state after a token that stands for itself in the grammar, whatever its text.
    pub(super) fn step_token(&mut self, state: State, token: u32) -> Result<State, TooAmbiguous> {
        self.follow(state, |_, element| match element {
            Element::Token(id) => id == token,
            Element::TokenNot(id) => id != token,
            _ => false,
        })
    }

    /// The stacks of `state` that could go on with one of the characters `low..=high`.
    pub(super) fn keep(&mut self, state: State, low: u32, high: u32) -> Result<State, TooAmbiguous> {
        let stacks = std::mem::take(&mut self.states[state as usize]);
        let kept: Vec<u32> = stacks.iter().copied().filter(|stack| self.meets(*stack, low, high)).collect();
        self.states[state as usize] = stacks;
        self.spend(kept.len())?;
        Ok(self.intern(kept))
    }

    /// Whether [`Machine::keep`] would keep anything.
    pub(super) fn any_meets(&self, state: State, low: u32, high: u32) -> bool {
        self.states[state as usize].iter().any(|stack| self.meets(*stack, low, high))
    }

    /// Both states at once.
    pub(super) fn union(&mut self, one: State, other: State) -> State {
        if one == other || other == DEAD {
            return one;
        }
        let mut stacks = self.states[one as usize].to_vec();
        stacks.extend_from_slice(&self.states[other as usize]);
        self.intern(stacks)
    }

    /// The tokens that stand for themselves here: `(id, negated)`.
    pub(super) fn tokens(&self, state: State) -> impl Iterator<Item = (u32, bool)> {
        self.states[state as usize].iter().filter_map(|stack| match self.top(*stack)? {
            Element::Token(id) => Some((id, false)),
            Element::TokenNot(id) => Some((id, true)),
            _ => None,
        })
    }

    fn follow(&mut self, state: State, fits: impl Fn(&Rules, Element) -> bool) -> Result<State, TooAmbiguous> {
        let rules = Arc::clone(&self.rules);
        let mut next = Vec::new();
        for i in 0..self.states[state as usize].len() {
            let stack = self.states[state as usize][i];
            self.spend(1)?;
            if !self.top(stack).is_some_and(|element| fits(&rules, element)) {
                continue;
            }
            let Node { element, below } = self.nodes[stack as usize];
            let rest = if rules.ends(element + 1) { below } else { self.push(element + 1, below) };
            self.expand(rest, &mut next)?;
        }
        Ok(self.intern(next))
    }

    /// Replaces references to rules at the top of a stack by what the rules start with, until every top is a character,
    /// a token, or the end.
    fn expand(&mut self, stack: u32, into: &mut Vec<u32>) -> Result<(), TooAmbiguous> {
        let rules = Arc::clone(&self.rules);
        let mut open = vec![stack];
        let mut seen = HashSet::new();
        while let Some(stack) = open.pop() {
            let Some(Element::Rule(rule)) = self.top(stack) else {
                into.push(stack);
                continue;
            };
            if !seen.insert(stack) {
                continue;
            }
            let Node { element, below } = self.nodes[stack as usize];
            let rest = if rules.ends(element + 1) { below } else { self.push(element + 1, below) };
            for start in rules.alternatives(rule) {
                self.spend(1)?;
                open.push(if rules.ends(start) { rest } else { self.push(start, rest) });
            }
        }
        Ok(())
    }

    fn top(&self, stack: u32) -> Option<Element> {
        (stack != DONE).then(|| self.rules.element(self.nodes[stack as usize].element))
    }

    fn meets(&self, stack: u32, low: u32, high: u32) -> bool {
        matches!(self.top(stack), Some(Element::Class(class)) if self.rules.meets(class, low, high))
    }

    fn push(&mut self, element: u32, below: u32) -> u32 {
        let node = Node { element, below };
        *self.node_ids.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            number(self.nodes.len() - 1)
        })
    }

    fn intern(&mut self, mut stacks: Vec<u32>) -> State {
        stacks.sort_unstable();
        stacks.dedup();
        let stacks = stacks.into_boxed_slice();
        if let Some(state) = self.state_ids.get(&stacks) {
            return *state;
        }
        let state = number(self.states.len());
        self.size += stacks.len();
        self.states.push(stacks.clone());
        self.state_ids.insert(stacks, state);
        state
    }

    fn spend(&mut self, steps: usize) -> Result<(), TooAmbiguous> {
        let steps = u32::try_from(steps).map_err(|_| TooAmbiguous)?;
        self.budget = self.budget.checked_sub(steps).ok_or(TooAmbiguous)?;
        Ok(())
    }
}

/// Nodes and states stay below [`MAX_REMEMBERED`] plus what one [`BUDGET`] can add.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("the budget of a call bounds what it can add")
}
