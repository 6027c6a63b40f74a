//! Commands in a document.

use crate::program::llama;

/// What a fenced block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Commands, and what they print.
    Terminal,
    /// Commands.
    Commands,
}

/// A fenced block with commands.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) steps: Vec<Step>,
}

/// A command, and what it prints.
#[derive(Debug)]
pub(super) struct Step {
    /// Where it stands in its document.
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) output: Vec<String>,
}

/// The blocks of a document.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Option<Block>> = None;
    for (i, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                open = Some(match language.split([',', ' ']).next() {
                    Some("console") => Some(Block { kind: Kind::Terminal, steps: Vec::new() }),
                    Some("sh" | "bash" | "shell") => Some(Block { kind: Kind::Commands, steps: Vec::new() }),
                    _ => None,
                });
            }
            (Some(_), Some(_)) => found.extend(open.take().flatten()),
            (Some(Some(block)), None) => block.push(i + 1, line),
            _ => {}
        }
    }
    found
}

impl Block {
    fn push(&mut self, line: usize, text: &str) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.command.ends_with('\\') && last.output.is_empty())
        {
            last.command.push('\n');
            last.command.push_str(text);
            return;
        }
        let command = match self.kind {
            Kind::Terminal => text.strip_prefix("$ "),
            Kind::Commands => Some(without_remark(text)).filter(|text| !text.is_empty()),
        };
        match (command, self.steps.last_mut()) {
            (Some(command), _) => {
                self.steps.push(Step { line, command: command.to_owned(), output: Vec::new() });
            }
            (None, Some(last)) if self.kind == Kind::Terminal => last.output.push(text.to_owned()),
            _ => {}
        }
    }
}

/// Remarks stand after two blanks, so that a `#` in a text is none.
fn without_remark(text: &str) -> &str {
    let end = if text.starts_with('#') { 0 } else { text.find("  #").unwrap_or(text.len()) };
    text[..end].trim_end()
}

/// Lines of code in the running text that begin with `program`, as words, with their lines.
pub(super) fn mentioned(text: &str, program: &str) -> Vec<(usize, Vec<String>)> {
    let mut in_block = false;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for code in line.split('`').skip(1).step_by(2) {
            if code.split_whitespace().next() == Some(program) {
                found.push((i + 1, code.split_whitespace().map(str::to_owned).collect()));
            }
        }
    }
    found
}

/// The commands and options in `words` are those of the program.
pub(super) fn check_mention(words: &[String]) -> Result<(), String> {
    let mut path: Vec<&str> = Vec::new();
    let mut help = llama(&["--help"]).success();
    let mut words = words[1..].iter().map(|word| word.trim_matches(|c| "[]()…".contains(c))).peekable();
    while let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
        if !help.contains("Commands:") {
            break;
        }
        if word == "help" {
            continue;
        }
        path.push(word);
        let shown = llama(&[&path[..], &["--help"]].concat());
        help = if shown.code == Some(0) { shown.stdout } else { return Err(format!("there is no command {word}")) };
    }
    for word in words {
        for option in word.split('|').map(|option| option.split('=').next().unwrap_or(option)) {
            let is_option = option.len() > 1 && option.starts_with('-') && !option.starts_with("-1");
            if is_option && !has_option(&help, option) {
                return Err(format!("no option {option} in the help of {}", path.join(" ")));
            }
        }
    }
    Ok(())
}

fn has_option(help: &str, option: &str) -> bool {
    help.match_indices(option).any(|(at, _)| {
        let next = help[at + option.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
    })
}
