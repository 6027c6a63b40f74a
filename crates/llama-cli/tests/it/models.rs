//! `llama-cli models pull`: what lands where, and what is chosen.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::hub_server::{Answer, COMMIT, Hub, OLDER, with_hub};
use crate::program::{Ended, ended};

pub(crate) const REPO: &str = "some/tiny-GGUF";

/// A content that is unlike others.
pub(crate) fn content(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i * 31 + i / 251 + seed * 7) % 256).unwrap()).collect()
}

pub(crate) fn cache() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// `models ARGS..` with this hub and this cache.
pub(crate) fn models(hub: &Hub, cache: &Path, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["models"].iter().chain(args).copied().collect();
    ended(with_hub(hub, cache, &args).output().unwrap())
}

pub(crate) fn repo_folder(cache: &Path) -> PathBuf {
    cache.join("models--some--tiny-GGUF")
}

/// All files, links and folders without anything in them, by path.
pub(crate) fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_model_lands_where_other_tools_look_for_it() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 300_000);
    let oid = hub.add(REPO, "sub/m-Q4_K_M.gguf", &model);
    hub.add(REPO, "m-Q8_0.gguf", b"another");
    hub.add_small(REPO, "README.md", b"# Hello");
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    let file = repo_folder(cache.path()).join("snapshots").join(COMMIT).join("sub/m-Q4_K_M.gguf");
    assert_eq!(path, format!("{}\n", file.display()));
    assert_eq!(fs::read(&file).unwrap(), model);
    assert_eq!(
        tree(cache.path()),
        [
            format!(".locks/models--some--tiny-GGUF/{oid}.lock"),
            format!("models--some--tiny-GGUF/blobs/{oid}"),
            "models--some--tiny-GGUF/refs/main".to_owned(),
            format!("models--some--tiny-GGUF/snapshots/{COMMIT}/sub/m-Q4_K_M.gguf"),
        ]
    );
    assert_eq!(fs::read_to_string(repo_folder(cache.path()).join("refs/main")).unwrap(), COMMIT);
    #[cfg(unix)]
    assert_eq!(fs::read_link(&file).unwrap().to_str().unwrap(), format!("../../../blobs/{oid}"));
    let seen = hub.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            format!("/api/models/{REPO}/refs"),
            format!("/api/models/{REPO}/tree/{COMMIT}?recursive=true"),
            format!("/{REPO}/resolve/{COMMIT}/sub/m-Q4_K_M.gguf"),
        ]
    );
    assert!(seen.iter().all(|seen| seen.agent.starts_with("llama-rs/") && seen.token.is_none()), "{seen:?}");
}

#[test]
fn a_second_pull_downloads_nothing() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", &content(1, 5000));
    let first = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(hub.downloads().len(), 1);
    let second = models(&hub, cache.path(), &["pull", REPO]);
    assert_eq!(second.stderr, "");
    assert_eq!(second.success(), first);
    assert_eq!(hub.downloads().len(), 0);
    // The same content at another revision is linked only.
    let older = models(&hub, cache.path(), &["pull", REPO, "--revision", "v1"]).success();
    assert!(older.contains(OLDER), "{older}");
    assert_eq!(hub.downloads().len(), 0);
    let refs = repo_folder(cache.path()).join("refs");
    assert_eq!(fs::read_to_string(refs.join("v1")).unwrap(), OLDER);
    let by_commit = models(&hub, cache.path(), &["pull", REPO, "--revision", OLDER]).success();
    assert_eq!(by_commit, older);
}

#[test]
fn the_quant_and_the_file_choose() {
    let (hub, cache) = (Hub::start(), cache());
    for quant in ["Q4_K_M", "Q8_0", "F16", "BF16"] {
        hub.add(REPO, &format!("m-{quant}.gguf"), quant.as_bytes());
    }
    hub.add(REPO, "mmproj-m-F16.gguf", b"projector");
    for (model, file, expected) in [
        (REPO.to_owned(), None, "m-Q4_K_M.gguf"),
        (format!("{REPO}:q8_0"), None, "m-Q8_0.gguf"),
        (format!("{REPO}:F16"), None, "m-F16.gguf"),
        (REPO.to_owned(), Some("mmproj-m-F16.gguf"), "mmproj-m-F16.gguf"),
    ] {
        let mut args = vec!["pull", model.as_str()];
        args.extend(file.iter().flat_map(|file| ["--file", file]));
        let path = models(&hub, cache.path(), &args).success();
        assert!(path.ends_with(&format!("/{expected}\n")), "{model}: {path}");
    }
}

#[test]
fn a_split_model_is_all_its_files() {
    let (hub, cache) = (Hub::start(), cache());
    for n in 1..=3 {
        hub.add(REPO, &format!("Q4_K_M/m-Q4_K_M-0000{n}-of-00003.gguf"), &content(n, 1000 * n));
    }
    let paths = models(&hub, cache.path(), &["pull", REPO]).success();
    let paths: Vec<&str> = paths.lines().collect();
    assert_eq!(paths.len(), 3);
    for (path, n) in paths.iter().zip(1..) {
        assert!(path.ends_with(&format!("-0000{n}-of-00003.gguf")));
        assert_eq!(fs::read(path).unwrap(), content(n, 1000 * n));
    }
}

#[test]
fn what_nobody_asks_for_may_have_any_name() {
    let (hub, cache) = (Hub::start(), cache());
    let model = hub.add(REPO, "m-Q8_0.gguf", b"content");
    let listing = serde_json::json!([
        { "type": "file", "path": "which one?: a \"test\".png", "size": 3, "oid": COMMIT },
        { "type": "file", "path": "nothing-is-known-of-it.txt" },
        { "type": "file", "path": "m-Q8_0.gguf", "size": 7, "oid": COMMIT, "lfs": { "oid": model, "size": 7 } },
    ]);
    hub.next("/tree/", Answer::Text("application/json", listing.to_string()));
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert!(path.ends_with("m-Q8_0.gguf\n"), "{path}");
}

#[test]
fn odd_names_are_no_trouble() {
    let (hub, cache) = (Hub::start(), cache());
    let path = "größe 1/モデル #1%20?-Q8_0.gguf";
    // Windows has no `?` in names, so it is refused everywhere.
    let error = {
        hub.add("some/odd", path, b"x");
        models(&hub, cache.path(), &["pull", "some/odd"]).failure()
    };
    assert!(error.contains("is not safe to write to"), "{error}");
    let path = "größe 1/モデル #1%20-Q8_0.gguf";
    hub.add(REPO, path, b"content");
    let printed = models(&hub, cache.path(), &["pull", REPO]).success();
    assert!(printed.trim_end().ends_with(path), "{printed}");
    assert_eq!(fs::read(printed.trim_end()).unwrap(), b"content");
}

#[test]
fn offline_uses_the_cache_and_no_network() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", b"content");
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    let requests = hub.seen().len();
    assert_eq!(models(&hub, cache.path(), &["pull", REPO, "--offline"]).success(), path);
    let args = ["models", "pull", &format!("{REPO}:Q8_0")];
    let by_variable = with_hub(&hub, cache.path(), &args).env("LLAMA_ARG_OFFLINE", "1").output().unwrap();
    assert_eq!(ended(by_variable).success(), path);
    assert_eq!(hub.seen().len(), requests, "nothing was asked");
}

#[test]
fn the_folder_of_the_cache_is_the_first_that_is_named() {
    let (hub, root) = (Hub::start(), cache());
    hub.add(REPO, "m.gguf", b"content");
    let folder = |name: &str| root.path().join(name);
    let variables = [
        ("LLAMA_CACHE", folder("1")),
        ("HF_HUB_CACHE", folder("2")),
        ("HUGGINGFACE_HUB_CACHE", folder("3")),
        ("HF_HOME", folder("4")),
        ("XDG_CACHE_HOME", folder("5")),
        ("HOME", folder("6")),
    ];
    let expected = ["1", "2", "3", "4/hub", "5/huggingface/hub", "6/.cache/huggingface/hub"];
    for (first, expected) in expected.iter().enumerate() {
        let mut command = with_hub(&hub, root.path(), &["models", "pull", REPO]);
        command.env_remove("LLAMA_CACHE").envs(variables[first..].iter().cloned());
        let path = ended(command.output().unwrap()).success();
        assert!(Path::new(path.trim_end()).starts_with(root.path().join(expected)), "{path}");
    }
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 2000);
    hub.add(REPO, "m.gguf", &model);
    let elsewhere = format!("{}/cdn/{REPO}/resolve/{COMMIT}/m.gguf?signature=1", hub.other_host());
    hub.next("/resolve/", Answer::To(elsewhere));
    let mut command = with_hub(&hub, cache.path(), &["models", "pull", REPO]);
    let home = cache.path().join("home");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("token"), "hf_from_file\n").unwrap();
    let result = ended(command.env("HF_HOME", &home).output().unwrap());
    assert!(!result.stderr.contains("hf_from_file"), "{}", result.stderr);
    assert_eq!(fs::read(result.success().trim_end()).unwrap(), model);
    let tokens: Vec<(String, bool)> =
        hub.seen().into_iter().map(|seen| (seen.path, seen.token == Some("Bearer hf_from_file".to_owned()))).collect();
    let (last, others) = tokens.split_last().unwrap();
    assert!(last.0.starts_with("/cdn/") && !last.1, "{tokens:?}");
    assert!(others.len() == 3 && others.iter().all(|(_, sent)| *sent), "{tokens:?}");
}
