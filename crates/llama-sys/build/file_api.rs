//! Reads CMake's File-API: how an executable that uses our libraries would be linked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The executable of `cmake/CMakeLists.txt` that is described and never built.
const PROBE: &str = "llama_sys_probe";

/// CMake's File-API reply.
pub(crate) struct Reply {
    probe: Value,
    toolchains: Value,
}

impl Reply {
    /// The newest reply in a build folder; the error says what is missing.
    pub(crate) fn read(build_dir: &Path) -> Result<Self, String> {
        let dir = build_dir.join(".cmake/api/v1/reply");
        let names = fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let names = names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        // The newest index is the last by name; the others are left from earlier runs.
        let index = names.filter(|name| name.starts_with("index-")).max().ok_or("no index")?;
        let index = json(&dir.join(index))?;
        let object = |kind: &str| {
            let objects = index["objects"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = objects.iter().find(|object| object["kind"] == kind);
            found.and_then(|object| object["jsonFile"].as_str()).ok_or_else(|| format!("no {kind}"))
        };
        let model = json(&dir.join(object("codemodel")?))?;
        let targets = model["configurations"][0]["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let probe =
            targets.iter().find(|target| target["name"] == PROBE).and_then(|target| target["jsonFile"].as_str());
        Ok(Self {
            probe: json(&dir.join(probe.ok_or("no probe target")?))?,
            toolchains: json(&dir.join(object("toolchains")?))?,
        })
    }

    /// The libraries of the link line, in order. `-framework X` stays together.
    pub(crate) fn libraries(&self) -> Vec<String> {
        let fragments = self.probe["link"]["commandFragments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let libraries = fragments.iter().filter(|fragment| fragment["role"] == "libraries");
        libraries.flat_map(|fragment| words(fragment["fragment"].as_str().unwrap_or_default())).collect()
    }

    /// What the C++ compiler adds to a link line of its own: the C++ library, and that only.
    pub(crate) fn cxx_runtime(&self) -> Vec<String> {
        let toolchains = self.toolchains["toolchains"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cxx = toolchains.iter().find(|toolchain| toolchain["language"] == "CXX");
        let implicit = cxx.and_then(|cxx| cxx["compiler"]["implicit"]["linkLibraries"].as_array());
        let names = implicit.into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| name.starts_with("stdc++") || name.starts_with("c++")).map(str::to_owned).collect()
    }
}

fn json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A fragment is written for a shell: words are separated by blanks, quotes and backslashes protect them.
fn words(fragment: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = fragment.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if chars.peek().is_some_and(|next| matches!(next, ' ' | '"' | '\\')) => word.extend(chars.next()),
            ' ' if !quoted && word == "-framework" => word.push(' '),
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// One item of a link line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Link {
    File {
        dir: PathBuf,
        name: String,
        shared: bool,
    },
    Name(String),
    Framework(String),
    /// A flag for the linker driver, which rustc sets its own way.
    Setting,
}

impl Link {
    pub(crate) fn parse(item: &str, build_dir: &Path) -> Self {
        if let Some(name) = item.strip_prefix("-framework ") {
            return Self::Framework(name.to_owned());
        }
        if item == "-pthread" {
            return Self::Name("pthread".to_owned());
        }
        if let Some(name) = item.strip_prefix("-l") {
            return Self::Name(name.to_owned());
        }
        let path = build_dir.join(item);
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bare = file.strip_prefix("lib").unwrap_or(&file);
        let dir = path.parent().unwrap_or(build_dir).to_owned();
        let named = |name: &str, shared| Self::File { dir: dir.clone(), name: name.to_owned(), shared };
        if item.starts_with('-') {
            Self::Setting
        } else if let Some(name) = file.strip_suffix(".framework") {
            Self::Framework(name.to_owned())
        } else if let Some(name) = bare.strip_suffix(".a") {
            // glibc keeps these as empty archives for old link lines.
            match matches!(name, "pthread" | "dl" | "rt" | "m") {
                true => Self::Name(name.to_owned()),
                false => named(name, false),
            }
        } else if let Some(name) = file.strip_suffix(".lib") {
            // A bare name is the system's; a path may be an archive or an import library of a DLL.
            match path.is_file() {
                true => named(name, path.with_extension("dll").is_file()),
                false => Self::Name(name.to_owned()),
            }
        } else if let Some((name, _)) = [".so", ".dylib", ".tbd"].iter().find_map(|kind| bare.split_once(kind)) {
            named(name, true)
        } else {
            Self::Setting
        }
    }
}
