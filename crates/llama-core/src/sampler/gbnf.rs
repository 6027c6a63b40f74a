//! Reads GBNF, the grammar notation of llama.cpp, into a tree of rules.
//!
//! The notation is upstream's, character for character, with two differences that only refuse more: an empty character
//! class, and a repetition whose maximum is below its minimum. Upstream's own parser is not used because it aborts,
//! recurses and allocates as deep and as much as the text tells it to. [`super::rules`] makes rules to match by of this.

use std::collections::HashMap;

/// Upstream's bound on repetitions: a larger minimum is refused, a larger maximum means "any number".
const MAX_REPETITIONS: u32 = 2_000;
/// Groups within groups. Generated grammars stay below 20.
const MAX_DEPTH: usize = 100;
/// Grammars of large JSON schemas take about 100 KiB.
const MAX_TEXT: usize = 1 << 20;

/// Alternatives, each a sequence.
pub(super) type Alternatives = Vec<Vec<Node>>;

#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(Vec<u32>),
    Class(CharClass),
    Token { id: u32, negated: bool },
    Rule(usize),
    Group(Alternatives),
    Repeat { node: Box<Self>, min: u32, max: Option<u32> },
}

/// Code points within any of the ranges, both ends included, or within none of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CharClass {
    pub(super) negated: bool,
    pub(super) ranges: Vec<(u32, u32)>,
}

impl CharClass {
    pub(super) fn one(code_point: u32) -> Self {
        Self { negated: false, ranges: vec![(code_point, code_point)] }
    }

    fn any() -> Self {
        Self { negated: true, ranges: Vec::new() }
    }
}

/// Rules by number; `names[i]` is the name of `rules[i]`.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) names: Vec<String>,
    pub(super) rules: Vec<Alternatives>,
}

/// Finds the id of a token written as `<text>` or `<[number]>`; the argument is the text with its angle brackets, or the
/// number.
pub(super) type FindToken<'a> = dyn Fn(TokenName<'_>) -> Option<u32> + 'a;

#[derive(Debug, Clone, Copy)]
pub(super) enum TokenName<'a> {
    Text(&'a str),
    Number(u32),
}

/// Reads a whole grammar. The error is one sentence with line and column.
pub(super) fn parse(text: &str, find_token: &FindToken<'_>) -> Result<Parsed, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("the text is {} bytes long, the limit is {MAX_TEXT}", text.len()));
    }
    let mut parser =
        Parser { text, pos: 0, depth: 0, find_token, names: Vec::new(), numbers: HashMap::new(), rules: Vec::new() };
    match parser.grammar() {
        Ok(()) => parser.finish(),
        Err(reason) => {
            let before = &text.as_bytes()[..parser.pos.min(text.len())];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            Err(format!("line {line}, column {column}: {reason}"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
    depth: usize,
    find_token: &'a FindToken<'a>,
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    rules: Vec<Option<Alternatives>>,
}

impl Parser<'_> {
    fn grammar(&mut self) -> Result<(), String> {
        self.space(true);
        while self.peek().is_some() {
            self.rule()?;
        }
        if self.names.is_empty() {
            return Err("there is no rule; write for example `root ::= \"yes\" | \"no\"`".into());
        }
        Ok(())
    }

    fn finish(self) -> Result<Parsed, String> {
        let mut rules = Vec::with_capacity(self.rules.len());
        for (name, rule) in self.names.iter().zip(self.rules) {
            rules.push(rule.ok_or_else(|| format!("the rule `{name}` is used but not defined"))?);
        }
        Ok(Parsed { names: self.names, rules })
    }

    fn rule(&mut self) -> Result<(), String> {
        let name = self.name()?;
        let number = self.number_of(&name);
        self.space(false);
        if !self.eat("::=") {
            return Err(format!("expected `::=` after the rule name `{name}`"));
        }
        self.space(true);
        let body = self.alternatives(false)?;
        // As upstream does, a later definition replaces an earlier one.
        self.rules[number] = Some(body);
        match self.peek() {
            None | Some('\n' | '\r') => self.space(true),
            Some(other) => return Err(format!("unexpected {other:?} in the rule `{name}`")),
        }
        Ok(())
    }

    fn alternatives(&mut self, nested: bool) -> Result<Alternatives, String> {
        let mut all = vec![self.sequence(nested)?];
        while self.eat("|") {
            self.space(true);
            all.push(self.sequence(nested)?);
        }
        Ok(all)
    }

    fn sequence(&mut self, nested: bool) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while let Some(next) = self.peek() {
            let node = match next {
                '"' => self.literal()?,
                '[' => Node::Class(self.class()?),
                '.' => {
                    self.pos += 1;
                    Node::Class(CharClass::any())
                }
                '<' | '!' => self.token()?,
                '(' => self.group()?,
                '*' | '+' | '?' | '{' => {
                    self.repetition(&mut nodes, nested)?;
                    continue;
                }
                _ if is_word(next) => {
                    let name = self.name()?;
                    Node::Rule(self.number_of(&name))
                }
                _ => break,
            };
            nodes.push(node);
            self.space(nested);
        }
        Ok(nodes)
    }

    fn literal(&mut self) -> Result<Node, String> {
        self.pos += 1;
        let mut code_points = Vec::new();
        while !self.eat("\"") {
            code_points.push(self.character()?);
        }
        Ok(Node::Text(code_points))
    }

    fn class(&mut self) -> Result<CharClass, String> {
        self.pos += 1;
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        while !self.eat("]") {
            let low = self.character()?;
            let rest = self.rest();
            let high = if rest.starts_with('-') && !rest.starts_with("-]") {
                self.pos += 1;
                self.character()?
            } else {
                low
            };
            ranges.push((low, high));
        }
        if ranges.is_empty() {
            return Err("an empty class of characters; `.` means any character".into());
        }
        Ok(CharClass { negated, ranges })
    }

    fn token(&mut self) -> Result<Node, String> {
        let negated = self.eat("!");
        let start = self.pos;
        if !self.eat("<") {
            return Err("expected a token such as `<think>` or `<[12]>` after `!`".into());
        }
        let id = if self.eat("[") {
            let number = self.integer()?;
            if !self.eat("]>") {
                return Err("expected `]>` after the number of a token".into());
            }
            (self.find_token)(TokenName::Number(number))
        } else {
            let Some(len) = self.rest().find('>') else {
                return Err("expected `>` at the end of a token".into());
            };
            self.pos += len + 1;
            (self.find_token)(TokenName::Text(&self.text[start..self.pos]))
        };
        match id {
            Some(id) => Ok(Node::Token { id, negated }),
            None => Err(format!("`{}` is not one token of this model", &self.text[start..self.pos])),
        }
    }

    fn group(&mut self) -> Result<Node, String> {
        if self.depth == MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} groups within groups"));
        }
        self.depth += 1;
        self.pos += 1;
        self.space(true);
        let body = self.alternatives(true)?;
        if !self.eat(")") {
            return Err("expected `)`".into());
        }
        self.depth -= 1;
        Ok(Node::Group(body))
    }

    fn repetition(&mut self, nodes: &mut Vec<Node>, nested: bool) -> Result<(), String> {
        let start = self.pos;
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => self.counts(nested)?,
        };
        // Past the operator, or the closing brace that `counts` stops at.
        self.pos += 1;
        self.space(nested);
        if min > MAX_REPETITIONS {
            return Err(format!("at least {min} repetitions; the limit is {MAX_REPETITIONS}"));
        }
        let max = max.filter(|max| *max <= MAX_REPETITIONS);
        match nodes.pop() {
            None => {
                self.pos = start;
                Err("nothing to repeat before this".into())
            }
            Some(Node::Text(text)) if text.is_empty() => {
                self.pos = start;
                Err("an empty text cannot be repeated".into())
            }
            Some(node) => {
                nodes.push(Node::Repeat { node: Box::new(node), min, max });
                Ok(())
            }
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`, up to the closing brace.
    fn counts(&mut self, nested: bool) -> Result<(u32, Option<u32>), String> {
        self.pos += 1;
        self.space(nested);
        let min = self.integer()?;
        self.space(nested);
        let mut max = Some(min);
        if self.eat(",") {
            self.space(nested);
            max = None;
            if self.peek().is_some_and(|next| next.is_ascii_digit()) {
                max = Some(self.integer()?);
                self.space(nested);
            }
        }
        if self.peek() != Some('}') {
            return Err("expected `,` or `}` in a repetition".into());
        }
        match max {
            Some(max) if max < min => Err(format!("a repetition of at least {min} and at most {max}")),
            _ => Ok((min, max)),
        }
    }

    /// Numbers beyond 32 bits count as the largest: every user of them has a lower limit.
    fn integer(&mut self) -> Result<u32, String> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err("expected a number".into());
        }
        let text = &self.rest()[..digits];
        let number = text.parse().unwrap_or(u32::MAX);
        self.pos += digits;
        Ok(number)
    }

    fn character(&mut self) -> Result<u32, String> {
        let Some(first) = self.peek() else {
            return Err("the text ends within a literal or a class of characters".into());
        };
        if first == '\0' {
            return Err("a NUL character; no token can hold one".into());
        }
        self.pos += first.len_utf8();
        if first != '\\' {
            return Ok(first.into());
        }
        let Some(escaped) = self.peek() else {
            return Err("the text ends after a backslash".into());
        };
        self.pos += escaped.len_utf8();
        match escaped {
            'x' => self.hex(2),
            'u' => self.hex(4),
            'U' => self.hex(8),
            't' => Ok(0x09),
            'r' => Ok(0x0d),
            'n' => Ok(0x0a),
            '\\' | '"' | '[' | ']' | '-' => Ok(escaped.into()),
            other => Err(format!("unknown escape `\\{other}`")),
        }
    }

    fn hex(&mut self, len: usize) -> Result<u32, String> {
        let digits = self.rest().get(..len).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.pos += if value.is_some() { len } else { 0 };
        value.ok_or_else(|| format!("expected {len} hexadecimal digits"))
    }

    fn name(&mut self) -> Result<String, String> {
        let len = self.rest().chars().take_while(|next| is_word(*next)).count();
        if len == 0 {
            let found = self.peek().map(String::from).unwrap_or_default();
            return Err(format!("expected the name of a rule (letters, digits, `-`), found {found:?}"));
        }
        // Word characters are one byte each.
        let name = self.rest()[..len].to_owned();
        self.pos += len;
        Ok(name)
    }

    fn number_of(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        self.rules.push(None);
        number
    }

    /// Skips blanks and comments, and line ends where they do not end the rule.
    fn space(&mut self, over_lines: bool) {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' => self.pos += 1,
                '\r' | '\n' if over_lines => self.pos += 1,
                '#' => self.pos += self.rest().find(['\r', '\n']).unwrap_or(self.rest().len()),
                _ => break,
            }
        }
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.pos += expected.len();
        }
        found
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &str {
        &self.text[self.pos..]
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-'
}
