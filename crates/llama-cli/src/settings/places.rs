//! Which files and variables there are: everything that the settings read from outside, in one value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::env;

/// The names of a project's file, of which the first that exists counts.
const PROJECT_FILES: [&str; 2] = ["llama.toml", ".llama.toml"];

/// What is around the program. Tests make their own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<OsString, OsString>,
    /// Where the program was started.
    pub(crate) folder: PathBuf,
    /// The user's own file, which need not exist.
    pub(crate) user_file: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let config = etcetera::choose_base_strategy().ok().map(|folders| folders.config_dir());
        Self {
            variables: std::env::vars_os().collect(),
            // Without a folder there is no project.
            folder: std::env::current_dir().unwrap_or_default(),
            user_file: config.map(|folder| folder.join("llama-rs").join("llama.toml")),
        }
    }

    /// A variable that is set and not empty.
    ///
    /// # Errors
    ///
    /// When it is no text.
    pub(crate) fn variable(&self, name: &str) -> anyhow::Result<Option<&str>> {
        let Some(value) = self.variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or_else(|| anyhow::anyhow!("{name} is not valid UTF-8; set it to plain text"))?;
        Ok(Some(text))
    }

    /// Where a project's file may be: in this folder, and in those above it up to the root of the repository that it is
    /// in. Outside of a repository nobody else's folder counts.
    pub(crate) fn project_folders(&self) -> Vec<&Path> {
        let above: Vec<&Path> = self.folder.ancestors().collect();
        let root = above.iter().position(|folder| folder.join(".git").exists());
        above.into_iter().take(root.unwrap_or(0) + 1).collect()
    }

    /// The project's file: of the nearest folder that has one.
    pub(crate) fn project_file(&self) -> Option<PathBuf> {
        let folders = self.project_folders();
        let mut files = folders.iter().flat_map(|folder| PROJECT_FILES.map(|name| folder.join(name)));
        files.find(|file| file.is_file())
    }

    /// The settings files that hold, lowest first, and whether each has to be there.
    ///
    /// # Errors
    ///
    /// A variable that is no text.
    pub(crate) fn files(&self, wanted: &Wanted) -> anyhow::Result<Vec<(PathBuf, bool)>> {
        if wanted.no_config {
            return Ok(Vec::new());
        }
        if let Some(file) = &wanted.config {
            return Ok(vec![(file.clone(), true)]);
        }
        if let Some(file) = self.variable(env::LLAMA_CONFIG)? {
            return Ok(vec![(file.into(), true)]);
        }
        let found = self.user_file.clone().into_iter().chain(self.project_file());
        Ok(found.map(|file| (file, false)).collect())
    }

    /// As people write it: from this folder, if it is in it.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).to_owned()
    }
}

/// Which files and which profile the command line asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) config: Option<PathBuf>,
    pub(crate) no_config: bool,
    pub(crate) profile: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_ends_at_its_repository() {
        let top = tempfile::tempdir().unwrap();
        let inner = top.path().join("repository/a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(top.path().join("llama.toml"), "").unwrap();
        let around = Surroundings { folder: inner.clone(), ..Surroundings::default() };
        assert_eq!(around.project_file(), None, "outside a repository only the folder itself counts");
        std::fs::create_dir(top.path().join("repository/.git")).unwrap();
        assert_eq!(around.project_file(), None, "above the repository is another project");
        let file = top.path().join("repository/.llama.toml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(around.project_file(), Some(file));
        std::fs::write(inner.join("llama.toml"), "").unwrap();
        assert_eq!(around.project_file(), Some(inner.join("llama.toml")), "the nearest counts");
    }

    #[test]
    fn a_named_file_replaces_the_others_and_has_to_be_there() {
        let mut around = Surroundings { user_file: Some("user".into()), ..Surroundings::default() };
        let mut wanted = Wanted::default();
        assert_eq!(around.files(&wanted).unwrap(), [("user".into(), false)]);
        around.variables.insert(env::LLAMA_CONFIG.into(), "variable".into());
        assert_eq!(around.files(&wanted).unwrap(), [("variable".into(), true)]);
        wanted.config = Some("flag".into());
        assert_eq!(around.files(&wanted).unwrap(), [("flag".into(), true)]);
        wanted.no_config = true;
        assert_eq!(around.files(&wanted).unwrap(), []);
    }
}
