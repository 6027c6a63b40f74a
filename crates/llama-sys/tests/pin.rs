//! The build program's own parts, without building anything: the pin and its copies, the age of the
//! declarations, patches, ABI checks, and the reading of CMake's answer.
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../build/abi.rs"]
mod abi;
#[path = "../build/file_api.rs"]
mod file_api;
#[path = "../build/fingerprint.rs"]
#[allow(dead_code, reason = "the build program uses the rest")]
mod fingerprint;
#[path = "../build/patch.rs"]
mod patch;
#[path = "../build/patched.rs"]
mod patched;
#[path = "../build/pin.rs"]
#[allow(dead_code, reason = "the build program uses the rest")]
mod pin;

use file_api::{Link, Reply};

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn copies_of_the_pin_equal_the_original() {
    let vendor = crate_dir().join("../../vendor");
    if !vendor.is_dir() {
        return; // A crate from a registry has the copies only.
    }
    let read = |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|_| panic!("cannot read {}", path.display()));
    for (original, copy) in [("llama.cpp/Cargo.toml", "manifest.toml"), ("llama.cpp/Cargo.lock", "lock.toml")] {
        let (original, copy) = (vendor.join(original), crate_dir().join("pin").join(copy));
        assert!(read(original.clone()) == read(copy.clone()), "copy {} to {}", original.display(), copy.display());
    }
    let patches = |dir: PathBuf| {
        let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let patches = files.filter(|path| path.extension() == Some(OsStr::new("patch")));
        let mut patches: Vec<_> = patches.map(|path| (path.file_name().unwrap().to_owned(), read(path))).collect();
        patches.sort();
        patches
    };
    assert!(
        patches(vendor.join("patches")) == patches(crate_dir().join("pin/patches")),
        "copy vendor/patches/*.patch to crates/llama-sys/pin/patches/"
    );
}

#[test]
fn the_pin_names_its_version() {
    let pin = pin::Pin::read(crate_dir()).unwrap();
    assert!(pin.lock.contains(&format!("name = \"llama-cpp-sys-2\"\nversion = \"{}\"", pin.version())));
    assert!(pin.read_from.is_dir());
}

#[test]
fn an_unreachable_pin_is_one_sentence_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let pin = pin::Pin::read(crate_dir()).unwrap();
    let error = pin::find(&pin, dir.path(), OsStr::new("no-such-cargo")).unwrap_err();
    assert!(error.contains("LLAMA_CPP_DIR") && error.contains("no-such-cargo") && !error.contains('\n'), "{error}");
}

#[test]
fn declarations_are_made_from_the_pinned_headers() {
    let (Some(headers), "pinned") = (option_env!("LLAMA_SYS_HEADERS"), env!("LLAMA_SYS_SOURCE")) else { return };
    let headers: Vec<_> = env::split_paths(headers).collect();
    let generator = fs::read_to_string(crate_dir().join("build/bindings.rs")).unwrap();
    let declarations = fs::read_to_string(crate_dir().join("src/bindings.rs")).unwrap();
    let now = format!("// inputs: {}\n", fingerprint::of(&headers, &generator));
    assert!(declarations.contains(&now), "src/bindings.rs is stale: run `cargo xtask bindgen`");
}

#[test]
fn declarations_carry_no_comments_and_no_deprecated_function() {
    let declarations = fs::read_to_string(crate_dir().join("src/bindings.rs")).unwrap();
    let comments = declarations.lines().filter(|line| line.trim_start().starts_with("//") || line.contains("#[doc"));
    assert_eq!(comments.count(), 2, "only the two header lines");
    assert!(!declarations.contains("fn llama_load_model_from_file") && !declarations.contains("fn llama_n_vocab"));
}

#[test]
fn abi_checks_cover_sizes_offsets_and_constants() {
    let declarations = "pub const LLAMA_ROPE_TYPE_NEOX: llama_rope_type = 2;\n\
        pub const LLAMA_FTYPE_COUNT: llama_ftype = 40;\n\
        const _: () = { [\"Size of llama_batch\"][\n ::core::mem::size_of::<llama_batch>() - 56usize];\n\
        [\"Offset of field: x\"][::core::mem::offset_of!(llama_batch, type_) - 8usize]; };\n";
    let checks = abi::checks(declarations);
    assert!(checks.contains("sizeof(llama_batch) == 56"), "{checks}");
    assert!(checks.contains("offsetof(llama_batch, type) == 8"), "{checks}");
    assert!(checks.contains("static_cast<long long>(LLAMA_ROPE_TYPE_NEOX) == 2"), "{checks}");
    assert!(!checks.contains("_COUNT"), "a newer header may have more of a kind");
}

#[test]
fn abi_checks_of_the_real_declarations_cover_every_structure_passed_by_value() {
    let checks = abi::checks(&fs::read_to_string(crate_dir().join("src/bindings.rs")).unwrap());
    for name in ["llama_model_params", "llama_context_params", "llama_batch", "llama_sampler_chain_params"] {
        assert!(checks.contains(&format!("sizeof({name})")), "{name}");
    }
    assert!(checks.contains("offsetof(llama_context_params, n_ubatch)"));
}

const CHANGE: &str = "diff --git a/src/a.c b/src/a.c\n--- a/src/a.c\n+++ b/src/a.c\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n@@ -5,2 +5,3 @@ int f()\n five\n+five and a half\n six\n--- /dev/null\n+++ b/new/b.c\n@@ -0,0 +1,2 @@\n+x\n+y\n--- a/old.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";

fn patchable() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("src/a.c"), "one\ntwo\nthree\nfour\nfive\nsix\nseven\n").unwrap();
    fs::write(dir.path().join("old.c"), "gone\n").unwrap();
    dir
}

#[test]
fn a_patch_changes_creates_and_deletes() {
    let dir = patchable();
    patch::apply(CHANGE, dir.path()).unwrap();
    let text = fs::read_to_string(dir.path().join("src/a.c")).unwrap();
    assert_eq!(text, "one\n2\nthree\nfour\nfive\nfive and a half\nsix\nseven\n");
    assert_eq!(fs::read_to_string(dir.path().join("new/b.c")).unwrap(), "x\ny\n");
    assert!(!dir.path().join("old.c").exists());
}

#[test]
fn a_patch_that_does_not_fit_says_where() {
    let dir = patchable();
    fs::write(dir.path().join("src/a.c"), "one\nzwei\nthree\n").unwrap();
    let error = patch::apply(CHANGE, dir.path()).unwrap_err();
    assert!(error.contains("src/a.c, line 2") && error.contains("two"), "{error}");
}

#[test]
fn a_patch_never_leaves_the_tree() {
    let dir = patchable();
    for name in ["b/../x.c", "b//etc/x.c"] {
        let error = patch::apply(&format!("--- /dev/null\n+++ {name}\n@@ -0,0 +1 @@\n+x\n"), dir.path()).unwrap_err();
        assert!(error.contains("outside"), "{error}");
    }
    assert!(patch::apply("no patch at all", dir.path()).is_err());
    assert!(patch::apply("--- a/src/a.c\n+++ b/src/a.c\n@@ -1,3 +1,3 @@\n one\n", dir.path()).is_err());
}

#[test]
fn a_patched_tree_is_a_whole_copy_made_once() {
    let (dir, work_dir) = (patchable(), tempfile::tempdir().unwrap());
    for part in patched::NEEDED {
        let folder = dir.path().join(part);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), part).unwrap();
    }
    let pin = pin::Pin {
        manifest: String::new(),
        lock: String::new(),
        patches: vec![("0001-change.patch".to_owned(), CHANGE.replace("a/old.c", "a/src/old.c"))],
        read_from: PathBuf::new(),
    };
    fs::write(dir.path().join("src/old.c"), "gone\n").unwrap();
    let copy = patched::tree(dir.path().to_owned(), &pin, work_dir.path()).unwrap();
    assert!(patched::NEEDED.iter().all(|part| copy.join(part).join("file").is_file()));
    assert!(copy.join("new/b.c").is_file() && !copy.join("src/old.c").exists());
    assert!(!dir.path().join("new/b.c").exists(), "the shared one stays as it is");
    fs::remove_file(dir.path().join("src/a.c")).unwrap();
    assert_eq!(patched::tree(dir.path().to_owned(), &pin, work_dir.path()), Ok(copy), "not made again");
    let plain = pin::Pin { patches: Vec::new(), ..pin };
    assert_eq!(patched::tree(dir.path().to_owned(), &plain, work_dir.path()), Ok(dir.path().to_owned()));
}

#[test]
fn a_link_line_is_read_word_by_word() {
    let dir = tempfile::tempdir().unwrap();
    let reply = dir.path().join(".cmake/api/v1/reply");
    fs::create_dir_all(&reply).unwrap();
    let write = |name: &str, text: &str| fs::write(reply.join(name), text).unwrap();
    write("index-2026-01-01.json", "not read: older");
    write(
        "index-2026-01-02.json",
        r#"{"objects":[{"kind":"codemodel","jsonFile":"m.json"},{"kind":"toolchains","jsonFile":"t.json"}]}"#,
    );
    write("m.json", r#"{"configurations":[{"targets":[{"name":"llama_sys_probe","jsonFile":"p.json"}]}]}"#);
    write(
        "p.json",
        r#"{"link":{"commandFragments":[{"role":"flags","fragment":"-O3"},{"role":"libraries","fragment":"src/libllama.a -ldl"},
            {"role":"libraries","fragment":"-framework Metal \"/opt/my libs/libcuda.so.1\" -Wl,-rpath,/x"}]}}"#,
    );
    write(
        "t.json",
        r#"{"toolchains":[{"language":"CXX","compiler":{"implicit":{"linkLibraries":["stdc++","m","gcc_s"]}}}]}"#,
    );
    let reply = Reply::read(dir.path()).unwrap();
    let items = reply.libraries();
    let expected = ["src/libllama.a", "-ldl", "-framework Metal", "/opt/my libs/libcuda.so.1", "-Wl,-rpath,/x"];
    assert_eq!(items, expected);
    assert_eq!(reply.cxx_runtime(), ["stdc++"]);
    let kinds: Vec<_> = items.iter().map(|item| Link::parse(item, Path::new("/b"))).collect();
    let file = |dir: &str, name: &str, shared| Link::File { dir: dir.into(), name: name.to_owned(), shared };
    assert_eq!(kinds[0], file("/b/src", "llama", false));
    assert_eq!(kinds[1], Link::Name("dl".to_owned()));
    assert_eq!(kinds[2], Link::Framework("Metal".to_owned()));
    assert_eq!(kinds[3], file("/opt/my libs", "cuda", true));
    assert_eq!(kinds[4], Link::Setting);
}

#[test]
fn a_missing_answer_of_cmake_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Reply::read(dir.path()).is_err());
}
