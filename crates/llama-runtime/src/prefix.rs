//! Who has computed which tokens: a radix tree over the prefixes that live in the KV cache and in host memory.
//!
//! A *holder* is a place that keeps what was computed for one list of tokens: a slot of the KV cache, or a copy of one in
//! host memory. The tree finds the holders that share the longest prefix with a new prompt. It knows tokens and holders;
//! which holder is busy, how much room it takes and who gives way is for the caller.
//!
//! # Why a tree, and not a table of hashed blocks
//!
//! - It is exact to the token. A table finds whole blocks only, and what is shared after the last full block is computed
//!   again: on average half a block per request, and all of a prefix that is shorter than a block.
//! - A holder can be cut at any token, as the KV cache can, and grows by one token per step without anything to hash.
//! - It compares tokens, not hashes: no two prompts are ever taken for each other, whatever a client sends.
//! - One structure serves slots and host memory, of any length, with no block size to agree on.
//!
//! # Cost
//!
//! Tokens that several holders share are stored once. To append to a holder costs a look-up by its name and nothing else,
//! unless it leaves tokens that it shared. A search reads the query up to where the match ends. A holder that comes or goes
//! may split one edge of the tree or join two, which copies the tokens of the lower one.

mod arena;
mod matches;

use std::collections::BTreeMap;

use llama_core::Token;

use arena::{Arena, NodeId};
#[cfg(test)]
pub(crate) use matches::Match;
pub(crate) use matches::Matches;

/// The tokens of all holders, as one tree per namespace.
///
/// Holders of different namespaces never share: what was computed with one adapter is wrong with another. A holder is in
/// one namespace at a time. Not for several threads at once; the scheduler owns it.
#[derive(Debug)]
pub(crate) struct PrefixTree<H> {
    arena: Arena<H>,
    roots: BTreeMap<u64, NodeId>,
    holders: BTreeMap<H, Place>,
}

/// Where the tokens of a holder end: in the edge into `node`, after `len` tokens counted from the root.
#[derive(Debug, Clone, Copy)]
struct Place {
    namespace: u64,
    node: NodeId,
    len: usize,
}

impl<H: Copy + Ord> PrefixTree<H> {
    /// A tree without holders.
    pub(crate) fn new() -> Self {
        Self { arena: Arena::new(), roots: BTreeMap::new(), holders: BTreeMap::new() }
    }

    /// Says that a holder has computed exactly these tokens, whatever it had before. There may be none yet.
    pub(crate) fn insert(&mut self, namespace: u64, holder: H, tokens: &[Token]) {
        self.remove(holder);
        let root = *self.roots.entry(namespace).or_insert_with(|| self.arena.add_root());
        let node = self.walk_in(root, 0, tokens);
        self.arena[node].ends.push(holder);
        self.holders.insert(holder, Place { namespace, node, len: tokens.len() });
    }

    /// Appends tokens to those of a holder. Returns how many it has now; `None`, and nothing happens, for a stranger.
    pub(crate) fn extend(&mut self, holder: H, tokens: &[Token]) -> Option<usize> {
        let place = *self.holders.get(&holder)?;
        let node = self.walk_in(place.node, place.len, tokens);
        let len = place.len + tokens.len();
        self.settle(holder, Place { node, len, ..place });
        Some(len)
    }

    /// Cuts a holder down to its first `len` tokens; one that is shorter stays as it is. Returns how many it has now;
    /// `None` for a stranger.
    pub(crate) fn truncate(&mut self, holder: H, len: usize) -> Option<usize> {
        let place = *self.holders.get(&holder)?;
        if len >= place.len {
            return Some(place.len);
        }
        let mut node = place.node;
        while len <= self.arena[node].start
            && let Some(parent) = self.arena[node].parent
        {
            node = parent;
        }
        self.settle(holder, Place { node, len, ..place });
        self.tidy(place);
        Some(len)
    }

    /// Forgets a holder. Returns whether it was known.
    pub(crate) fn remove(&mut self, holder: H) -> bool {
        let Some(place) = self.holders.remove(&holder) else { return false };
        self.arena[place.node].ends.retain(|&end| end != holder);
        self.tidy(place);
        true
    }

    /// How many tokens a holder has; `None` for a stranger.
    #[cfg(test)]
    pub(crate) fn len_of(&self, holder: H) -> Option<usize> {
        self.holders.get(&holder).map(|place| place.len)
    }

    /// The tokens of a holder; `None` for a stranger.
    pub(crate) fn tokens_of(&self, holder: H) -> Option<Vec<Token>> {
        let place = self.holders.get(&holder)?;
        let mut tokens = vec![Token(0); place.len];
        let (mut end, mut next) = (place.len, Some(place.node));
        while let Some(node) = next {
            let node = &self.arena[node];
            tokens[node.start..end].copy_from_slice(&node.label[..end - node.start]);
            (end, next) = (node.start, node.parent);
        }
        Some(tokens)
    }

    /// The longest prefix of the query that any holder of the namespace has computed, and who has.
    #[cfg(test)]
    pub(crate) fn longest(&self, namespace: u64, query: &[Token]) -> Match<H> {
        let mut matches = self.matches(namespace, query).peekable();
        let len = matches.peek().map_or(0, |&(_, len)| len);
        let holders = std::iter::from_fn(|| matches.next_if(|&(_, shared)| shared == len));
        Match { len, holders: holders.map(|(holder, _)| holder).collect() }
    }

    /// The holders of the namespace that share a prefix with the query, each with the length of what they share: the
    /// longest first, of equal ones the smallest holder first. Who shares nothing is left out.
    ///
    /// Lazy: whoever looks for the best idle donor stops at the first idle one.
    pub(crate) fn matches(&self, namespace: u64, query: &[Token]) -> Matches<'_, H> {
        Matches::new(self, namespace, query)
    }

    /// The nodes that the query leads through, from the root, each with how many tokens of the query match up to the end
    /// of the match or of the node's edge.
    fn path(&self, namespace: u64, query: &[Token]) -> Vec<(NodeId, usize)> {
        let mut path = Vec::new();
        let mut next = self.roots.get(&namespace).copied();
        while let Some(id) = next {
            let node = &self.arena[id];
            let upto = node.start + common(&node.label, &query[node.start..]);
            path.push((id, upto));
            next = if upto == node.end() {
                query.get(upto).and_then(|token| node.children.get(token).copied())
            } else {
                None
            };
        }
        path
    }

    /// The holders whose tokens end in the edge into the node, with their lengths.
    fn ends(&self, node: NodeId) -> impl Iterator<Item = (H, usize)> {
        self.arena[node].ends.iter().filter_map(|holder| Some((*holder, self.holders.get(holder)?.len)))
    }

    /// Leads `tokens` into the tree from a place in it, with new branches as needed. Returns the node where they end.
    fn walk_in(&mut self, from: NodeId, mut len: usize, mut tokens: &[Token]) -> NodeId {
        let mut at = from;
        loop {
            let node = &self.arena[at];
            let shared = common(&node.label[len - node.start..], tokens);
            len += shared;
            tokens = &tokens[shared..];
            let Some(first) = tokens.first() else { return at };
            if len < node.end() {
                self.split(at, len);
            }
            let node = &mut self.arena[at];
            if let Some(&child) = node.children.get(first) {
                at = child;
            } else if node.children.is_empty() && node.parent.is_some() {
                node.label.extend_from_slice(tokens);
                return at;
            } else {
                return self.arena.add_child(at, tokens.to_vec());
            }
        }
    }

    /// Cuts the edge into a node after `len` tokens from the root: the node keeps the first part, a new child the rest.
    fn split(&mut self, upper: NodeId, len: usize) {
        let lower = self.arena.split(upper, len);
        let ends = std::mem::take(&mut self.arena[upper].ends);
        for holder in ends {
            let Some(place) = self.holders.get_mut(&holder) else { continue };
            if place.len > len {
                place.node = lower;
            }
            self.arena[place.node].ends.push(holder);
        }
    }

    /// Notes where a holder ends now.
    fn settle(&mut self, holder: H, place: Place) {
        let Some(before) = self.holders.insert(holder, place) else { return };
        if before.node != place.node {
            self.arena[before.node].ends.retain(|&end| end != holder);
            self.arena[place.node].ends.push(holder);
        }
    }

    /// Gives back what nobody holds any more, after a holder has left a place or moved up from it.
    fn tidy(&mut self, left: Place) {
        let mut at = left.node;
        while self.arena[at].children.is_empty() {
            if let Some(end) = self.ends(at).map(|(_, len)| len).max() {
                return self.arena[at].cut(end);
            }
            let Some(parent) = self.arena.remove_leaf(at) else {
                self.roots.remove(&left.namespace);
                return;
            };
            at = parent;
        }
        for holder in self.arena.join_only_child(at) {
            self.arena[at].ends.push(holder);
            if let Some(place) = self.holders.get_mut(&holder) {
                place.node = at;
            }
        }
    }
}

/// How many tokens two lists have in common at their start.
pub(crate) fn common(a: &[Token], b: &[Token]) -> usize {
    // Prompts of thousands of tokens are compared at every step: whole runs first, which compilers turn into wide instructions.
    const RUN: usize = 32;
    let differ = |(a, b): (&[Token], &[Token])| a.iter().zip(b).fold(0, |all, (a, b)| all | (a.0 ^ b.0));
    let runs = a.chunks_exact(RUN).zip(b.chunks_exact(RUN)).take_while(|pair| differ(*pair) == 0).count() * RUN;
    runs + a[runs..].iter().zip(&b[runs..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
