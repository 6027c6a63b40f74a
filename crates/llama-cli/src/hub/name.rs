//! How a model of the hub is named: `user/repo[:quant]`.

use std::fmt;

use anyhow::bail;

/// The longest that the hub allows for a user or a repository.
const LONGEST: usize = 96;

/// A model of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) user: String,
    pub(crate) repo: String,
    /// Which of the repository's models: a quantization, or another part of a file's name.
    pub(crate) quant: Option<String>,
}

impl Name {
    /// Takes a name apart.
    ///
    /// # Errors
    ///
    /// What is wrong with it. It becomes part of paths, so nothing odd gets through.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        const FORM: &str = "models are named user/repo or user/repo:quant, such as someone/tiny-model-GGUF:Q4_K_M";
        if text.contains("://") {
            bail!("{text:?} is an address, not a name; {FORM}");
        }
        let (id, quant) = text.split_once(':').map_or((text, None), |(id, quant)| (id, Some(quant)));
        let Some((user, repo)) = id.split_once('/').filter(|(_, repo)| !repo.contains('/')) else {
            bail!("{text:?} is not the name of a model: it needs exactly one `/`; {FORM}");
        };
        for part in [user, repo] {
            if !is_sound(part) {
                bail!(
                    "{text:?} is not the name of a model: users and repositories have 1 to {LONGEST} letters, digits, \
                     `-`, `_` and `.`; {FORM}"
                );
            }
        }
        if quant.is_some_and(|quant| quant.is_empty() || quant.chars().any(|c| c.is_control() || c == '/')) {
            bail!("{text:?} names no quant after the `:`; {FORM}");
        }
        Ok(Self { user: user.to_owned(), repo: repo.to_owned(), quant: quant.map(str::to_owned) })
    }

    /// The name without the quant.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.user, self.repo)
    }

    /// The folder of the repository in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}--{}", self.user, self.repo)
    }

    /// The repository that a folder of the cache is for.
    pub(crate) fn of_folder(folder: &str) -> Option<Self> {
        let (user, repo) = folder.strip_prefix("models--")?.split_once("--")?;
        (is_sound(user) && is_sound(repo)).then(|| Self { user: user.to_owned(), repo: repo.to_owned(), quant: None })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.repo)?;
        self.quant.iter().try_for_each(|quant| write!(f, ":{quant}"))
    }
}

fn is_sound(part: &str) -> bool {
    let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plain && (1..=LONGEST).contains(&part.len()) && !part.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together_again() {
        for text in ["a/b", "Some-One/my.model_GGUF:Q4_K_M", "a/b:with space é"] {
            let name = Name::parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            let folder = Name::of_folder(&name.folder()).unwrap();
            assert_eq!(folder.id(), name.id());
        }
        assert_eq!(Name::parse("a/b:Q8_0").unwrap().quant.as_deref(), Some("Q8_0"));
        assert_eq!(Name::parse("a/b").unwrap().folder(), "models--a--b");
    }

    #[test]
    fn what_could_leave_the_cache_is_no_name() {
        for text in ["", "a", "a/b/c", "/b", "a/", "../b", "a/..", "a/b:", "a/b:x/y", "a/b c", "é/b", "a\\b/c", "a/b\n"]
        {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        assert!(Name::parse("https://hub/a/b").unwrap_err().to_string().contains("is an address"));
        assert!(Name::of_folder("models--..--b").is_none());
        assert!(Name::of_folder("datasets--a--b").is_none());
    }
}
