//! Where the hub is, who we are there, and where its files are kept: all from the environment.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ureq::http::Uri;

use crate::env;

/// The hub, if no variable names another. The only place that says so.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Longer than any token; a file that is larger is none.
const LONGEST_TOKEN: u64 = 4096;

/// A hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Without a `/` at its end.
    pub(crate) url: String,
    origin: Origin,
}

/// Who answers: a token for one is for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Of an absolute address with a scheme that we speak.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Self { scheme: scheme.to_owned(), host, port: uri.port_u16().unwrap_or(default) })
    }
}

impl Endpoint {
    /// The one that the environment names.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        for name in [env::MODEL_ENDPOINT, env::HF_ENDPOINT] {
            if let Some(url) = text(name)? {
                return Self::parse(&url).with_context(|| format!("{name}={url:?} is no address of a hub"));
            }
        }
        Self::parse(DEFAULT_ENDPOINT)
    }

    /// The hub at an address.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        const FORM: &str = "give an address such as https://hub.example.org";
        let url = url.trim_end_matches('/');
        let uri: Uri = url.parse().context(FORM)?;
        let origin = Origin::of(&uri).context(FORM)?;
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            bail!("it must have no user and no `?`; {FORM}");
        }
        Ok(Self { url: url.to_owned(), origin })
    }

    /// Whether a token for this hub may be sent to an address.
    pub(crate) fn is_at(&self, uri: &Uri) -> bool {
        Origin::of(uri).is_some_and(|origin| origin == self.origin)
    }
}

/// A secret: never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) secret: String,
    /// Where it is from.
    pub(crate) source: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.source)
    }
}

impl Token {
    /// From the environment, or from the file where other tools keep it.
    pub(crate) fn from_env() -> anyhow::Result<Option<Self>> {
        if let Some(secret) = text(env::HF_TOKEN)? {
            return Self::new(&secret, env::HF_TOKEN.to_owned());
        }
        let path = match path(env::HF_TOKEN_PATH) {
            Some(path) => path,
            None => home()?.join("token"),
        };
        let size = std::fs::metadata(&path).map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
        if size == 0 || size > LONGEST_TOKEN {
            return Ok(None);
        }
        let secret = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::new(&secret, path.display().to_string())
    }

    fn new(secret: &str, source: String) -> anyhow::Result<Option<Self>> {
        let secret = secret.trim();
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("the token in {source} has characters that no token has; write it anew");
        }
        Ok((!secret.is_empty()).then(|| Self { secret: secret.to_owned(), source }))
    }
}

/// The folder of the cache, which other tools share.
pub(crate) fn cache_folder() -> anyhow::Result<PathBuf> {
    match env::CACHES.into_iter().find_map(path) {
        Some(path) => Ok(std::path::absolute(path)?),
        None => Ok(home()?.join("hub")),
    }
}

/// The folder of the hub's tools.
fn home() -> anyhow::Result<PathBuf> {
    if let Some(path) = path(env::HF_HOME) {
        return Ok(std::path::absolute(path)?);
    }
    let caches = match path(env::XDG_CACHE_HOME) {
        Some(path) => std::path::absolute(path)?,
        None => etcetera::home_dir()
            .context("there is no home folder for downloaded models; set HF_HOME or LLAMA_CACHE to a folder")?
            .join(".cache"),
    };
    Ok(caches.join("huggingface"))
}

/// A variable that names a path; an empty one is not set.
fn path(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(Path::new(&value).to_owned())
}

fn text(name: &str) -> anyhow::Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => bail!("{name} is not valid UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_its_own_host_and_port_only() {
        let hub = Endpoint::parse("http://LOCALHOST:81/hub/").unwrap();
        assert_eq!(hub.url, "http://LOCALHOST:81/hub");
        for (url, same) in [
            ("http://localhost:81/x", true),
            ("http://localhost:82/x", false),
            ("https://localhost:81/x", false),
            ("http://127.0.0.1:81/x", false),
            ("http://localhost.evil.org:81/x", false),
        ] {
            assert_eq!(hub.is_at(&url.parse().unwrap()), same, "{url}");
        }
        let hub = Endpoint::parse("https://hub.org").unwrap();
        assert!(hub.is_at(&"https://hub.org:443/x".parse().unwrap()));
    }

    #[test]
    fn odd_addresses_and_tokens_are_refused() {
        for url in ["", "hub.org", "ftp://hub.org", "https://", "https://me:pw@hub.org", "https://hub.org?x=1", "a b"] {
            assert!(Endpoint::parse(url).is_err(), "{url:?}");
        }
        assert!(Token::new("hf_a\r\nX: y", "HF_TOKEN".to_owned()).is_err());
        assert_eq!(Token::new(" \n", "HF_TOKEN".to_owned()).unwrap(), None);
        let token = Token::new("hf_secret\n", "HF_TOKEN".to_owned()).unwrap().unwrap();
        assert_eq!(token.secret, "hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
    }
}
