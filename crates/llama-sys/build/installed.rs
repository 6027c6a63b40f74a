//! Which files of an installed libllama (or of a build folder of llama.cpp) are to be linked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cmake::cmake_path;
use crate::env::Installed;

/// How far below a folder libraries are looked for: as deep as llama.cpp's own build folder has them.
const DEPTH: usize = 4;

/// What to link, users before what they use: paths, then bare names. The error is one sentence.
pub(crate) fn libraries(installed: &Installed) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for dir in &installed.lib_dirs {
        collect(dir, 0, &mut files);
    }
    files.sort();
    let find = |stem: &str, archive| files.iter().find(|(name, path)| name == stem && is_archive(path) == archive);
    let archive = find("llama", false).is_none();
    if find("llama", archive).is_none() {
        return Err(format!("LLAMA_LIB_DIR is {:?}, where there is no libllama", installed.lib_dirs));
    }
    let mut wanted = vec!["llama", "ggml"];
    if archive {
        // A shared libggml names its backends itself.
        wanted.extend(files.iter().map(|(stem, _)| stem.as_str()).filter(|stem| stem.starts_with("ggml-")));
        wanted.retain(|stem| *stem != "ggml-base");
        wanted.dedup();
    }
    wanted.push("ggml-base");
    let paths: Vec<&PathBuf> = wanted.iter().filter_map(|stem| find(stem, archive)).map(|(_, path)| path).collect();
    let mut libraries: Vec<String> = paths.iter().map(|path| cmake_path(path)).collect();
    if archive && paths.iter().any(|path| mentions(path, b"GOMP_parallel")) {
        libraries.push("gomp".to_owned());
    }
    libraries.extend(installed.more_libs.iter().cloned());
    Ok(libraries)
}

/// Every `llama` and `ggml*` library below `dir` as its bare name and its path.
fn collect(dir: &Path, depth: usize, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth < DEPTH && !path.ends_with("CMakeFiles") {
            collect(&path, depth + 1, files);
        } else if let Some(stem) = stem(&path).filter(|stem| *stem == "llama" || stem.starts_with("ggml")) {
            files.push((stem.to_owned(), path));
        }
    }
}

/// `ggml-base` for `libggml-base.so`. An import library of Windows counts as the library.
fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let known = matches!(extension, "a" | "so" | "dylib" | "lib");
    known.then(|| stem.strip_prefix("lib").unwrap_or(stem))
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "a")
}

fn mentions(path: &Path, symbol: &[u8]) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.windows(symbol.len()).any(|part| part == symbol))
}
