//! `run --hf`: a model by its name, downloaded when it is missing.

use llama_testkit::golden;

use crate::hub_server::{Answer, Hub, with_hub};
use crate::models::{REPO, cache};
use crate::program::{Ended, ended};

const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

/// A hub with the demo model.
fn hub() -> Hub {
    let hub = Hub::start();
    let model = std::fs::read(golden::demo_model_path()).unwrap();
    hub.add(REPO, "demo-Q8_0.gguf", &model);
    hub.add(REPO, "sub/demo-F16.gguf", &model);
    hub
}

fn run(hub: &Hub, cache: &std::path::Path, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["run", "--temp", "0", "-p", QUESTION].iter().chain(args).copied().collect();
    ended(with_hub(hub, cache, &args).output().unwrap())
}

#[test]
fn a_model_is_downloaded_once_and_answers() {
    let (hub, cache) = (hub(), cache());
    for flag in ["--hf", "-hf", "--hf-repo"] {
        assert_eq!(run(&hub, cache.path(), &[flag, REPO]).success(), ANSWER, "{flag}");
    }
    assert_eq!(hub.downloads().len(), 1);
    assert_eq!(run(&hub, cache.path(), &["--hf", &format!("{REPO}:Q8_0"), "--offline"]).success(), ANSWER);
    assert_eq!(hub.seen().len(), 0, "nothing was asked");
    assert_eq!(run(&hub, cache.path(), &["--hf", REPO, "--hf-file", "sub/demo-F16.gguf"]).success(), ANSWER);
    assert_eq!(hub.downloads().len(), 0, "the content is there under another name");
}

#[test]
fn a_hub_that_cannot_be_asked_is_no_end() {
    let (hub, cache) = (hub(), cache());
    run(&hub, cache.path(), &["--hf", REPO]).success();
    hub.next("/refs", Answer::Status(403, ""));
    let answered = run(&hub, cache.path(), &["--hf", REPO]);
    let warning = format!("warning: {REPO}: the hub refuses it (403 Forbidden). ");
    assert!(answered.stderr.starts_with(&warning), "{}", answered.stderr);
    assert!(answered.stderr.ends_with("; using what was downloaded before.\n"), "{}", answered.stderr);
    assert_eq!(answered.success(), ANSWER);
    hub.next("/refs", Answer::Status(403, ""));
    let error = run(&hub, cache.path(), &["--hf", "some/other"]).failure();
    assert!(error.starts_with("error: some/other: the hub refuses it"), "{error}");
}

#[test]
fn offline_wants_it_in_the_cache() {
    let (hub, cache) = (hub(), cache());
    let error = run(&hub, cache.path(), &["--hf", REPO, "--offline"]).failure();
    assert!(error.contains(&format!("{REPO} is not in the cache in ")), "{error}");
    assert!(error.contains("without --offline it is downloaded"), "{error}");
    assert_eq!(hub.seen().len(), 0);
}
