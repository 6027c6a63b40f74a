//! The rules of a grammar, flat and checked: what [`super::machine`] walks over.
//!
//! A rule is a run of elements: alternatives separated by [`Element::Alt`], the last followed by [`Element::End`].
//! Repetitions have become rules of their own, in the way upstream writes them: `x{2,4}` is `x x y`, with
//! `y ::= x z | ` and `z ::= x | `; `x*` is `y ::= x y | `.

use std::collections::HashMap;

use super::gbnf::{Alternatives, CharClass, Node, Parsed};

/// Enough for the largest JSON schemas by a factor of ten; about 4 MiB.
const MAX_ELEMENTS: usize = 1 << 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// End of the rule.
    End,
    /// End of an alternative that is not the last.
    Alt,
    /// A reference to a rule.
    Rule(u32),
    /// A character of a class.
    Class(u32),
    /// Exactly this token.
    Token(u32),
    /// Any token but this one.
    TokenNot(u32),
}

#[derive(Debug)]
pub(super) struct Rules {
    elements: Vec<Element>,
    /// Where each rule starts.
    starts: Vec<u32>,
    classes: Vec<CharClass>,
    root: u32,
}

impl Rules {
    pub(super) fn new(parsed: &Parsed, root: &str) -> Result<Self, String> {
        let Some(root) = parsed.names.iter().position(|name| name == root) else {
            return Err(format!("there is no rule named `{root}` to start from"));
        };
        let mut builder = Builder { bodies: vec![Vec::new(); parsed.rules.len()], size: 0, classes: HashMap::new() };
        for (number, rule) in parsed.rules.iter().enumerate() {
            builder.bodies[number] = builder.alternatives(rule)?;
        }
        let Builder { bodies, classes, .. } = builder;

        let mut elements = Vec::with_capacity(bodies.iter().map(Vec::len).sum());
        let mut starts = Vec::with_capacity(bodies.len());
        for body in bodies {
            starts.push(index(elements.len()));
            elements.extend(body);
        }
        let mut in_order: Vec<_> = classes.into_iter().collect();
        in_order.sort_by_key(|(_, number)| *number);
        let classes = in_order.into_iter().map(|(class, _)| class).collect();

        let rules = Self { elements, starts, classes, root: index(root) };
        match rules.left_recursion() {
            Some(rule) => match parsed.names.get(rule) {
                Some(name) => Err(format!("the rule `{name}` can start with itself (left recursion)")),
                None => Err("a repetition can start with itself (left recursion)".into()),
            },
            None => Ok(rules),
        }
    }

    pub(super) fn root(&self) -> u32 {
        self.root
    }

    pub(super) fn element(&self, at: u32) -> Element {
        self.elements[at as usize]
    }

    /// Whether the alternative ends before `at`.
    pub(super) fn ends(&self, at: u32) -> bool {
        matches!(self.element(at), Element::End | Element::Alt)
    }

    /// Where each alternative of a rule starts.
    pub(super) fn alternatives(&self, rule: u32) -> impl Iterator<Item = u32> {
        let mut next = Some(self.starts[rule as usize]);
        std::iter::from_fn(move || {
            let start = next?;
            let mut at = start;
            while !self.ends(at) {
                at += 1;
            }
            next = (self.element(at) == Element::Alt).then_some(at + 1);
            Some(start)
        })
    }

    pub(super) fn matches(&self, class: u32, code_point: u32) -> bool {
        let class = &self.classes[class as usize];
        class.ranges.iter().any(|(low, high)| (*low..=*high).contains(&code_point)) != class.negated
    }

    /// Whether some code point of `low..=high` is in the class.
    pub(super) fn meets(&self, class: u32, low: u32, high: u32) -> bool {
        let class = &self.classes[class as usize];
        if class.negated {
            // As upstream does: a range that touches an excluded one counts as excluded.
            return !class.ranges.iter().any(|(first, last)| *first <= high && low <= *last);
        }
        class.ranges.iter().any(|(first, last)| *first <= high && low <= *last)
    }

    /// Rules that can match nothing, found in time linear in the grammar.
    fn empty_rules(&self) -> Vec<bool> {
        // For each rule, the alternatives it appears in that are made of rules only; for each of those, its own rule and
        // how many of its references are not known to be empty.
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.starts.len()];
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut empty = vec![false; self.starts.len()];
        let mut found = Vec::new();
        for (rule, can_be_empty) in empty.iter_mut().enumerate() {
            for start in self.alternatives(index(rule)) {
                let references = (start..).map_while(|at| match self.element(at) {
                    Element::Rule(other) => Some(other as usize),
                    _ => None,
                });
                let references: Vec<usize> = references.collect();
                if !self.ends(start + index(references.len())) {
                    continue;
                }
                if references.is_empty() && !*can_be_empty {
                    *can_be_empty = true;
                    found.push(rule);
                }
                for other in &references {
                    users[*other].push(open.len());
                }
                open.push((rule, references.len()));
            }
        }
        while let Some(rule) = found.pop() {
            for user in &users[rule] {
                let (owner, left) = &mut open[*user];
                *left -= 1;
                if *left == 0 && !empty[*owner] {
                    empty[*owner] = true;
                    found.push(*owner);
                }
            }
        }
        empty
    }

    /// A rule that reaches itself without matching anything first, if there is one.
    ///
    /// `y ::= x y | ` with an `x` that can be empty is such a rule too, but harmless: the second `y` is in last place,
    /// so entering it leaves nothing behind. Upstream accepts those, and `( "a"? )*` needs them.
    fn left_recursion(&self) -> Option<usize> {
        let empty = self.empty_rules();
        // For each rule, the rules it can start with, and whether that is a sound reason to refuse a cycle.
        let mut edges: Vec<Vec<(u32, bool)>> = Vec::with_capacity(self.starts.len());
        for rule in 0..self.starts.len() {
            let mut leads_to = Vec::new();
            for start in self.alternatives(index(rule)) {
                let mut at = start;
                while let Element::Rule(other) = self.element(at) {
                    leads_to.push((other, at == start || !self.ends(at + 1)));
                    if !empty[other as usize] {
                        break;
                    }
                    at += 1;
                }
            }
            edges.push(leads_to);
        }
        let component = components(&edges);
        edges.iter().enumerate().find_map(|(from, leads_to)| {
            leads_to.iter().any(|(to, bad)| *bad && component[*to as usize] == component[from]).then_some(from)
        })
    }
}

/// The strongly connected component of each node (Tarjan, with a stack of our own: rules can be many).
fn components(edges: &[Vec<(u32, bool)>]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let n = edges.len();
    let (mut order, mut low, mut component) = (vec![NONE; n], vec![0; n], vec![NONE; n]);
    let (mut open, mut calls) = (Vec::new(), Vec::new());
    let (mut next_order, mut next_component) = (0, 0);
    for root in 0..n {
        if order[root] != NONE {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, edge)) = calls.pop() {
            if edge == 0 {
                order[node] = next_order;
                low[node] = next_order;
                next_order += 1;
                open.push(node);
            }
            if let Some((to, _)) = edges[node].get(edge) {
                let to = *to as usize;
                calls.push((node, edge + 1));
                if order[to] == NONE {
                    calls.push((to, 0));
                } else if component[to] == NONE {
                    low[node] = low[node].min(order[to]);
                }
                continue;
            }
            if low[node] == order[node] {
                while let Some(member) = open.pop() {
                    component[member] = next_component;
                    if member == node {
                        break;
                    }
                }
                next_component += 1;
            }
            if let Some((parent, _)) = calls.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    component
}

struct Builder {
    bodies: Vec<Vec<Element>>,
    size: usize,
    classes: HashMap<CharClass, u32>,
}

impl Builder {
    fn alternatives(&mut self, all: &Alternatives) -> Result<Vec<Element>, String> {
        let mut body = Vec::new();
        for (i, nodes) in all.iter().enumerate() {
            if i > 0 {
                body.push(Element::Alt);
            }
            for node in nodes {
                self.node(node, &mut body)?;
            }
        }
        body.push(Element::End);
        self.size += body.len();
        self.check_size(0)?;
        Ok(body)
    }

    fn node(&mut self, node: &Node, body: &mut Vec<Element>) -> Result<(), String> {
        match node {
            Node::Text(code_points) => {
                self.check_size(code_points.len())?;
                for code_point in code_points {
                    let class = self.class(&CharClass::one(*code_point));
                    body.push(class);
                }
            }
            Node::Class(class) => {
                let class = self.class(class);
                body.push(class);
            }
            Node::Token { id, negated: false } => body.push(Element::Token(*id)),
            Node::Token { id, negated: true } => body.push(Element::TokenNot(*id)),
            Node::Rule(number) => body.push(Element::Rule(index(*number))),
            Node::Group(all) => {
                let group = self.alternatives(all)?;
                body.push(self.rule(group));
            }
            Node::Repeat { node, min, max } => self.repeat(node, *min, *max, body)?,
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, body: &mut Vec<Element>) -> Result<(), String> {
        let mut once = Vec::new();
        self.node(node, &mut once)?;
        let unit = match once[..] {
            [] => return Ok(()),
            [element] => element,
            // One element stands for many, so that repeating a long text costs as little as repeating a letter.
            _ => {
                once.push(Element::End);
                self.size += once.len();
                self.rule(once)
            }
        };
        let optional = max.map_or(1, |max| max - min);
        self.check_size(min as usize + 5 * optional as usize)?;
        body.extend((0..min).map(|_| unit));
        if max.is_none() {
            let this = Element::Rule(index(self.bodies.len()));
            body.push(self.rule(vec![unit, this, Element::Alt, Element::End]));
            self.size += 4;
            return Ok(());
        }
        let mut rest = None;
        for _ in 0..optional {
            let mut step = vec![unit];
            step.extend(rest);
            step.extend([Element::Alt, Element::End]);
            self.size += step.len();
            rest = Some(self.rule(step));
        }
        body.extend(rest);
        Ok(())
    }

    fn rule(&mut self, body: Vec<Element>) -> Element {
        self.bodies.push(body);
        Element::Rule(index(self.bodies.len() - 1))
    }

    fn class(&mut self, class: &CharClass) -> Element {
        let next = index(self.classes.len());
        Element::Class(*self.classes.entry(class.clone()).or_insert(next))
    }

    fn check_size(&self, more: usize) -> Result<(), String> {
        if self.size + more > MAX_ELEMENTS {
            return Err(format!("it has more than {MAX_ELEMENTS} elements with all repetitions written out"));
        }
        Ok(())
    }
}

/// Every count here is bounded by [`MAX_ELEMENTS`] or by the length of the text.
fn index(number: usize) -> u32 {
    u32::try_from(number).expect("the text and the elements are bounded far below 2^32")
}
