//! The nodes of the tree, in one vector: a path of any length is built and dropped without recursion.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use llama_core::Token;

/// Names a node as long as it is in the arena; then the name is given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// A node, together with the edge that leads to it.
///
/// A holder may end anywhere in an edge. So a node is there because the ways part at it, or because a way ends there; a
/// node with one child is none of both, and only a root may be one.
#[derive(Debug)]
pub(super) struct Node<H> {
    /// `None` for a root.
    pub(super) parent: Option<NodeId>,
    /// How many tokens lie between the root and the edge.
    pub(super) start: usize,
    /// The tokens along the edge; none for a root, at least one for others.
    pub(super) label: Vec<Token>,
    /// By the first token of their edge.
    pub(super) children: BTreeMap<Token, NodeId>,
    /// The holders whose tokens end in the edge, after at least one token of it, or at the root. In no order.
    pub(super) ends: Vec<H>,
}

impl<H> Node<H> {
    /// How many tokens lie between the root and the node.
    pub(super) fn end(&self) -> usize {
        self.start + self.label.len()
    }

    /// Cuts the edge after `len` tokens from the root.
    pub(super) fn cut(&mut self, len: usize) {
        self.label.truncate(len - self.start);
        // Growing leaves up to half of the room unused. More than that is given back, yet not so early that a sequence
        // which is cut and grown in turns, as by speculation, copies its tokens each time.
        if self.label.capacity() > 4 * self.label.len() + 64 {
            self.label.shrink_to_fit();
        }
    }
}

/// All nodes of a [`PrefixTree`](super::PrefixTree).
#[derive(Debug)]
pub(super) struct Arena<H> {
    nodes: Vec<Node<H>>,
    free: Vec<NodeId>,
}

impl<H> Arena<H> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: Vec::new() }
    }

    /// Adds the root of a tree.
    pub(super) fn add_root(&mut self) -> NodeId {
        self.add(None, 0, Vec::new())
    }

    /// Adds a leaf below a node. The label has at least one token, and no child of the node begins with it.
    pub(super) fn add_child(&mut self, parent: NodeId, label: Vec<Token>) -> NodeId {
        let first = label.first().copied();
        let child = self.add(Some(parent), self[parent].end(), label);
        self[parent].children.extend(first.map(|first| (first, child)));
        child
    }

    /// Cuts the edge into a node in two after `len` tokens from the root, and returns the new node below it, which takes
    /// over the children. To move the holders is for the caller.
    pub(super) fn split(&mut self, upper: NodeId, len: usize) -> NodeId {
        let node = &mut self[upper];
        let rest = node.label.split_off(len - node.start);
        node.cut(len);
        let children = std::mem::take(&mut node.children);
        let lower = self.add_child(upper, rest);
        self.adopt(lower, children);
        lower
    }

    /// Joins a node with its only child, if it has just one and is no root, and returns the holders that end in the
    /// edge of the child. To note that they end in the node is for the caller.
    pub(super) fn join_only_child(&mut self, upper: NodeId) -> Vec<H> {
        let node = &self[upper];
        let Some((_, &lower)) = node.children.first_key_value().filter(|_| node.children.len() == 1) else {
            return Vec::new();
        };
        if node.parent.is_none() {
            return Vec::new();
        }
        let Node { label, children, ends, .. } = self.free(lower);
        let node = &mut self[upper];
        node.label.extend_from_slice(&label);
        node.children.clear();
        self.adopt(upper, children);
        ends
    }

    /// Removes a node without children, and returns its parent; `None` for a root.
    pub(super) fn remove_leaf(&mut self, leaf: NodeId) -> Option<NodeId> {
        let Node { parent, label, .. } = self.free(leaf);
        let parent = parent?;
        if let Some(first) = label.first() {
            self[parent].children.remove(first);
        }
        Some(parent)
    }

    fn adopt(&mut self, parent: NodeId, children: BTreeMap<Token, NodeId>) {
        for &child in children.values() {
            self[child].parent = Some(parent);
        }
        self[parent].children = children;
    }

    fn add(&mut self, parent: Option<NodeId>, start: usize, label: Vec<Token>) -> NodeId {
        let node = Node { parent, start, label, children: BTreeMap::new(), ends: Vec::new() };
        if let Some(id) = self.free.pop() {
            self[id] = node;
            return id;
        }
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Takes a node out. The last one takes the memory of the arena with it.
    fn free(&mut self, id: NodeId) -> Node<H> {
        let nothing = Node { parent: None, start: 0, label: Vec::new(), children: BTreeMap::new(), ends: Vec::new() };
        let node = std::mem::replace(&mut self[id], nothing);
        self.free.push(id);
        if self.free.len() == self.nodes.len() {
            *self = Self::new();
        }
        node
    }
}

#[cfg(test)]
impl<H> Arena<H> {
    /// How many nodes are in use.
    pub(super) fn live(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// For how many nodes there is memory.
    pub(super) fn room(&self) -> usize {
        self.nodes.capacity() + self.free.capacity()
    }
}

impl<H> Index<NodeId> for Arena<H> {
    type Output = Node<H>;

    fn index(&self, id: NodeId) -> &Node<H> {
        &self.nodes[id.0]
    }
}

impl<H> IndexMut<NodeId> for Arena<H> {
    fn index_mut(&mut self, id: NodeId) -> &mut Node<H> {
        &mut self.nodes[id.0]
    }
}
