//! What a search finds.

use llama_core::Token;

use super::PrefixTree;
use super::arena::NodeId;

/// The longest prefix of a query that is computed already.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match<H> {
    /// How many tokens of the query it has.
    pub(crate) len: usize,
    /// All holders whose tokens begin with it, in ascending order. None if `len` is 0.
    pub(crate) holders: Vec<H>,
}

/// Holders, each with the number of tokens that it shares with a query; see [`PrefixTree::matches`].
///
/// Walks from where the match ends back to the root, and looks into the branches on the way only when it gets there.
#[derive(Debug)]
pub(crate) struct Matches<'tree, H> {
    tree: &'tree PrefixTree<H>,
    /// The nodes still to be looked at, each with the length that matches up to there; the deepest is the last.
    path: Vec<(NodeId, usize)>,
    /// The last node that was looked at: a child of the next one, whose holders have been found already.
    seen: Option<NodeId>,
    /// The holders that the last node has given; the next one is the last.
    found: Vec<(H, usize)>,
}

impl<'tree, H: Copy + Ord> Matches<'tree, H> {
    pub(super) fn new(tree: &'tree PrefixTree<H>, namespace: u64, query: &[Token]) -> Self {
        Self { tree, path: tree.path(namespace, query), seen: None, found: Vec::new() }
    }

    /// Finds the holders that leave the path in the edge into a node, at the node, or after it.
    fn look_at(&mut self, node: NodeId, upto: usize) {
        self.found.extend(self.tree.ends(node).map(|(holder, len)| (holder, len.min(upto))));
        let mut below = self.branches(node);
        while let Some(next) = below.pop() {
            self.found.extend(self.tree.ends(next).map(|(holder, _)| (holder, upto)));
            below.extend(self.branches(next));
        }
        self.found.sort_unstable_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
        self.seen = Some(node);
    }

    fn branches(&self, node: NodeId) -> Vec<NodeId> {
        self.tree.arena[node].children.values().copied().filter(|&child| Some(child) != self.seen).collect()
    }
}

impl<H: Copy + Ord> Iterator for Matches<'_, H> {
    type Item = (H, usize);

    fn next(&mut self) -> Option<(H, usize)> {
        while self.found.is_empty() {
            let (node, upto) = self.path.pop().filter(|&(_, upto)| upto > 0)?;
            self.look_at(node, upto);
        }
        self.found.pop()
    }
}
