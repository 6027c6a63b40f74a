//! Regular expressions: from the notation of JSON schema (ECMA-262) to the engine's (Rust's), where they differ.

/// Longest pattern, in bytes.
const MAX_BYTES: usize = 2048;

/// Most repetitions of one part, those of the groups around it included: each may become a state of its own.
const MAX_REPEATS: u64 = 2_000;

/// What ECMA-262 calls white space, and what its `.` does not match.
const BLANK: &str =
    r"\t\n\x0B\x0C\r\x20\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
const LINE_ENDS: &str = r"\n\r\u{2028}\u{2029}";

/// Why a pattern is not taken, in words that follow "the pattern".
pub(in crate::structure) type Refusal = String;

/// The pattern in Rust's notation.
///
/// # Errors
///
/// What in it cannot be enforced.
pub(super) fn translate(pattern: &str) -> Result<String, Refusal> {
    check_size(pattern)?;
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out, false)?,
            '[' => class(&mut rest, &mut out)?,
            '.' => out.push_str(&format!("[^{LINE_ENDS}]")),
            '(' => group(&mut rest, &mut out)?,
            _ => out.push(c),
        }
    }
    Ok(out)
}

type Rest<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// After `(`. Groups only group: what they captured is of no use here.
fn group(rest: &mut Rest<'_>, out: &mut String) -> Result<(), Refusal> {
    out.push_str("(?:");
    if rest.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    match rest.next() {
        Some(':') => Ok(()),
        Some('<') if !matches!(rest.peek(), Some('=' | '!')) => {
            rest.by_ref().find(|c| *c == '>').map(drop).ok_or_else(|| "has a group name without an end".into())
        }
        Some('=' | '!' | '<') => Err("uses look-around, which cannot be enforced".into()),
        _ => Err("has a group of a kind that ECMA-262 does not know".into()),
    }
}

/// After `\`, which in a class means the same but for `\b`.
fn escape(rest: &mut Rest<'_>, out: &mut String, in_class: bool) -> Result<(), Refusal> {
    let set = |out: &mut String, negated: bool, members: &str| match (in_class, negated) {
        (true, false) => out.push_str(members),
        _ => out.push_str(&format!("[{}{members}]", if negated { "^" } else { "" })),
    };
    match rest.next().ok_or("ends in a backslash")? {
        c @ ('d' | 'D') => set(out, c == 'D', "0-9"),
        c @ ('w' | 'W') => set(out, c == 'W', "0-9A-Za-z_"),
        c @ ('s' | 'S') => set(out, c == 'S', BLANK),
        'b' if in_class => out.push_str(r"\x08"),
        'b' | 'B' => return Err("uses a word boundary, which cannot be enforced".into()),
        '0' if !rest.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\x00"),
        '0'..='9' | 'k' => return Err("refers back to a group, which cannot be enforced".into()),
        'c' => match rest.next() {
            Some(c) if c.is_ascii_alphabetic() => out.push_str(&format!(r"\x{:02x}", u32::from(c) % 32)),
            _ => return Err(r"has a `\c` without a letter".into()),
        },
        'x' => hex(rest, out, 2)?,
        c @ ('p' | 'P' | 'u') if rest.peek() == Some(&'{') => {
            out.extend(['\\', c]);
            out.extend(rest.by_ref().take_while(|c| *c != '}'));
            out.push('}');
        }
        'u' => hex(rest, out, 4)?,
        c @ ('n' | 'r' | 't') => out.extend(['\\', c]),
        'v' => out.push_str(r"\x0B"),
        'f' => out.push_str(r"\x0C"),
        c if c.is_ascii_alphanumeric() => return Err(format!(r"has `\{c}`, which ECMA-262 does not know")),
        c => literal(c, out),
    }
    Ok(())
}

fn hex(rest: &mut Rest<'_>, out: &mut String, digits: usize) -> Result<(), Refusal> {
    let text: String = rest.by_ref().take(digits).collect();
    let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits);
    let code = code.ok_or_else(|| format!("has an escape `{text}` that is not {digits} hexadecimal digits"))?;
    let c = char::from_u32(code).ok_or("has half of a surrogate pair; write the character itself")?;
    literal(c, out);
    Ok(())
}

/// After `[`. In Rust's classes `[`, `&&`, `--` and `~~` have a meaning that they lack in ECMA-262's.
fn class(rest: &mut Rest<'_>, out: &mut String) -> Result<(), Refusal> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.peek() == Some(&']') {
        return Err("has an empty class".into());
    }
    // Whether a `-` here could begin the end of a range: after one character, not at the start and not after a set.
    let mut after_character = false;
    loop {
        match rest.next().ok_or("has a class without an end")? {
            ']' => break,
            '\\' => {
                after_character = !next_is_set(rest.clone());
                escape(rest, out, true)?;
            }
            '-' if after_character && rest.peek() != Some(&']') && !is_set(rest) => {
                out.push('-');
                after_character = false;
            }
            c => {
                literal(c, out);
                after_character = true;
            }
        }
    }
    out.push(']');
    Ok(())
}

/// Whether an escape of a whole set of characters follows.
fn is_set(rest: &Rest<'_>) -> bool {
    let mut rest = rest.clone();
    rest.next() == Some('\\') && next_is_set(rest)
}

fn next_is_set(mut rest: Rest<'_>) -> bool {
    matches!(rest.next(), Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P'))
}

fn literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation()
        && !matches!(c, '<' | '>' | '"' | '\'' | ',' | ';' | ':' | '!' | '@' | '%' | '_' | '`' | '=')
    {
        out.push('\\');
        out.push(c);
    } else if c.is_control() {
        out.push_str(&format!(r"\x{{{:x}}}", u32::from(c)));
    } else {
        out.push(c);
    }
}

/// Whether the pattern, in either notation, is small enough: its bytes, and how often counted repetitions repeat a part.
///
/// # Errors
///
/// Which limit it exceeds.
pub(in crate::structure) fn check_size(pattern: &str) -> Result<(), Refusal> {
    if pattern.len() > MAX_BYTES {
        return Err(format!("has {} bytes, the limit is {MAX_BYTES}", pattern.len()));
    }
    // Per open group, what its parts repeat to; and what the last part, a group or a character, repeats to.
    let mut open: Vec<u64> = vec![1];
    let mut last = 1;
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '[' => skip_class(&mut rest),
            '(' => {
                open.push(1);
                continue;
            }
            ')' => {
                last = if open.len() > 1 { open.pop().unwrap_or(1) } else { 1 };
                note(&mut open, last);
                continue;
            }
            '{' => {
                let count = rest.clone().take_while(|c| *c != '}').collect::<String>();
                let most = count.split(',').filter_map(|n| n.trim().parse::<u64>().ok()).max();
                if let Some(most) = most {
                    last = last.saturating_mul(most.max(1));
                    rest.by_ref().find(|c| *c == '}');
                }
                if last > MAX_REPEATS {
                    return Err(format!("repeats a part {last} times, the limit is {MAX_REPEATS}"));
                }
                note(&mut open, last);
                continue;
            }
            '*' | '+' | '?' => continue,
            _ => {}
        }
        last = 1;
    }
    Ok(())
}

fn note(open: &mut [u64], repeats: u64) {
    if let Some(most) = open.last_mut() {
        *most = repeats.max(*most);
    }
}

fn skip_class(rest: &mut Rest<'_>) {
    while let Some(c) = rest.next() {
        match c {
            ']' => return,
            '\\' => drop(rest.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_translated() {
        let cases = [
            ("^a+$", "^a+$"),
            (r"\d", "[0-9]"),
            (r"[\d-]", r"[0-9\-]"),
            (r"[^\W]", "[^[^0-9A-Za-z_]]"),
            ("a.b", r"a[^\n\r\u{2028}\u{2029}]b"),
            (r"[a&&b]", r"[a\&\&b]"),
            ("[[x]", r"[\[x]"),
            ("[a-z]", "[a-z]"),
            ("[-a]", r"[\-a]"),
            (r"[\[-a]", r"[\[-a]"),
            (r"[\w-z]", r"[0-9A-Za-z_\-z]"),
            (r"[a-\d]", r"[a\-0-9]"),
            (r"[\p{Lu}\u{41}x]", r"[\p{Lu}\u{41}x]"),
            (r"\/", r"\/"),
            (r"\u0041\x42", "AB"),
            ("(?<year>a)", "(?:a)"),
            ("(a|b)", "(?:a|b)"),
        ];
        for (ecma, rust) in cases {
            assert_eq!(translate(ecma).as_deref(), Ok(rust), "{ecma}");
        }
    }

    #[test]
    fn what_cannot_be_enforced_is_refused() {
        for pattern in [
            "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"\bword", r"(a)\1", r"\k<n>", "(?i)a", "[]", "[a", "\\", r"\ud83d",
        ] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn repetitions_multiply_through_groups() {
        for pattern in
            ["((a{100}){100})", "(a{1000}){3}", "a{3000}", "(?:x|(b{50})){50}", "a{2,2001}", "a{50}{50}", "a{50}?{50}"]
        {
            assert!(check_size(pattern).is_err(), "{pattern}");
        }
        for pattern in ["a{1000}b{1000}", "(a{40}){40}", "[{3000}]", r"\{3000}", "x{", "{9}", "())){5}"] {
            assert_eq!(check_size(pattern), Ok(()), "{pattern}");
        }
        assert!(check_size(&"a".repeat(3000)).is_err());
    }
}
