//! Settings files: TOML, with the line of each value.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{Entry, Layer, Origin, subject};
use super::places::Surroundings;
use super::suggest;
use super::table::{GROUPS, NOT_SET, row, rows};
use crate::ui;

/// Far more than anybody writes.
const MAX_BYTES: u64 = 1 << 20;

/// The table of profiles.
const PROFILE: &str = "profile";

/// What a settings file says.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Outside of profiles.
    pub(crate) plain: Layer,
    /// By name, in the order of the file.
    pub(crate) profiles: Vec<(String, Layer)>,
}

/// Reads a file; `None` if it does not exist and need not.
///
/// # Errors
///
/// What is wrong with it, with the line.
pub(crate) fn read(path: &Path, required: bool, around: &Surroundings) -> anyhow::Result<Option<Written>> {
    let shown = around.shown(path);
    let name = shown.display();
    let cannot = |error| ui::cannot_read(&format!("the settings file {name}"), error);
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => return Err(cannot(error)),
        Ok(file) => file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?,
    };
    if bytes.len() as u64 > MAX_BYTES {
        bail!("the settings file {name} is longer than {} KiB; it cannot be one", MAX_BYTES >> 10);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        anyhow::anyhow!("{name}:{line}: not valid UTF-8; save the file as UTF-8")
    })?;
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    Source { text: &text, ends, shown, base }.parse().map(Some)
}

/// A file that is being read.
struct Source<'t> {
    text: &'t str,
    /// Where its lines end.
    ends: Vec<usize>,
    shown: PathBuf,
    /// What paths in it are relative to.
    base: PathBuf,
}

impl Source<'_> {
    fn parse(&self) -> anyhow::Result<Written> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let line = self.line(error.span().map_or(0, |span| span.start));
            anyhow::anyhow!("{}:{line}: not valid TOML: {}", self.shown.display(), error.message().trim_end())
        })?;
        let mut written = Written::default();
        for (name, value) in root.get_ref() {
            if name.get_ref().as_ref() == PROFILE {
                written.profiles = self.profiles(value)?;
            } else {
                self.value(name.get_ref(), name, value, &mut Reading { layer: &mut written.plain, profile: None })?;
            }
        }
        Ok(written)
    }

    fn profiles(&self, value: &Spanned<DeValue<'_>>) -> anyhow::Result<Vec<(String, Layer)>> {
        let DeValue::Table(profiles) = value.get_ref() else {
            bail!("{}: profile must hold a table for each profile, such as [profile.fast.sampling]", self.at(value));
        };
        let mut found = Vec::new();
        for (profile, value) in profiles {
            let DeValue::Table(groups) = value.get_ref() else {
                bail!("{}: profile.{} must be a table of settings", self.at(value), profile.get_ref());
            };
            let mut layer = Layer::new();
            let mut reading = Reading { layer: &mut layer, profile: Some(profile.get_ref()) };
            for (name, value) in groups {
                self.value(name.get_ref(), name, value, &mut reading)?;
            }
            found.push((profile.get_ref().to_string(), layer));
        }
        Ok(found)
    }

    /// Reads what stands at `path`: a setting, or a table of them.
    fn value<N>(
        &self,
        path: &str,
        name: &Spanned<N>,
        value: &Spanned<DeValue<'_>>,
        reading: &mut Reading<'_>,
    ) -> anyhow::Result<()> {
        if let Some(row) = row(path) {
            let line = self.line(name.span().start);
            let profile = reading.profile.map(str::to_owned);
            let origin = Origin::File { path: self.shown.clone(), line, profile };
            let written = self.text.get(value.span()).unwrap_or_default().to_owned();
            let read = row.kind.accept(json(value.get_ref()));
            let value = read.map_err(|wrong| anyhow::anyhow!("{}, {wrong}", subject(path, &written, &origin)))?;
            let value = self.resolved(row.kind, value);
            reading.layer.push(Entry { row, value, written, origin });
            return Ok(());
        }
        let inside = format!("{path}.");
        if !rows().any(|row| row.key.starts_with(&inside)) {
            bail!("{}: {path}: unknown key{}", self.at(name), hint(path));
        }
        let DeValue::Table(members) = value.get_ref() else {
            bail!("{}: {path} must be a table, such as [{path}]", self.at(name));
        };
        for (name, value) in members {
            self.value(&format!("{path}.{}", name.get_ref()), name, value, reading)?;
        }
        Ok(())
    }

    /// Paths are relative to the file that names them.
    fn resolved(&self, kind: super::kind::Kind, value: Value) -> Value {
        use super::kind::Kind;
        let absolute = |path: &str| -> Value {
            let home = path.strip_prefix("~/").zip(etcetera::home_dir().ok());
            let whole = home.map_or_else(|| self.base.join(path), |(rest, home)| home.join(rest));
            whole.to_str().unwrap_or(path).into()
        };
        match (kind, value) {
            (Kind::Path, Value::String(path)) => absolute(&path),
            (Kind::Adapters, Value::Array(mut adapters)) => {
                for adapter in adapters.iter_mut().filter_map(Value::as_object_mut) {
                    if let Some(path) = adapter.get("path").and_then(Value::as_str).map(absolute) {
                        adapter.insert("path".to_owned(), path);
                    }
                }
                Value::Array(adapters)
            }
            (_, value) => value,
        }
    }

    fn at<T>(&self, place: &Spanned<T>) -> String {
        format!("{}:{}", self.shown.display(), self.line(place.span().start))
    }

    fn line(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }
}

/// Where values go to.
struct Reading<'l> {
    layer: &'l mut Layer,
    profile: Option<&'l str>,
}

/// What the key should have been.
fn hint(path: &str) -> String {
    if let Some((_, instead)) = NOT_SET.iter().find(|(key, _)| *key == path) {
        return format!("; it is set by {instead}");
    }
    // The key of a setting without its table is a common slip.
    let last = path.rsplit('.').next().unwrap_or(path);
    let same = rows().find(|row| row.key.rsplit('.').next() == Some(last));
    if let Some(row) = same {
        return format!("; did you mean {}?", row.key);
    }
    let keys = rows().map(|row| row.key);
    let groups = GROUPS.iter().map(|(name, ..)| *name).chain([PROFILE]);
    let known: Vec<&str> = if path.contains('.') { keys.collect() } else { groups.chain(keys).collect() };
    suggest::did_you_mean(path, known).unwrap_or_else(|| "; `llama-cli config show` lists them".to_owned())
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| number.as_str().into(), Value::from)
        }
        // Infinities and what is no number become null, which no setting takes.
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(members) => members.iter().map(|member| json(member.get_ref())).collect(),
        DeValue::Table(members) => {
            let members = members.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref())));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}
