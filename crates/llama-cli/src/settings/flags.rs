//! The settings as flags: [`SettingArgs`] and [`SourceArgs`] give clap an argument for each row of the table.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;

use super::kind::Kind;
use super::layers::{Entry, Layer, Level, Origin, subject};
use super::places::{Surroundings, Wanted};
use super::table::{Also, GROUPS, Row, rows};
use super::{Effective, document, resolve};
use crate::logging;

pub(crate) use some::{BenchSettings, FetchArgs, LookArgs, PlanArgs};

mod some;

/// Every setting, for commands that answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingArgs(Typed);

/// Which model, and diagnostics: for commands that only look at a model.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceArgs(Typed);

/// What was typed, unread.
#[derive(Debug, Clone, Default)]
struct Typed {
    flags: Vec<Given>,
    wanted: Wanted,
    /// Backslashes in texts are no escapes.
    verbatim: bool,
}

/// A flag that was given once or more.
#[derive(Debug, Clone)]
struct Given {
    row: &'static Row,
    spelling: Spelling,
    values: Vec<OsString>,
    /// Where on the command line it was last.
    last: usize,
}

/// Which of a row's flags.
#[derive(Debug, Clone, Copy)]
enum Spelling {
    Own,
    Negated,
    Also(&'static Also),
}

impl SettingArgs {
    /// Backslashes in texts of the command line are no escapes: `--no-escape`.
    pub(crate) fn without_escapes(mut self) -> Self {
        self.0.verbatim = true;
        self
    }

    /// What holds in the end: defaults, files, the environment and these flags. Logging starts as they want it.
    ///
    /// # Errors
    ///
    /// What is wrong, where it was set, and what may be set instead.
    pub(crate) fn resolve(&self) -> anyhow::Result<Effective> {
        self.0.resolve()
    }
}

impl SourceArgs {
    /// As [`SettingArgs::resolve`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn resolve(&self) -> anyhow::Result<Effective> {
        self.0.resolve()
    }
}

impl Typed {
    fn resolve(&self) -> anyhow::Result<Effective> {
        let around = Surroundings::of_process();
        let effective = resolve::resolve(&around, &self.wanted, self.values()?)?;
        let subject = |key: &str| effective.set.get(key).map(Entry::subject).unwrap_or_default();
        logging::start(&effective.settings.log, subject)?;
        // For the whole process, and before any model is loaded: its layout depends on it. Where nobody said anything,
        // llama.cpp need not be started for it.
        if effective.set.contains_key("hardware.kernels") {
            llama_runtime::set_kernels(effective.settings.hardware.kernels);
        }
        tracing::debug!(files = ?effective.files, set = effective.set.len(), "settings are read");
        Ok(effective)
    }

    fn values(&self) -> anyhow::Result<Level> {
        Ok(Level { sets: self.layer(false)?, lowers: self.layer(true)? })
    }

    /// The values of the flags that set, or of those that only lower. Where a setting was given in several ways, the last
    /// one counts.
    fn layer(&self, only_lowers: bool) -> anyhow::Result<Layer> {
        let mut layer = Layer::new();
        for row in rows() {
            let given = self.flags.iter().filter(|given| std::ptr::eq(given.row, row));
            let mut given: Vec<&Given> = given.filter(|given| given.only_lowers() == only_lowers).collect();
            given.sort_by_key(|given| given.last);
            let mut held: Option<Entry> = None;
            for given in given {
                let entry = given.entry(self.verbatim)?;
                held = Some(match held {
                    Some(mut old) if row.kind.accumulates() => {
                        old.value = row.kind.together(old.value, entry.value);
                        old
                    }
                    _ => entry,
                });
            }
            layer.extend(held);
        }
        Ok(layer)
    }
}

impl Given {
    fn kind(&self) -> Kind {
        match self.spelling {
            Spelling::Own => self.row.kind,
            Spelling::Negated => Kind::Switch,
            Spelling::Also(also) => also.kind,
        }
    }

    fn only_lowers(&self) -> bool {
        matches!(self.spelling, Spelling::Also(also) if also.only_lowers)
    }

    /// How the flag is called in messages.
    fn flag(&self) -> String {
        match self.spelling {
            Spelling::Own => self.row.flag(),
            Spelling::Negated => format!("--no-{}", self.row.long),
            Spelling::Also(also) => match also.short {
                Some(short) => format!("-{short}/--{}", also.long),
                None => format!("--{}", also.long),
            },
        }
    }

    fn entry(&self, verbatim: bool) -> anyhow::Result<Entry> {
        let flag = self.flag();
        let kind = self.kind();
        if self.values.len() > 1 && !kind.accumulates() && kind.takes_value() {
            crate::ui::note(&format!("warning: {flag} is given {} times; the last one counts", self.values.len()));
        }
        let skip = if kind.accumulates() { 0 } else { self.values.len().saturating_sub(1) };
        let mut held: Option<Value> = None;
        for value in &self.values[skip..] {
            let value = self.read(kind, value, verbatim)?;
            held = Some(match held {
                Some(old) => kind.together(old, value),
                None => value,
            });
        }
        let written = self.values.last().map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
        let value = held.unwrap_or(Value::Null);
        Ok(Entry { row: self.row, value, written, origin: Origin::Flag(flag) })
    }

    fn read(&self, kind: Kind, value: &OsStr, verbatim: bool) -> anyhow::Result<Value> {
        let flag = self.flag();
        let Some(text) = value.to_str() else {
            let what = if kind == Kind::Path { "rename the file" } else { "give plain text" };
            bail!("{flag}: {} is not valid UTF-8; {what}", value.to_string_lossy());
        };
        let read = match (self.spelling, kind) {
            (Spelling::Negated, _) => kind.read(text).map(|value| Value::Bool(value != Value::Bool(true))),
            (_, Kind::Stands(stands)) => self.row.kind.read(stands),
            // Nothing to tell the model, whatever the files say; scripts pass a variable that may be empty.
            (Spelling::Own, Kind::Text) if text.is_empty() && self.row.key == "chat.system" => Ok(Value::Null),
            (_, Kind::Texts) if verbatim => kind.accept(text.into()),
            _ => kind.read(text),
        };
        read.map_err(|wrong| anyhow!("{}, {wrong}", subject(self.row.key, text, &Origin::Flag(flag))))
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        with_flags(command, |_| true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = typed(matches);
        Ok(())
    }
}

impl Args for SourceArgs {
    fn augment_args(command: Command) -> Command {
        with_flags(command, |row| matches!(row.group(), "model" | "log") || row.key.starts_with("chat.template"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SourceArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = typed(matches);
        Ok(())
    }
}

const CONFIG: &str = "settings.config";
const NO_CONFIG: &str = "settings.no_config";
const PROFILE: &str = "settings.profile";

/// Adds the flags of these rows. A flag that the command has itself stays the command's.
fn with_flags(mut command: Command, wanted: impl Fn(&Row) -> bool) -> Command {
    let own = command.clone();
    let name = own.get_name();
    for row in rows().filter(|row| wanted(row) && !row.not_in.contains(&name)) {
        if !is_taken(&own, row.long) && !is_taken(&own, &document::negated(row)) {
            command = command.arg(own_flag(row, &own));
            if row.kind == Kind::Switch {
                command = command.arg(negated_flag(row));
            }
        }
        for also in row.also.iter().filter(|also| !is_taken(&own, also.long)) {
            command = command.arg(also_flag(row, also, &own));
        }
    }
    let heading = "Settings files";
    command
        .arg(
            Arg::new(CONFIG)
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help_heading(heading)
                .help("Read settings from this file, in place of the user's and the project's [env: LLAMA_CONFIG]"),
        )
        .arg(
            Arg::new(NO_CONFIG)
                .long("no-config")
                .action(ArgAction::SetTrue)
                .help_heading(heading)
                .help("Read no settings file"),
        )
        .arg(
            Arg::new(PROFILE)
                .long("profile")
                .value_name("NAME")
                .help_heading(heading)
                .help("Use this profile of the settings files [env: LLAMA_PROFILE]"),
        )
}

fn is_taken(command: &Command, long: &str) -> bool {
    command
        .get_arguments()
        .any(|arg| arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long)))
}

fn is_short_taken(command: &Command, short: char) -> bool {
    command.get_arguments().any(|arg| arg.get_short() == Some(short))
}

fn heading(row: &Row) -> &'static str {
    GROUPS.iter().find(|(group, ..)| *group == row.group()).map_or("Options", |(_, heading, _)| heading)
}

fn own_flag(row: &'static Row, own: &Command) -> Arg {
    let aliases = row.aliases.iter().filter(|alias| !is_taken(own, alias)).copied();
    let arg =
        Arg::new(row.key).long(row.long).visible_aliases(aliases.collect::<Vec<_>>()).help(document::flag_help(row));
    let arg = valued(arg, row, &row.kind, row.short.filter(|short| !is_short_taken(own, *short)));
    match row.value_name {
        Some(name) => arg.value_name(name),
        None => arg,
    }
}

fn negated_flag(row: &'static Row) -> Arg {
    let off: Vec<&'static str> =
        row.one_dash.iter().map(|(_, long)| *long).filter(|long| long.starts_with("no-")).collect();
    let own = document::negated(row);
    let arg = Arg::new(negated_id(row)).long(own.clone()).hide(true);
    valued(arg.aliases(off.into_iter().filter(|name| *name != own).collect::<Vec<_>>()), row, &Kind::Switch, None)
}

fn negated_id(row: &Row) -> String {
    format!("no.{}", row.key)
}

fn also_id(row: &Row, also: &Also) -> String {
    format!("{}.{}", row.key, also.long)
}

fn also_flag(row: &'static Row, also: &'static Also, own: &Command) -> Arg {
    let aliases = also.aliases.iter().filter(|alias| !is_taken(own, alias)).copied();
    let arg = Arg::new(also_id(row, also))
        .long(also.long)
        .aliases(aliases.collect::<Vec<_>>())
        .help(document::also_help(also));
    valued(arg, row, &also.kind, also.short.filter(|short| !is_short_taken(own, *short)))
}

/// What all flags have in common. A value may look like a flag: upstream takes what comes next.
fn valued(arg: Arg, row: &Row, kind: &Kind, short: Option<char>) -> Arg {
    let arg = arg
        .action(ArgAction::Append)
        .value_name(kind.value_name())
        .value_parser(clap::value_parser!(OsString))
        .help_heading(heading(row))
        .hide_short_help(row.rare);
    let arg = match short {
        Some(short) => arg.short(short),
        None => arg,
    };
    match kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Stands(_) => arg.num_args(0).default_missing_value("true"),
        _ => arg.num_args(1).allow_hyphen_values(true),
    }
}

fn typed(matches: &ArgMatches) -> Typed {
    let mut flags = Vec::new();
    for row in rows() {
        flags.extend(given(matches, row.key, row, Spelling::Own));
        if row.kind == Kind::Switch {
            flags.extend(given(matches, &negated_id(row), row, Spelling::Negated));
        }
        for also in row.also {
            flags.extend(given(matches, &also_id(row, also), row, Spelling::Also(also)));
        }
    }
    let wanted = Wanted {
        config: one(matches, CONFIG),
        no_config: matches.try_get_one(NO_CONFIG).ok().flatten().copied().unwrap_or_default(),
        profile: one(matches, PROFILE),
    };
    Typed { flags, wanted, verbatim: false }
}

/// Whether the command that was given takes settings.
pub(crate) fn are_in(matches: &ArgMatches) -> bool {
    matches.try_contains_id(PROFILE).is_ok()
}

fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.try_get_one::<T>(id).ok().flatten().cloned()
}

/// A flag that the command has and that was given.
fn given(matches: &ArgMatches, id: &str, row: &'static Row, spelling: Spelling) -> Option<Given> {
    let values: Vec<OsString> = matches.try_get_many(id).ok().flatten()?.cloned().collect();
    let last = matches.indices_of(id).and_then(Iterator::max).unwrap_or_default();
    Some(Given { row, spelling, values, last })
}
