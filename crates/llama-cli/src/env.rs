//! Every environment variable that the program reads, besides those of the settings: they stand in the settings' table.

/// A settings file in place of the user's and the project's.
pub(crate) const LLAMA_CONFIG: &str = "LLAMA_CONFIG";

/// The profile of the settings files.
pub(crate) const LLAMA_PROFILE: &str = "LLAMA_PROFILE";

/// What to log, as `target=level,..`; before [`RUST_LOG`].
pub(crate) const LLAMA_LOG: &str = "LLAMA_LOG";

/// The same for programs in Rust in general.
pub(crate) const RUST_LOG: &str = "RUST_LOG";

/// Set to anything: no colours.
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// Where the hub is; before [`HF_ENDPOINT`].
pub(crate) const MODEL_ENDPOINT: &str = "MODEL_ENDPOINT";

/// Where the hub is, for all tools.
pub(crate) const HF_ENDPOINT: &str = "HF_ENDPOINT";

/// Who we are for the hub.
pub(crate) const HF_TOKEN: &str = "HF_TOKEN";

/// A file with the token.
pub(crate) const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";

/// The folder of the hub's tools: `token`, and the cache in `hub`.
pub(crate) const HF_HOME: &str = "HF_HOME";

/// Variables that name the cache of models itself; the first that is set counts.
pub(crate) const CACHES: [&str; 3] = ["LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"];

/// Where a user's caches are.
pub(crate) const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";

/// `dumb`: a terminal that cannot move its cursor, so nothing is drawn over.
pub(crate) const TERM: &str = "TERM";
