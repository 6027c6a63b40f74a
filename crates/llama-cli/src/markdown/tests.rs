use super::*;

fn shown(text: &str) -> String {
    let mut markdown = Markdown::default();
    markdown.push(text) + &markdown.finish()
}

/// Without the terminal's codes.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, code)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = code.split_once('m').unwrap().1;
    }
    out + rest
}

#[test]
fn spans_are_shown_without_their_marks() {
    assert_eq!(shown("a **b** c"), "a \x1b[0;1mb\x1b[0m c");
    assert_eq!(shown("*b* _c_ ~~d~~"), "\x1b[0;3mb\x1b[0m \x1b[0;3mc\x1b[0m \x1b[0;9md\x1b[0m");
    assert_eq!(shown("`a * b`"), "\x1b[0;36ma * b\x1b[0m");
    assert_eq!(shown("``a ` b``."), "\x1b[0;36ma ` b\x1b[0m.");
    assert_eq!(shown("***x***"), "\x1b[0;1;3mx\x1b[0m");
    assert_eq!(shown("[here](there)"), "\x1b[0;4mhere\x1b[0m\x1b[0;2m (there)\x1b[0m");
    assert_eq!(bare(&shown("**a *b* `c*` d**")), "a b c* d");
}

#[test]
fn what_marks_nothing_is_shown_as_it_is_written() {
    let plain = [
        "2 * 3 * 4 = 24",
        "snake_case_name and a__init__b",
        "a ** b",
        "**open",
        "`open",
        "[x] done, [1], a[i](",
        "5! = 120",
        "~5 and ~/file~",
        "C:\\*\\_x \\( y \\)",
        "| a | b |",
        "<b>&amp;</b>",
        "#hash and #5",
        "-5 degrees",
        "日本語のテキスト 👍🏽",
        "    indented",
        "a\n\n\nb",
        "*****",
    ];
    for text in plain {
        let expected = if text == "*****" { "─".repeat(RULE) } else { text.to_owned() };
        assert_eq!(bare(&shown(text)), expected);
    }
    assert_eq!(shown("snake_case_name"), "snake_case_name");
}

#[test]
fn lines_begin_with_marks() {
    assert_eq!(shown("# Top\nx"), "\x1b[0;1;4mTop\x1b[0m\nx");
    assert_eq!(shown("### A **b**"), "\x1b[0;1mA b\x1b[0m");
    assert_eq!(
        bare(&shown("- a\n  * b\n1. c\n> q\n> - d\n---\n")),
        format!("• a\n  • b\n1. c\n│ q\n│ • d\n{}\n", "─".repeat(RULE))
    );
}

#[test]
fn code_is_shown_as_it_is() {
    let text = "```rust\nlet a = b * c; // **no**\n    # no\n``\n```\n**yes**";
    assert_eq!(bare(&shown(text)), text.replace("**yes**", "yes"));
    assert!(shown(text).contains("\x1b[0;36mlet a = b * c; // **no**\x1b[0m\n"));
    assert_eq!(bare(&shown("~~~\n```\n~~~\n*a*")), "~~~\n```\n~~~\na");
    assert_eq!(bare(&shown("```\nnever closed *a*")), "```\nnever closed *a*");
    assert_eq!(bare(&shown("```a``` b")), "a b");
}

#[test]
fn how_an_answer_is_cut_into_pieces_changes_nothing() {
    let text =
        "# T\nSome **bold `x*` text** and _it_, 2 * 3.\n- [l](u) ![i](v)\n```\n``` x\n*c*\n```\n> **q\n***\nend `";
    let whole = shown(text);
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for &cut in &cuts {
        let mut markdown = Markdown::default();
        let pieces = [markdown.push(&text[..cut]), markdown.push(&text[cut..]), markdown.finish()];
        assert_eq!(pieces.concat(), whole, "cut at {cut}");
    }
}

#[test]
fn text_is_shown_as_soon_as_it_is_told_from_a_mark() {
    let mut markdown = Markdown::default();
    assert_eq!(markdown.push("Hello, wor"), "Hello, wor");
    assert_eq!(markdown.push("ld **bo"), "ld ");
    assert_eq!(markdown.push("ld**,"), "\x1b[0;1mbold\x1b[0m,");
}

#[test]
fn nothing_is_held_for_ever() {
    let mut markdown = Markdown::default();
    let printed: usize = (0..100).map(|_| markdown.push(&"**a ".repeat(100)).len()).sum();
    assert!(printed > 38_000, "{printed}");
    let rest = markdown.finish().len();
    assert_eq!(printed + rest, 40_000);
}

#[test]
fn a_model_cannot_command_the_terminal() {
    assert_eq!(shown("\x1b]0;x\x07"), "\u{241b}]0;x\u{2407}");
    let all = shown("`\x1b[2J`");
    assert_eq!(bare(&all), "\u{241b}[2J");
}
