//! `llama-cli models list`, `show` and `rm`.

use std::fs;
use std::path::Path;

#[cfg(unix)]
use expectrl::Expect;
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;
use serde_json::Value;

use crate::hub_server::{COMMIT, Hub, OLDER};
#[cfg(unix)]
use crate::hub_server::{on_terminal, with_hub};
use crate::models::{REPO, cache, content, models, repo_folder, tree};

fn json(hub: &Hub, cache: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&models(hub, cache, args).success()).unwrap()
}

#[test]
fn an_empty_cache_has_an_empty_list() {
    let (hub, cache) = (Hub::start(), cache());
    let ended = models(&hub, cache.path(), &["list"]);
    let root = cache.path().display();
    assert_eq!(ended.stderr, format!("No models in {root}. `llama-cli models pull user/repo` downloads one.\n"));
    assert_eq!(ended.success(), "");
    let list = json(&hub, &cache.path().join("missing"), &["list", "--json"]);
    assert_eq!(list, serde_json::json!({ "models": [], "unfinished": [] }));
}

#[test]
fn the_list_has_what_all_tools_downloaded() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q4_K_M.gguf", &content(1, 3000));
    hub.add(REPO, "m-Q8_0.gguf", &content(2, 2000));
    let first = models(&hub, cache.path(), &["pull", REPO]).success();
    models(&hub, cache.path(), &["pull", &format!("{REPO}:Q8_0")]).success();
    // As another tool leaves them: a split model without one of its parts, a download that broke off, other files.
    let other = cache.path().join("models--other--Big.v2-GGUF");
    let snapshot = other.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(other.join("blobs")).unwrap();
    fs::write(snapshot.join("big-Q6_K-00001-of-00002.gguf"), [0; 100]).unwrap();
    fs::write(snapshot.join("config.json"), "{}").unwrap();
    fs::write(other.join("blobs/abc.incomplete"), [0; 10]).unwrap();
    fs::create_dir_all(cache.path().join("datasets--a--b/snapshots")).unwrap();

    let text = models(&hub, cache.path(), &["list"]).success();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let starts: Vec<String> = lines.iter().map(|words| words[..3].join(" ")).collect();
    assert_eq!(
        starts,
        [
            "other/Big.v2-GGUF:Q6_K 100 B",
            "some/tiny-GGUF:Q4_K_M 2.9 KiB",
            "some/tiny-GGUF:Q8_0 2.0 KiB",
            "other/Big.v2-GGUF 10 B"
        ]
    );
    assert!(text.lines().next().unwrap().ends_with("(incomplete: 1 of 2 files are missing)"), "{text}");
    assert!(text.lines().nth(3).unwrap().ends_with("abc.incomplete  (incomplete: an unfinished download)"), "{text}");
    assert_eq!(*lines[1].last().unwrap(), first.trim_end());

    let list = json(&hub, cache.path(), &["list", "--json"]);
    assert_eq!(list["models"][0]["complete"], false);
    assert_eq!(list["models"][0]["missing"][0], "big-Q6_K-00002-of-00002.gguf");
    assert_eq!((&list["models"][1]["size"], &list["models"][1]["commit"]), (&3000.into(), &COMMIT.into()));
    assert_eq!(list["models"][1]["path"], first.trim_end());
    assert_eq!(list["unfinished"][0]["size"], 10);
}

#[test]
fn two_files_of_one_quant_have_two_names() {
    let (hub, cache) = (Hub::start(), cache());
    for (name, seed) in [("base-Q8_0.gguf", 1), ("chat-Q8_0.gguf", 2), ("plain.gguf", 3)] {
        hub.add(REPO, name, &content(seed, 100));
        models(&hub, cache.path(), &["pull", REPO, "--file", name]).success();
    }
    let list = json(&hub, cache.path(), &["list", "--json"]);
    let names: Vec<&str> = list["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["some/tiny-GGUF:base-Q8_0", "some/tiny-GGUF:chat-Q8_0", "some/tiny-GGUF:plain"]);
    // Each of them is understood where a model is named.
    for (name, file) in names.iter().zip(["base-Q8_0.gguf", "chat-Q8_0.gguf", "plain.gguf"]) {
        assert!(models(&hub, cache.path(), &["pull", name, "--offline"]).success().ends_with(&format!("/{file}\n")));
        let ended = models(&hub, cache.path(), &["rm", name, "--dry-run"]);
        assert_eq!(ended.stderr, format!("Would remove {name} and free 100 B.\n"));
    }
}

#[test]
fn a_model_is_shown_with_what_it_needs() {
    let (hub, cache) = (Hub::start(), cache());
    let file = fixtures::tiny_llama();
    hub.add(REPO, "m-F32.gguf", &fs::read(file).unwrap());
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    let by_name = json(&hub, cache.path(), &["show", REPO, "--json"]);
    assert_eq!(by_name["model"], "some/tiny-GGUF:F32");
    assert_eq!(by_name["path"], path.trim_end());
    let by_file = json(&hub, cache.path(), &["show", file.to_str().unwrap(), "--json", "-c", "512"]);
    for shown in [&by_name, &by_file] {
        assert_eq!((&shown["architecture"], &shown["context_length"]), (&"llama".into(), &256.into()));
        assert_eq!((&shown["chat_template"], &shown["files"]), (&false.into(), &1.into()));
        assert_eq!(shown["size"], fs::metadata(file).unwrap().len());
        assert_eq!(shown["memory"]["fits"], true);
    }
    let context = |shown: &Value| {
        let devices = shown["memory"]["devices"].as_array().unwrap();
        devices.iter().map(|device| device["context"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((&by_name["memory"]["n_ctx"], &by_file["memory"]["n_ctx"]), (&256.into(), &512.into()));
    assert_eq!(context(&by_file), 2 * context(&by_name));
    assert_eq!(
        (&by_name["memory"]["largest_fitting_ctx"], &by_file["memory"]["largest_fitting_ctx"]),
        (&256.into(), &512.into())
    );
    let short = json(&hub, cache.path(), &["show", REPO, "--json", "-c", "1"]);
    assert_eq!(short["memory"]["largest_fitting_ctx"], 256, "what it was trained with fits too");
    let small_steps = json(&hub, cache.path(), &["show", REPO, "--json", "-b", "32"]);
    let compute = |shown: &Value| shown["memory"]["devices"][0]["compute"].as_u64().unwrap();
    assert!(compute(&small_steps) < compute(&by_name), "the settings of an answer count");
    let trained = json(&hub, cache.path(), &["show", REPO, "--json", "-c", "0"]);
    assert_eq!(trained["memory"]["total"], by_name["memory"]["total"]);

    let text = models(&hub, cache.path(), &["show", REPO]).success();
    for line in
        ["  architecture    llama\n", "  chat template   no\n", "Memory with a context of 256 tokens\n", "yes\n"]
    {
        assert!(text.contains(line), "{text}");
    }
    let text = models(&hub, cache.path(), &["show", REPO, "-c", "2000000000"]).success();
    assert!(text.contains("  fits here       no, ") && text.contains("tokens fits (-c "), "{text}");
}

#[test]
fn without_a_name_the_demo_model_is_shown() {
    let (hub, cache) = (Hub::start(), cache());
    let shown = json(&hub, cache.path(), &["show", "--json"]);
    assert_eq!((&shown["model"], &shown["path"]), (&"the demo model".into(), &Value::Null));
    assert_eq!(shown["chat_template"], true);
}

#[test]
fn a_split_model_is_shown_as_one() {
    let (hub, cache) = (Hub::start(), cache());
    let folder = TempModels::new().unwrap();
    let paths = Llama::tiny().file().save_split(folder.path(), "m-F32", 3).unwrap();
    let whole = json(&hub, cache.path(), &["show", fixtures::tiny_llama().to_str().unwrap(), "--json"]);
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        hub.add(REPO, name, &fs::read(path).unwrap());
        let shown = json(&hub, cache.path(), &["show", path.to_str().unwrap(), "--json"]);
        assert_eq!((&shown["files"], &shown["parameters"]), (&3.into(), &whole["parameters"]));
    }
    models(&hub, cache.path(), &["pull", REPO]).success();
    let shown = json(&hub, cache.path(), &["show", "-m", paths[0].to_str().unwrap(), "--json"]);
    let pulled = json(&hub, cache.path(), &["show", REPO, "--json"]);
    assert_eq!(pulled["parameters"], shown["parameters"]);
    assert_eq!(pulled["size"], shown["size"]);
}

#[test]
fn what_cannot_be_shown_says_why() {
    let (hub, cache) = (Hub::start(), cache());
    let folder = TempModels::new().unwrap();
    let notes = folder.write_bytes("notes.gguf", b"these are notes").unwrap();
    let error = models(&hub, cache.path(), &["show", notes.to_str().unwrap()]).failure();
    assert!(error.starts_with("error: ") && error.contains("notes.gguf"), "{error}");
    assert_eq!(
        models(&hub, cache.path(), &["show", "missing.gguf"]).failure(),
        "error: there is no file missing.gguf; give a GGUF file, or a name from `llama-cli models list`\n"
    );
    let error = models(&hub, cache.path(), &["show", "some/other"]).failure();
    let root = cache.path().display();
    assert_eq!(
        error,
        format!(
            "error: some/other is not in the cache in {root}, which has: nothing; `llama-cli models pull some/other` \
             downloads it\n"
        )
    );
    let snapshot = repo_folder(cache.path()).join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("m-Q8_0-00001-of-00002.gguf"), b"x").unwrap();
    assert_eq!(
        models(&hub, cache.path(), &["show", &format!("{REPO}:Q8_0")]).failure(),
        format!(
            "error: {REPO}:Q8_0 is incomplete in the cache: m-Q8_0-00002-of-00002.gguf are missing; `llama-cli models pull \
             {REPO}:Q8_0` downloads them\n"
        )
    );
}

#[test]
fn removing_one_model_leaves_the_others() {
    let (hub, cache) = (Hub::start(), cache());
    let kept = hub.add(REPO, "m-Q8_0.gguf", &content(1, 2000));
    hub.add(REPO, "sub/m-Q4_K_M.gguf", &content(2, 3000));
    models(&hub, cache.path(), &["pull", REPO]).success();
    models(&hub, cache.path(), &["pull", &format!("{REPO}:Q8_0")]).success();
    // The same content under another name at another revision.
    models(&hub, cache.path(), &["pull", &format!("{REPO}:Q8_0"), "--revision", "v1"]).success();
    let name = format!("{REPO}:q4_k_m");
    assert_eq!(
        models(&hub, cache.path(), &["rm", &name]).failure(),
        format!("error: would remove {REPO}:Q4_K_M and free 2.9 KiB; --yes says so where nobody can be asked\n")
    );
    let before = tree(cache.path());
    let ended = models(&hub, cache.path(), &["rm", &name, "--dry-run"]);
    assert_eq!(ended.stderr, format!("Would remove {REPO}:Q4_K_M and free 2.9 KiB.\n"));
    assert_eq!(tree(cache.path()), before);
    let ended = models(&hub, cache.path(), &["rm", &name, "--yes"]);
    assert_eq!(ended.stderr, format!("Removed {REPO}:Q4_K_M; 2.9 KiB are free again.\n"));
    let mut left = tree(&repo_folder(cache.path()));
    left.sort();
    assert_eq!(
        left,
        [
            format!("blobs/{kept}"),
            "refs/main".to_owned(),
            "refs/v1".to_owned(),
            format!("snapshots/{COMMIT}/m-Q8_0.gguf"),
            format!("snapshots/{OLDER}/m-Q8_0.gguf"),
        ]
    );
    assert!(!repo_folder(cache.path()).join("snapshots").join(COMMIT).join("sub").exists());
    let ended = models(&hub, cache.path(), &["rm", REPO, "--yes"]);
    assert_eq!(ended.stderr, format!("Removed {REPO}:Q8_0; 2.0 KiB are free again.\n"));
    assert_eq!(tree(cache.path()), Vec::<String>::new());
    assert!(!repo_folder(cache.path()).exists());
}

#[test]
#[cfg(unix)]
fn contents_that_something_else_uses_stay() {
    let (hub, cache) = (Hub::start(), cache());
    let shared = hub.add(REPO, "m-Q8_0.gguf", &content(1, 2000));
    hub.add(REPO, "same-content-Q4_0.gguf", &content(1, 2000));
    hub.add_small(REPO, "README.md", b"# Hello");
    for quant in ["Q8_0", "Q4_0"] {
        models(&hub, cache.path(), &["pull", &format!("{REPO}:{quant}")]).success();
    }
    assert_eq!(hub.downloads().len(), 1, "one content is downloaded once");
    let ended = models(&hub, cache.path(), &["rm", &format!("{REPO}:Q4_0"), "--yes"]);
    assert_eq!(ended.stderr, format!("Removed {REPO}:Q4_0; 0 B are free again.\n"));
    let blob = repo_folder(cache.path()).join("blobs").join(&shared);
    assert!(blob.exists());
    // A file that is no model, and a link that leads out of the repository.
    let snapshot = repo_folder(cache.path()).join("snapshots").join(COMMIT);
    fs::write(snapshot.join("README.md"), "# Hello").unwrap();
    let outside = cache.path().join("precious.gguf");
    fs::write(&outside, "precious").unwrap();
    std::os::unix::fs::symlink(&outside, snapshot.join("outside.gguf")).unwrap();
    models(&hub, cache.path(), &["rm", REPO, "--yes"]).success();
    assert!(!blob.exists() && outside.exists());
    assert_eq!(tree(&repo_folder(cache.path())), ["refs/main".to_owned(), format!("snapshots/{COMMIT}/README.md")]);
}

#[test]
#[cfg(unix)]
fn a_person_is_asked_before_something_is_removed() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", &content(1, 2000));
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    for (answer, said, is_there) in
        [("\n", "error: nothing was removed", true), ("y\n", "2.0 KiB are free again.", false)]
    {
        let command = with_hub(&hub, cache.path(), &["models", "rm", REPO]);
        let mut terminal = expectrl::Session::spawn(on_terminal(command)).unwrap();
        terminal.expect("Remove some/tiny-GGUF:Q8_0 and free 2.0 KiB? [y/N] ").unwrap();
        terminal.send(answer).unwrap();
        terminal.expect(said).unwrap();
        terminal.expect(expectrl::Eof).unwrap();
        assert_eq!(Path::new(path.trim_end()).exists(), is_there);
    }
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let (hub, cache) = (Hub::start(), cache());
    let error = models(&hub, cache.path(), &["rm", REPO, "--yes"]).failure();
    assert!(error.starts_with(&format!("error: {REPO} is not in the cache in ")), "{error}");
    let error = models(&hub, cache.path(), &["rm", "../..", "--yes"]).failure();
    assert!(error.contains("is not the name of a model"), "{error}");
    // What a broken download left has no name of its own.
    let blobs = repo_folder(cache.path()).join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join("abc.incomplete"), [0; 10]).unwrap();
    let ended = models(&hub, cache.path(), &["rm", REPO, "--yes"]);
    assert_eq!(ended.stderr, format!("Removed the unfinished download of {REPO}; 10 B are free again.\n"));
    assert!(!repo_folder(cache.path()).exists());
}
