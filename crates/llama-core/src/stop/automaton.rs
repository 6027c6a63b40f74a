//! The compiled form of a set of stop strings: one tree of all their prefixes (Aho and Corasick's machine).
//!
//! A node stands for a prefix of some string. It knows the longest other prefix that is an end of it (`fallback`), so a
//! byte that does not fit is retried there instead of reading any text again: time is linear in the text.

use std::collections::VecDeque;

/// A place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(u32);

impl Node {
    /// The empty prefix.
    pub(super) const ROOT: Self = Self(0);

    fn slot(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
struct Entry {
    /// Sorted by byte. Nearly every node has one child, so a table of 256 each would be mostly empty.
    children: Vec<(u8, Node)>,
    fallback: Node,
    /// The prefix: the first `depth` bytes of string `owner`.
    owner: usize,
    depth: usize,
    /// The longest string that is an end of this prefix.
    complete: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Automaton {
    strings: Vec<String>,
    entries: Vec<Entry>,
    /// The children of the root by byte; most text never leaves this table.
    first: Box<[Node; 256]>,
}

impl Automaton {
    /// Compiles strings, none of which is empty. Their total length must fit `u32`.
    pub(super) fn new(strings: Vec<String>) -> Self {
        let root = Entry { children: Vec::new(), fallback: Node::ROOT, owner: 0, depth: 0, complete: None };
        let mut automaton = Self { strings: Vec::new(), entries: vec![root], first: Box::new([Node::ROOT; 256]) };
        for (index, string) in strings.iter().enumerate() {
            automaton.insert(index, string.as_bytes());
        }
        for &(byte, child) in &automaton.entries[0].children {
            automaton.first[usize::from(byte)] = child;
        }
        automaton.strings = strings;
        automaton.link();
        automaton
    }

    pub(super) fn strings(&self) -> &[String] {
        &self.strings
    }

    /// The text a node stands for. At a node reached by whole characters it is whole characters.
    pub(super) fn prefix(&self, node: Node) -> &str {
        let entry = &self.entries[node.slot()];
        self.strings.get(entry.owner).map_or("", |string| &string[..entry.depth])
    }

    /// The string that is complete at a node.
    pub(super) fn complete(&self, node: Node) -> Option<usize> {
        self.entries[node.slot()].complete
    }

    /// The node of the longest prefix that the text ends with after one more byte.
    pub(super) fn step(&self, mut node: Node, byte: u8) -> Node {
        while node != Node::ROOT {
            if let Some(child) = self.child(node, byte) {
                return child;
            }
            node = self.entries[node.slot()].fallback;
        }
        self.first[usize::from(byte)]
    }

    fn child(&self, node: Node, byte: u8) -> Option<Node> {
        let children = &self.entries[node.slot()].children;
        children.binary_search_by_key(&byte, |&(edge, _)| edge).ok().map(|at| children[at].1)
    }

    fn insert(&mut self, index: usize, bytes: &[u8]) {
        let mut node = Node::ROOT;
        for (at, &byte) in bytes.iter().enumerate() {
            node = match self.child(node, byte) {
                Some(child) => child,
                None => self.grow(node, byte, index, at + 1),
            };
        }
        // Of equal strings the first keeps the place.
        self.entries[node.slot()].complete.get_or_insert(index);
    }

    fn grow(&mut self, parent: Node, byte: u8, owner: usize, depth: usize) -> Node {
        let child = Node(u32::try_from(self.entries.len()).expect("a set has at most 256 strings of 1024 bytes"));
        self.entries.push(Entry { children: Vec::new(), fallback: Node::ROOT, owner, depth, complete: None });
        let children = &mut self.entries[parent.slot()].children;
        let at = children.partition_point(|&(edge, _)| edge < byte);
        children.insert(at, (byte, child));
        child
    }

    /// Sets fallbacks level by level: a node's fallback is shorter than the node, so it is ready before it is needed.
    fn link(&mut self) {
        let mut level: VecDeque<Node> = self.entries[0].children.iter().map(|&(_, child)| child).collect();
        while let Some(node) = level.pop_front() {
            let entry = &self.entries[node.slot()];
            let fallback = entry.fallback;
            let edges: Vec<(u8, Node)> = entry.children.clone();
            if entry.complete.is_none() {
                self.entries[node.slot()].complete = self.entries[fallback.slot()].complete;
            }
            for (byte, child) in edges {
                self.entries[child.slot()].fallback = self.step(fallback, byte);
                level.push_back(child);
            }
        }
    }
}
