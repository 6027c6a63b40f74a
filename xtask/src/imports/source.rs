//! Rust source as text: what is code in it, and on which lines a name stands.

/// The text with comments, strings and character literals blanked out. Line ends stay, so that line numbers do.
pub(super) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = literal_or_comment(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    out
}

/// Bytes of the comment or literal that `rest` starts with, or 0.
fn literal_or_comment(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if !before.is_some_and(is_name) {
        let quoted = rest.trim_start_matches(['b', 'c']);
        // One letter of prefix at most; more is a name.
        let prefix = rest.len() - quoted.len();
        if prefix <= 1 && quoted.starts_with('r') {
            let hashes = quoted[1..].bytes().take_while(|byte| *byte == b'#').count();
            if quoted[1 + hashes..].starts_with('"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let body = prefix + hashes + 2;
                return rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len());
            }
        }
    }
    match rest.as_bytes()[0] {
        b'"' => escaped_until(rest, '"'),
        b'\'' => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Bytes up to and with the closing quote, which a backslash may hide.
fn escaped_until(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !hidden {
            return at + 1;
        }
        hidden = c == '\\' && !hidden;
    }
    rest.len()
}

/// A quote starts a character, `'x'`, or a lifetime, `'x`.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => escaped_until(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Blanks every item that is compiled for tests only. Wants the output of [`code`].
pub(super) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    if out.contains("#![cfg(test)]") {
        return blank(&out, 0..out.len());
    }
    for mark in ["#[cfg(test)]", "#[cfg(all(test", "#[test]"] {
        while let Some(start) = out.find(mark) {
            let end = item_end(&out, start);
            out = blank(&out, start..end);
        }
    }
    out
}

/// Where the item that the attribute at `start` belongs to ends.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                // Below zero: the attribute stood on the last field of something.
                if depth < 0 || depth == 0 && c == '}' {
                    return start + at + 1;
                }
            }
            ';' if depth == 0 => return start + at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(code: &str, range: std::ops::Range<usize>) -> String {
    let middle: String = code[range.clone()].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    [&code[..range.start], &middle, &code[range.end..]].concat()
}

/// A name and the line it stands on, counted from 1; or, with `joined`, a name behind `::`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'c> {
    pub(super) text: &'c str,
    /// Byte behind the word.
    pub(super) end: usize,
    pub(super) line: usize,
    pub(super) joined: bool,
}

/// All names in the code, in order.
pub(super) fn words(code: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (is_name(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let joined = code[..from].trim_end().ends_with("::");
                found.push(Word { text: &code[from..at], end: at, line, joined });
                start = None;
            }
            _ => {}
        }
        line += usize::from(c == '\n');
    }
    found
}

/// The lines where `name` stands: an identifier, a path such as `std::fs`, or a macro such as `print!`.
///
/// A path is also found in a group, `use std::{fs, io}`. An identifier alone is not found inside the standard
/// library's paths, so that `ffi` is not `std::ffi`.
pub(super) fn lines_with(code: &str, name: &str) -> Vec<usize> {
    let words = words(code);
    if let Some(macro_name) = name.strip_suffix('!') {
        let is_call = |word: &&Word<'_>| word.text == macro_name && code[word.end..].starts_with('!');
        return words.iter().filter(is_call).map(|word| word.line).collect();
    }
    if let Some((root, child)) = name.split_once("::") {
        let child_of = |word: &&Word<'_>| word.text == child && root_of(code, word) == Some(root);
        return words.iter().filter(child_of).map(|word| word.line).collect();
    }
    let alone = |word: &&Word<'_>| {
        let path = name == "ffi" && !code[word.end..].trim_start().starts_with("::");
        word.text == name && !path && !matches!(root_of(code, word), Some("std" | "core" | "alloc"))
    };
    words.iter().filter(alone).map(|word| word.line).collect()
}

/// The first name of the path that `word` is the second of: `std` for `fs` in `std::fs` or `std::{io, fs}`.
fn root_of<'c>(code: &'c str, word: &Word<'_>) -> Option<&'c str> {
    let before = code[..word.end - word.text.len()].trim_end();
    let path = if word.joined { before.strip_suffix("::")? } else { &before[..group_start(before)?] };
    let path = path.trim_end().trim_end_matches("::").trim_end();
    let from = path.rfind(|c| !is_name(c)).map_or(0, |at| at + path[at..].chars().next().map_or(1, char::len_utf8));
    Some(&path[from..])
}

/// Where the `::{` of the import group opens that the end of `before` is in, at its first level.
fn group_start(before: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            '}' => depth += 1,
            '{' if depth == 0 => return before[..at].trim_end().ends_with("::").then_some(at),
            '{' => depth -= 1,
            ';' => return None,
            _ => {}
        }
    }
    None
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        for text in [
            "// unsafe",
            "/* unsafe /* unsafe */ unsafe */",
            "\"unsafe \\\" unsafe\"",
            "r#\"unsafe \" unsafe\"#",
            "b\"unsafe\"",
            "br##\"unsafe\"# unsafe\"##",
            "c\"unsafe\"",
            "/// unsafe\n//! unsafe",
        ] {
            assert!(!code(text).contains("unsafe"), "{text}");
            assert_eq!(code(text).chars().count(), text.chars().count());
        }
    }

    #[test]
    fn what_follows_a_literal_is_code() {
        for text in [
            "'\"'; unsafe",
            "'\\''; unsafe",
            "&'a str; unsafe",
            "'é' unsafe",
            "for<'a> unsafe",
            "\"\\\\\" unsafe",
            "number unsafe",
            "bar\"x\" unsafe",
        ] {
            assert!(code(text).contains("unsafe"), "{text}");
        }
    }

    #[test]
    fn line_numbers_survive() {
        assert_eq!(lines_with(&code("/* a\nb */\n\"x\ny\"\nunsafe"), "unsafe"), [5]);
    }

    #[test]
    fn items_for_tests_are_left_out() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn unsafe_() { unsafe {} } }\nfn b() {}";
        let rest = without_tests(&code(text));
        assert!(rest.contains("fn a") && rest.contains("fn b") && !rest.contains("unsafe"), "{rest}");
        assert!(without_tests("#[cfg(test)]\nmod tests;\nfn b() {}").contains("fn b"));
        assert!(without_tests("struct S { a: u8, #[cfg(test)] b: u8 }\nfn b() {}").contains("fn b"));
        assert!(!without_tests("#![cfg(test)]\nfn b() {}").contains("fn b"));
    }

    #[test]
    fn a_path_is_found_alone_and_in_a_group() {
        for text in ["use std::fs;", "std::fs::read(x)", "use std::{io, fs};", "use std::{io::{self, Read}, fs::File};"]
        {
            assert_eq!(lines_with(text, "std::fs"), [1], "{text}");
        }
        for text in ["use tokio::fs;", "self.fs.x", "let fs = 1;", "use std::{io::{fs}};", "std::x; a::{fs}"] {
            assert!(lines_with(text, "std::fs").is_empty(), "{text}");
        }
    }

    #[test]
    fn the_standard_ffi_module_is_another() {
        for text in
            ["use std::ffi::CStr;", "use std::{ffi::CStr, fs};", "core::ffi::c_int", "use std::ffi;", "x.ffi = 1"]
        {
            assert!(lines_with(text, "ffi").is_empty(), "{text}");
        }
        assert_eq!(lines_with("let x = ffi::llama_decode();", "ffi"), [1]);
        assert_eq!(lines_with("use crate::ffi::x;", "ffi"), [1]);
    }

    #[test]
    fn a_macro_is_its_name_with_the_mark() {
        assert_eq!(lines_with("println!(\"\")", "println!"), [1]);
        assert!(lines_with("eprintln!(x); fn println() {}", "println!").is_empty());
    }
}
