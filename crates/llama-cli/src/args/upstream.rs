//! Command lines as upstream's programs take them, made into what clap understands.
//!
//! Long flags with one dash (`-ngl`) and with underscores become long flags; a line that begins with a flag gets its
//! command; flags that change nothing are left out; flags that are not there are refused with what to use instead. What is
//! the value of a flag is never touched: the definition of the command tells which flags take one.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

use crate::settings::kind::Kind;
use crate::settings::suggest;
use crate::settings::table::rows;
use crate::settings::unsupported::{self, ACCEPTED};

/// Flags with one dash and several letters that belong to commands and not to settings.
const OF_COMMANDS: &[(&str, &str)] = &[
    ("st", "single-turn"),
    ("bf", "binary-file"),
    ("ptc", "print-token-count"),
    ("cnv", "conversation"),
    ("no-cnv", "no-conversation"),
    ("if", "interactive-first"),
    ("co", "color"),
    ("cl", "cache-list"),
    ("cb", "cont-batching"),
    ("kvu", "kv-unified"),
    ("fit", "fit"),
    ("pg", "pg"),
    ("npl", "n-parallel"),
    ("npp", "n-pp"),
    ("ntg", "n-tg"),
    ("pps", "pp-shared"),
    ("tgs", "tg-separate"),
    ("oe", "output-err"),
    ("nopo", "no-op-offload"),
    ("embd", "embeddings"),
    ("mmp", "mmap"),
    ("dio", "direct-io"),
    ("rpc", "rpc"),
];

/// Flags that ask for something else than an answer, and the command for that.
const INFORMATION: &[(&str, &[&str])] = &[
    ("list-devices", &["devices"]),
    ("cache-list", &["models", "list"]),
    ("completion-bash", &["completions", "bash"]),
    ("usage", &["--help"]),
    ("version", &["--version"]),
];

/// Flags that make a line without a command a `run`: in a conversation they have no place.
const MEAN_RUN: &[&str] = &["no-conversation", "raw", "prompt-file", "binary-file"];

/// Upstream's commands that are called otherwise here, or are not here.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["download", "get"], "use `llama-cli models pull user/repo`"),
    (&["serve", "server"], "this program is no server; use `llama-cli chat` or `llama-cli run`"),
    (&["update"], "update it the way it was installed"),
    (&["licenses", "license", "credits"], LICENSES),
    (&["quantize", "perplexity", "fit-params"], "use llama.cpp's own program for it"),
];

const LICENSES: &str =
    "they are in LICENSE-MIT, LICENSE-APACHE and THIRD-PARTY-NOTICES.md, which come with this program";

/// Flags that are about the program and that every command has.
const ABOUT: &[&str] = &["-h", "--help", "-V", "--version"];

/// The command line that clap gets.
///
/// # Errors
///
/// A flag or a command that is not there, with what to use instead.
pub(super) fn understood(command: &Command, argv: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let mut argv = argv.into_iter();
    let program = argv.next().unwrap_or_else(|| "llama-cli".into());
    let mut rest: Vec<OsString> = argv.collect();
    match rest.first().and_then(|first| first.to_str()) {
        None if rest.is_empty() => return Ok(vec![program, "--help".into()]),
        Some("version") => return Ok(vec![program, "--version".into()]),
        Some(first) if first.starts_with('-') && !ABOUT.contains(&first) => {
            let name = if means_run(command, &rest) { "run" } else { "chat" };
            rest.insert(0, name.into());
        }
        Some(first) => {
            if let Some((_, why)) = COMMANDS.iter().find(|(names, _)| names.contains(&first)) {
                return Err(error(ErrorKind::InvalidSubcommand, &format!("there is no command {first}; {why}")));
            }
            if !first.starts_with('-') && first != "help" && command.find_subcommand(first).is_none() {
                return Err(error(ErrorKind::InvalidSubcommand, &unknown_command(command, first)));
            }
        }
        None => {}
    }
    let mut line = Line { program, root: command, current: command, unsure: false, out: Vec::new() };
    line.read(rest)?;
    let mut out = vec![line.program];
    out.extend(line.out);
    Ok(out)
}

fn error(kind: ErrorKind, text: &str) -> Error {
    Error::raw(kind, format!("{text}\n"))
}

fn unknown_command(command: &Command, name: &str) -> String {
    let known: Vec<&str> =
        command.get_subcommands().filter(|known| !known.is_hide_set()).map(Command::get_name).collect();
    let hint = suggest::did_you_mean(name, known.iter().copied());
    let hint = hint.unwrap_or_else(|| format!("; the commands are {}", known.join(", ")));
    let name = if name.is_empty() { "\"\"" } else { name };
    format!("there is no command {name}{hint}")
}

/// Whether a line without a command is a `run`.
fn means_run(command: &Command, rest: &[OsString]) -> bool {
    let Some(run) = command.find_subcommand("run") else { return false };
    let mut is_value = false;
    for (i, arg) in rest.iter().enumerate() {
        let text = arg.to_str().filter(|text| !std::mem::take(&mut is_value) && text.starts_with('-'));
        let Some(Typed::Flag { long: Some(long), value, .. }) = text.map(typed) else {
            if let Some(text) = text {
                is_value = short_takes_next(run, text, rest.get(i + 1));
            }
            continue;
        };
        if MEAN_RUN.contains(&long.as_str()) {
            return true;
        }
        is_value = value.is_none() && find(run, &long).is_some_and(|arg| takes_next(arg, rest.get(i + 1)));
    }
    false
}

/// A word of the command line that begins with a dash.
enum Typed {
    /// `--`.
    End,
    /// A flag, as it was typed up to `=`; `long` is without dashes, for those that have a long form.
    Flag { typed: String, long: Option<String>, value: Option<String> },
}

fn typed(text: &str) -> Typed {
    if text == "--" {
        return Typed::End;
    }
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let long = match name.strip_prefix("--") {
        Some(long) => Some(long.replace('_', "-")),
        None => one_dash(name.trim_start_matches('-')).map(str::to_owned),
    };
    Typed::Flag { typed: name.to_owned(), long, value }
}

/// The long flag that upstream also writes with one dash.
fn one_dash(name: &str) -> Option<&'static str> {
    let of_settings = rows().flat_map(|row| row.one_dash);
    of_settings.chain(OF_COMMANDS).find(|(short, _)| *short == name).map(|(_, long)| *long)
}

/// The flag of a command, by its long name.
fn find<'c>(command: &'c Command, long: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
    })
}

/// Whether the word after a flag is its value.
fn takes_next(arg: &Arg, next: Option<&OsString>) -> bool {
    let none = arg.get_num_args().is_some_and(|range| range.max_values() == 0);
    if none || !arg.get_action().takes_values() || arg.is_require_equals_set() {
        return false;
    }
    let looks_like_flag = next.and_then(|next| next.to_str()).is_some_and(|next| next.starts_with('-') && next != "-");
    !looks_like_flag || arg.is_allow_hyphen_values_set() || arg.is_allow_negative_numbers_set()
}

/// The same for letters with one dash, of which the last may take a value.
fn short_takes_next(command: &Command, text: &str, next: Option<&OsString>) -> bool {
    let letters: Vec<char> = text.trim_start_matches('-').chars().collect();
    for (i, letter) in letters.iter().enumerate() {
        let Some(arg) = command.get_arguments().find(|arg| arg.get_short() == Some(*letter)) else { return false };
        // With any next word: what follows in the same word is the value.
        if takes_next(arg, None) {
            return i + 1 == letters.len() && takes_next(arg, next);
        }
    }
    false
}

/// The flag that stands where a word or a number should be: someone forgot the value, such as `on` after `-fa`.
fn forgotten<'w>(long: &str, next: &'w OsString) -> Option<&'w str> {
    let row = rows().find(|row| row.long == long || row.aliases.contains(&long))?;
    let next = next.to_str()?;
    let letter = next.trim_start_matches('-').chars().next()?;
    let is_flag = next.starts_with('-') && letter.is_ascii_alphabetic();
    (is_flag && matches!(row.kind, Kind::Choice(_) | Kind::OnOff(_) | Kind::Int { .. })).then_some(next)
}

/// A command line that is being made.
struct Line<'c> {
    program: OsString,
    root: &'c Command,
    /// The command whose flags come next.
    current: &'c Command,
    /// There was a flag that nobody knows: the next word may be its value.
    unsure: bool,
    out: Vec<OsString>,
}

impl Line<'_> {
    fn read(&mut self, rest: Vec<OsString>) -> Result<(), Error> {
        let mut words = rest.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(text) = word.to_str().filter(|text| text.starts_with('-') && text.len() > 1) else {
                match word.to_str().and_then(|name| self.current.find_subcommand(name)) {
                    Some(inner) => self.current = inner,
                    None => self.check_word(&word)?,
                }
                self.out.push(word);
                continue;
            };
            let (flag, long, value) = match typed(text) {
                Typed::End => {
                    self.out.push(word);
                    self.out.extend(words);
                    return Ok(());
                }
                Typed::Flag { typed, long, value } => (typed, long, value),
            };
            let Some(long) = long else {
                if let Some(remedy) = self.refusal(&flag) {
                    return Err(error(
                        ErrorKind::UnknownArgument,
                        &format!("{flag} is not a flag of this program: {remedy}"),
                    ));
                }
                let value_follows = short_takes_next(self.current, text, words.peek());
                self.unsure |= !value_follows;
                self.out.push(word);
                self.out.extend(words.next_if(|_| value_follows));
                continue;
            };
            if let Some(arg) = find(self.current, &long) {
                let value_follows = value.is_none() && takes_next(arg, words.peek());
                if let Some(next) = words.peek().filter(|_| value_follows).and_then(|next| forgotten(&long, next)) {
                    let text = format!("{flag} needs a value, and {next} is a flag; put the value after {flag}");
                    return Err(error(ErrorKind::MissingRequiredArgument, &text));
                }
                let value = value.map(|value| format!("={value}")).unwrap_or_default();
                self.out.push(format!("--{long}{value}").into());
                self.out.extend(words.next_if(|_| value_follows));
                continue;
            }
            if let Some((_, instead)) = INFORMATION.iter().find(|(name, _)| *name == long) {
                self.out = instead.iter().map(Into::into).collect();
                return Ok(());
            }
            let given = value.clone().or_else(|| words.peek().and_then(|next| next.to_str()).map(str::to_owned));
            match self.accepted(&long, given.as_deref()) {
                Some(true) if value.is_none() => {
                    words.next();
                }
                Some(_) => {}
                None => self.stranger(&flag, &long, value)?,
            }
        }
        Ok(())
    }

    /// Refuses a word that is neither a flag nor the value of one, where the command takes none.
    fn check_word(&self, word: &OsString) -> Result<(), Error> {
        let command = self.current;
        if self.unsure || command.has_subcommands() || command.get_positionals().next().is_some() {
            return Ok(());
        }
        let (name, word) = (command.get_name(), word.to_string_lossy());
        let remedy = if self.root.find_subcommand(word.as_ref()).is_some() {
            format!("a command comes first: `llama-cli {word} ..`")
        } else if find(command, "prompt").is_some() {
            "a prompt is given with -p, and with quotes around it: -p \"..\"".to_owned()
        } else {
            format!("leave it out; `llama-cli {name} --help` lists what it takes")
        };
        let text = format!("`llama-cli {name}` does not take the word {word:?}: {remedy}");
        Err(error(ErrorKind::UnknownArgument, &text))
    }

    /// Why a flag with one dash is not there; `None` if the command has it.
    fn refusal(&self, flag: &str) -> Option<&'static str> {
        let name = flag.trim_start_matches('-');
        let mut letters = name.chars();
        let known = letters.next().is_some_and(|letter| {
            self.current.get_arguments().any(|arg| arg.get_short() == Some(letter)) || ['h', 'V'].contains(&letter)
        });
        // `-nkvo` could be read as `-n kvo`, but whoever writes it means upstream's flag.
        unsupported::remedy_of_one_dash(name).filter(|_| !known || name.len() > 1)
    }

    /// Whether a flag that the command does not have changes nothing, and whether it takes a value then.
    fn accepted(&self, long: &str, value: Option<&str>) -> Option<bool> {
        let command = self.current.get_name();
        let found = ACCEPTED.iter().find(|accepted| {
            accepted.long == long && (accepted.commands.is_empty() || accepted.commands.contains(&command))
        })?;
        match found.values {
            [] => Some(false),
            values => value.is_some_and(|value| values.contains(&value)).then_some(true),
        }
    }

    /// A flag that the command does not have. What nobody knows is for clap to refuse, with the nearest name.
    fn stranger(&mut self, flag: &str, long: &str, value: Option<String>) -> Result<(), Error> {
        if ["license", "licenses"].contains(&long) {
            return Err(error(ErrorKind::UnknownArgument, &format!("{flag}: {LICENSES}")));
        }
        if let Some(remedy) = unsupported::remedy(long) {
            return Err(error(ErrorKind::UnknownArgument, &format!("{flag} is not a flag of this program: {remedy}")));
        }
        let others = self.root.get_subcommands().filter(|other| !other.is_hide_set() && find(other, long).is_some());
        let others: Vec<String> = others.map(|other| format!("`llama-cli {}`", other.get_name())).collect();
        let about = ["help", "version"].contains(&long);
        if !about && !others.is_empty() && self.current.get_name() != self.root.get_name() {
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            let text =
                format!("`llama-cli {}` does not take {flag}; {} does", self.current.get_name(), suggest::or(&others));
            return Err(error(ErrorKind::UnknownArgument, &text));
        }
        self.unsure = true;
        let value = value.map(|value| format!("={value}")).unwrap_or_default();
        self.out.push(format!("--{long}{value}").into());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
