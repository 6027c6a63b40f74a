//! What a line is: a message, or a command with what it was given.

use strsim::osa_distance;

/// A line that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input<'l> {
    Nothing,
    /// A message to the model.
    Say(&'l str),
    Do(Command<'l>),
    /// It looks like a command and is none; why, and what to type.
    Wrong(String),
}

/// A command; text is what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command<'l> {
    Exit,
    Help,
    Regen,
    Undo,
    Clear,
    Stats,
    Read(&'l str),
    Glob(&'l str),
    /// Images and the like, by the name of the command.
    Media(&'static str),
    Save(&'l str),
    Load(&'l str),
    Session(Option<&'l str>),
    System(Option<&'l str>),
    Set(Option<&'l str>),
    Model(Option<&'l str>),
}

/// What a command takes after its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Maybe,
    Something,
}

/// One line of the help.
struct Entry {
    name: &'static str,
    takes: Takes,
    shown: &'static str,
    about: &'static str,
}

const fn entry(name: &'static str, takes: Takes, shown: &'static str, about: &'static str) -> Entry {
    Entry { name, takes, shown, about }
}

const COMMANDS: &[Entry] = &[
    entry("/regen", Takes::Nothing, "", "answer the last message again"),
    entry("/undo", Takes::Nothing, "", "take back the last message and its answer"),
    entry("/clear", Takes::Nothing, "", "forget the conversation, and files that wait to be sent"),
    entry("/read", Takes::Something, "FILE", "send a text file with the next message"),
    entry("/glob", Takes::Something, "PATTERN", "the same for all files that match, e.g. src/**/*.rs; at most 100"),
    entry(
        "/system",
        Takes::Maybe,
        "[TEXT]",
        "show or set what the model is told before everything else; - for nothing",
    ),
    entry("/set", Takes::Maybe, "[KEY VALUE]", "change a setting, e.g. /set temperature 0.2; alone: what differs"),
    entry("/model", Takes::Maybe, "[FILE|user/repo]", "show the model, or go on with another"),
    entry("/save", Takes::Something, "FILE", "write the conversation to a file"),
    entry("/load", Takes::Something, "FILE", "go on with a conversation from a file"),
    entry("/session", Takes::Maybe, "[FILE]", "show the session's file, or keep the conversation in one from now on"),
    entry("/stats", Takes::Nothing, "", "how full the context is, and what was computed"),
    entry("/help", Takes::Nothing, "", "this list"),
    entry("/exit", Takes::Nothing, "", "leave, as Ctrl+D does; also /quit"),
    entry("/quit", Takes::Nothing, "", ""),
    entry("/image", Takes::Maybe, "", ""),
    entry("/audio", Takes::Maybe, "", ""),
    entry("/video", Takes::Maybe, "", ""),
];

/// Commands whose argument is a file.
const TAKE_FILES: [&str; 5] = ["/read", "/load", "/save", "/session", "/model"];

/// The names of all commands that the help tells.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMANDS.iter().filter(|entry| !entry.about.is_empty()).map(|entry| (entry.name, entry.about))
}

/// Where in `line` the file begins that its command takes.
pub(crate) fn file_at(line: &str) -> Option<usize> {
    let (word, rest) = line.split_once(' ')?;
    TAKE_FILES.contains(&word).then(|| line.len() - rest.trim_start().len())
}

/// What `/help` says.
pub(crate) fn help() -> String {
    let mut text = String::new();
    for entry in COMMANDS.iter().filter(|entry| !entry.about.is_empty()) {
        let usage = format!("{} {}", entry.name, entry.shown);
        text.push_str(&format!("{usage:<24} {}\n", entry.about));
    }
    text + "A line that ends in \\ goes on in the next one, and so does Alt+Enter. //text sends /text.\n\
            Ctrl+C stops an answer. Everything else is sent to the model."
}

/// Tells a command from a message. Only a whole word is a command: `/etc/hosts` and `/help me` are messages.
pub(crate) fn input(line: &str) -> Input<'_> {
    let line = line.trim_end_matches(['\n', '\r']);
    let typed = line.trim();
    if typed.is_empty() {
        return Input::Nothing;
    }
    if typed.starts_with("//") {
        return Input::Say(&typed[1..]);
    }
    if !typed.starts_with('/') || typed.contains('\n') {
        return Input::Say(line);
    }
    let (word, given) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let given = given.trim();
    let Some(entry) = COMMANDS.iter().find(|entry| entry.name == word) else { return unknown(line, word, given) };
    match entry.takes {
        Takes::Nothing if !given.is_empty() => Input::Say(line),
        Takes::Something if given.is_empty() => {
            Input::Wrong(format!("{word} needs to know which: {word} {}", entry.shown))
        }
        _ => Input::Do(command(entry.name, given)),
    }
}

fn command<'l>(name: &'static str, given: &'l str) -> Command<'l> {
    let maybe = (!given.is_empty()).then_some(given);
    match name {
        "/regen" => Command::Regen,
        "/undo" => Command::Undo,
        "/clear" => Command::Clear,
        "/stats" => Command::Stats,
        "/help" => Command::Help,
        "/read" => Command::Read(given),
        "/glob" => Command::Glob(given),
        "/save" => Command::Save(given),
        "/load" => Command::Load(given),
        "/session" => Command::Session(maybe),
        "/system" => Command::System(maybe),
        "/set" => Command::Set(maybe),
        "/model" => Command::Model(maybe),
        "/image" | "/audio" | "/video" => Command::Media(name),
        _ => Command::Exit,
    }
}

fn unknown<'l>(line: &'l str, word: &str, given: &str) -> Input<'l> {
    let nearest = COMMANDS.iter().map(|entry| (osa_distance(entry.name, word), entry)).min_by_key(|(far, _)| *far);
    let meant = nearest.filter(|(far, _)| *far <= 2).map(|(_, entry)| entry);
    let is_word = word.len() > 1 && word[1..].chars().all(char::is_alphabetic);
    // With more behind it, it is a command only if it is close to one that takes something.
    let is_meant = given.is_empty() || meant.is_some_and(|entry| entry.takes != Takes::Nothing);
    if !is_word || !is_meant {
        return Input::Say(line);
    }
    let hint = meant.map_or_else(String::new, |entry| format!("; did you mean {}?", entry.name));
    Input::Wrong(format!("there is no command {word}{hint} (/help lists them, and /{word} sends it to the model)"))
}

/// The file that was named: quotes around it are not part of it, and `~` is the home.
pub(crate) fn file(given: &str) -> std::path::PathBuf {
    let bare = ['"', '\''].iter().find_map(|quote| given.strip_prefix(*quote)?.strip_suffix(*quote));
    let given = bare.unwrap_or(given);
    let below = given.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (below, etcetera::home_dir()) {
        (Some(below), Ok(home)) => home.join(below.trim_start_matches(['/', '\\'])),
        _ => given.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(input(" \r\n"), Input::Nothing);
        assert_eq!(input("/exit\n"), Input::Do(Command::Exit));
        assert_eq!(input("/quit"), Input::Do(Command::Exit));
        assert_eq!(input("/regen "), Input::Do(Command::Regen));
        assert_eq!(input(" /read  a b.txt "), Input::Do(Command::Read("a b.txt")));
        assert_eq!(input("/system"), Input::Do(Command::System(None)));
        assert_eq!(input("/image x.png"), Input::Do(Command::Media("/image")));
        for text in ["/etc/hosts", "/help me, please", "/exit now", "/", "/2", "/sing a song", "/clear\nit"] {
            assert_eq!(input(text), Input::Say(text));
        }
        assert_eq!(input("//clear"), Input::Say("/clear"));
        assert_eq!(input("  indented \r\n"), Input::Say("  indented "));
    }

    #[test]
    fn a_mistake_is_told_with_the_nearest_name() {
        let wrong = |line| match input(line) {
            Input::Wrong(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(wrong("/regne").contains("no command /regne; did you mean /regen?"));
        assert!(wrong("/raed notes.txt").contains("/read"));
        assert!(wrong("/frobnicate").starts_with("there is no command /frobnicate (/help"), "{}", wrong("/frobnicate"));
        assert!(wrong("/load").contains("/load FILE"));
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        for (name, _) in names() {
            let with = format!("{name} x y");
            let done = [input(name), input(&with)].into_iter().any(|input| matches!(input, Input::Do(_)));
            assert!(done, "{name}");
            assert!(help().contains(name));
        }
    }

    #[test]
    fn files_are_named_as_in_a_shell() {
        assert_eq!(file("\"a b\""), std::path::Path::new("a b"));
        assert_eq!(file("it's"), std::path::Path::new("it's"));
        assert_eq!(file("~/x"), etcetera::home_dir().unwrap().join("x"));
        assert_eq!(file("~x"), std::path::Path::new("~x"));
        assert_eq!(file_at("/read  a"), Some(7));
        assert_eq!(file_at("read a"), None);
    }
}
