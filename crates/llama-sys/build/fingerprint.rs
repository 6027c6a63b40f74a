//! A short name for the inputs of the checked-in declarations, so that a plain `cargo test` notices stale
//! ones without libclang. Shared by the generator and the test; not a defence against tampering.

use std::path::{Path, PathBuf};

/// The headers, found in the first of `include_dirs` that has them, that the declarations are made from.
const HEADERS: &[&str] = &["llama.h", "ggml.h", "ggml-backend.h", "ggml-cpu.h", "shim.h", "chat.h"];

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over the headers and the generator's own text, as 16 hex digits.
pub(crate) fn of(include_dirs: &[PathBuf], generator: &str) -> String {
    let mut hash = fnv(START, generator.replace('\r', "").as_bytes());
    for name in HEADERS {
        let text = include_dirs.iter().find_map(|dir| read(&dir.join(name)));
        hash = fnv(hash, name.as_bytes());
        hash = fnv(hash, text.unwrap_or_default().as_bytes());
    }
    format!("{hash:016x}")
}

/// The same for any text.
pub(crate) fn of_text(text: &str) -> String {
    format!("{:016x}", fnv(START, text.as_bytes()))
}

/// Without carriage returns, so that a checkout with other line ends has the same name.
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.replace('\r', ""))
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
