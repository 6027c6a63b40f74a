//! What `models pull` says when it cannot, word for word.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::hub_server::{Answer, COMMIT, Hub, oid, with_hub};
use crate::models::{REPO, cache, models};
use crate::program::ended;

/// The error of a pull of a repository with one file.
fn error(prepare: impl FnOnce(&Hub), args: &[&str]) -> String {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", b"content");
    hub.add(REPO, "m-Q4_0.gguf", b"contents");
    prepare(&hub);
    let args: Vec<&str> = ["pull"].iter().chain(args).copied().collect();
    let error = models(&hub, cache.path(), &args).failure();
    error.replace(&hub.url(), "HUB").replace(cache.path().to_str().unwrap(), "CACHE")
}

fn plain(args: &[&str]) -> String {
    error(|_| {}, args)
}

#[test]
fn names_that_are_none() {
    const FORM: &str = "models are named user/repo or user/repo:quant, such as someone/tiny-model-GGUF:Q4_K_M";
    assert_eq!(
        plain(&["tiny"]),
        format!("error: \"tiny\" is not the name of a model: it needs exactly one `/`; {FORM}\n")
    );
    assert_eq!(
        plain(&["some/../tiny"]),
        format!("error: \"some/../tiny\" is not the name of a model: it needs exactly one `/`; {FORM}\n")
    );
    assert_eq!(
        plain(&["some/tiny model"]),
        format!(
            "error: \"some/tiny model\" is not the name of a model: users and repositories have 1 to 96 letters, digits, \
             `-`, `_` and `.`; {FORM}\n"
        )
    );
    assert_eq!(plain(&["some/tiny:"]), format!("error: \"some/tiny:\" names no quant after the `:`; {FORM}\n"));
    assert_eq!(
        plain(&["https://hub/some/tiny"]),
        format!("error: \"https://hub/some/tiny\" is an address, not a name; {FORM}\n")
    );
}

#[test]
fn what_the_repository_does_not_have() {
    assert_eq!(plain(&[&format!("{REPO}:Q5_K_M")]), format!("error: {REPO} has no Q5_K_M; it has: Q4_0, Q8_0\n"));
    assert_eq!(
        plain(&[REPO, "--file", "other.gguf"]),
        format!("error: {REPO} has no file other.gguf; it has: m-Q4_0.gguf, m-Q8_0.gguf\n")
    );
    assert_eq!(plain(&[REPO, "--revision", "v9"]), format!("error: {REPO} has no revision v9; it has: main, v1\n"));
    let safetensors = |hub: &Hub| drop(hub.add("some/other", "model.safetensors", b"x"));
    assert_eq!(
        error(safetensors, &["some/other"]),
        "error: some/other has no GGUF file, so there is nothing here to run; look for a repository with GGUF in its name\n"
    );
    let half = |hub: &Hub| drop(hub.add("some/half", "m-00001-of-00002.gguf", b"x"));
    assert_eq!(
        error(half, &["some/half"]),
        "error: some/half lacks 1 of the 2 parts of m-00001-of-00002.gguf: m-00002-of-00002.gguf\n"
    );
}

#[test]
fn what_the_hub_refuses() {
    let status = |code, headers| {
        move |hub: &Hub| {
            hub.next("/refs", Answer::Status(code, headers));
        }
    };
    assert_eq!(
        error(status(401, "X-Error-Message: Invalid username or password.\r\n"), &[REPO]),
        format!(
            "error: {REPO}: the hub refuses it (401 Unauthorized: Invalid username or password.). Check the name. If the \
             model is private or gated, accept its conditions on its page and set HF_TOKEN to a token that may read it\n"
        )
    );
    assert_eq!(
        plain(&["some/missing"]),
        "error: some/missing: the hub does not have it (404 Not Found: Repository not found). Check the name and the \
         revision\n"
    );
    assert_eq!(
        error(status(429, "Retry-After: 300\r\n"), &[REPO]),
        format!(
            "error: {REPO}: the hub had too many requests (429 Too Many Requests). Try again in 300 s; with a token in \
             HF_TOKEN it allows more\n"
        )
    );
    let down = |hub: &Hub| {
        for _ in 0..3 {
            hub.next("/refs", Answer::Status(503, "Retry-After: 0\r\n"));
        }
    };
    assert_eq!(
        error(down, &[REPO]),
        format!("error: {REPO}: the hub has trouble of its own (503 Service Unavailable). Try again later\n")
    );
    let gated = |hub: &Hub| {
        hub.next("/resolve/", Answer::Status(403, ""));
    };
    assert_eq!(
        error(gated, &[REPO]),
        format!(
            "Downloading m-Q8_0.gguf (7 B)\nerror: cannot download m-Q8_0.gguf of {REPO}: the hub refuses it (403 \
             Forbidden). Check the name. If the model is private or gated, accept its conditions on its page and set \
             HF_TOKEN to a token that may read it\n"
        )
    );
}

#[test]
fn a_token_that_is_refused_is_told_and_never_shown() {
    let (hub, cache) = (Hub::start(), cache());
    hub.next("/refs", Answer::Status(401, ""));
    let mut command = with_hub(&hub, cache.path(), &["models", "pull", REPO]);
    let error = ended(command.env("HF_TOKEN", "hf_secret").output().unwrap()).failure();
    assert_eq!(
        error,
        format!(
            "error: {REPO}: the hub refuses it (401 Unauthorized), with the token from HF_TOKEN too. Check the name. If the \
             model is gated, accept its conditions on its page; if the token is old or may not read this, make another\n"
        )
    );
    assert_eq!(hub.seen()[0].token.as_deref(), Some("Bearer hf_secret"));
}

#[test]
fn answers_that_make_no_sense() {
    let text = |part, kind, text: String| {
        move |hub: &Hub| {
            hub.next(part, Answer::Text(kind, text));
        }
    };
    assert_eq!(
        error(text("/refs", "text/html", "<html>".to_owned()), &[REPO]),
        format!(
            "error: {REPO}: HUB answers with text/html where JSON should be. Is this address a hub, or does a proxy or a \
             login page answer?\n"
        )
    );
    assert_eq!(
        error(text("/resolve/", "text/html; charset=utf-8", "<html>".to_owned()), &[REPO]),
        format!(
            "Downloading m-Q8_0.gguf (7 B)\nerror: cannot download m-Q8_0.gguf of {REPO}: the hub answers with a page for \
             people (text/html) in place of the file. Does a proxy or a login page answer?\n"
        )
    );
    assert_eq!(
        error(text("/refs", "application/json", "{\"branches\": 1}".to_owned()), &[REPO]),
        format!(
            "error: {REPO}: the hub's answer is not the JSON that it should be: invalid type: integer `1`, expected a \
             sequence at line 1 column 14\n"
        )
    );
    assert_eq!(
        error(text("/tree/", "application/json", "[".repeat(17 << 20)), &[REPO]),
        format!("error: {REPO}: the hub's answer is longer than 16 MiB\n")
    );
    let round = |hub: &Hub| {
        for _ in 0..9 {
            hub.next("/refs", Answer::To(format!("/api/models/{REPO}/refs")));
        }
    };
    assert_eq!(error(round, &[REPO]), format!("error: {REPO}: 9 redirects in a row lead nowhere\n"));
}

#[test]
fn listings_that_would_write_elsewhere() {
    let listing = |path: &str, oid: &str| {
        let listing = serde_json::json!([{ "type": "file", "path": path, "size": 1, "oid": COMMIT,
            "lfs": { "oid": oid, "size": 1 } }]);
        let answer = Answer::Text("application/json", listing.to_string());
        error(
            |hub| {
                hub.next("/tree/", answer);
            },
            &[REPO],
        )
    };
    let good = oid(b"x");
    for path in ["../../evil.gguf", "/etc/evil.gguf", "a\\..\\evil.gguf"] {
        assert_eq!(
            listing(path, &good),
            format!(
                "error: {REPO} lists the file {path:?}, whose path is not safe to write to; nothing was downloaded\n"
            )
        );
    }
    for oid in ["../../../evil", "", &good.to_uppercase()] {
        assert_eq!(
            listing("m.gguf", oid),
            format!("error: {REPO}: the hub's listing has no valid checksum for m.gguf; nothing was downloaded\n")
        );
    }
}

#[test]
fn a_hub_that_is_not_there() {
    let (hub, cache) = (Hub::start(), cache());
    let pull = |endpoint: &str| {
        let mut command = with_hub(&hub, cache.path(), &["models", "pull", REPO]);
        ended(command.env("MODEL_ENDPOINT", endpoint).output().unwrap()).failure()
    };
    // A port that no test is given, and where nothing has listened for decades.
    let error = pull("http://127.0.0.1:1");
    assert!(error.starts_with(&format!("error: {REPO}: cannot talk to 127.0.0.1: ")), "{error}");
    let remedy = "Check the connection and the proxy; --offline uses what was downloaded before\n";
    assert!(error.ends_with(remedy), "{error}");
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        stream.read_exact(&mut [0; 64]).unwrap();
        stream.write_all(b"HTTP/1.1 400 this speaks no TLS\r\n\r\n").unwrap();
    });
    let error = pull(&format!("https://{address}"));
    thread.join().unwrap();
    assert!(error.contains("the connection to 127.0.0.1 is not safe: "), "{error}");
    assert!(error.contains("Check the clock and the certificates of this machine"), "{error}");
    assert_eq!(
        pull("hub.example.org"),
        "error: MODEL_ENDPOINT=\"hub.example.org\" is no address of a hub\n  caused by: give an address such as \
         https://hub.example.org\n"
    );
    assert!(hub.seen().is_empty(), "MODEL_ENDPOINT goes before HF_ENDPOINT");
}

#[test]
fn offline_says_what_there_is() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", b"content");
    let offline = |name: &str| {
        let error = models(&hub, cache.path(), &["pull", name, "--offline"]).failure();
        error.replace(cache.path().to_str().unwrap(), "CACHE")
    };
    assert_eq!(
        offline(REPO),
        format!("error: {REPO} is not in the cache in CACHE, which has: nothing; without --offline it is downloaded\n")
    );
    models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(
        offline("some/other:Q4_0"),
        format!(
            "error: some/other:Q4_0 is not in the cache in CACHE, which has: {REPO}:Q8_0; without --offline it is \
             downloaded\n"
        )
    );
    assert_eq!(
        offline(&format!("{REPO}:Q4_0")),
        format!("error: {REPO} has no Q4_0; it has: Q8_0 (offline: only the cache in CACHE counts)\n")
    );
}

#[test]
fn a_long_listing_comes_in_pages() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", b"content");
    // A mirror may leave its own name out, or name the hub that it mirrors: which is not told who we are.
    for host in [hub.url(), String::new(), hub.other_host()] {
        let next = format!("<{host}/api/models/{REPO}/tree/{COMMIT}?recursive=true&cursor=2>; rel=\"next\"");
        hub.next("/tree/", Answer::Page("[]".to_owned(), next));
        let mut command = with_hub(&hub, cache.path(), &["models", "pull", REPO]);
        let path = ended(command.env("HF_TOKEN", "hf_secret").output().unwrap()).success();
        assert!(path.ends_with("m-Q8_0.gguf\n"), "{path}");
    }
    let seen = hub.seen();
    let told: Vec<_> =
        seen.iter().filter(|seen| seen.path.contains("cursor=2")).map(|seen| seen.token.is_some()).collect();
    assert_eq!(told, [true, true, false]);
}

#[test]
fn a_listing_without_end_is_given_up() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", b"content");
    let next = format!("<{}/api/models/{REPO}/tree/{COMMIT}?recursive=true&cursor=2>; rel=\"next\"", hub.url());
    for _ in 0..100 {
        hub.next("/tree/", Answer::Page("[]".to_owned(), next.clone()));
    }
    assert_eq!(
        models(&hub, cache.path(), &["pull", REPO]).failure(),
        format!("error: {REPO}: the hub's listing has more than 100 pages, which no model has\n")
    );
    assert_eq!(hub.seen().len(), 101);
}

#[test]
fn a_proxy_is_asked_if_there_is_one() {
    let (proxy, cache) = (Hub::start(), cache());
    let mut command = with_hub(&proxy, cache.path(), &["models", "pull", REPO]);
    command.env("HF_ENDPOINT", "http://hub.invalid").env("HTTP_PROXY", proxy.url()).env_remove("NO_PROXY");
    let error = ended(command.output().unwrap()).failure();
    assert!(proxy.seen()[0].path.contains("hub.invalid"), "{:?}", proxy.seen());
    assert!(error.contains("the proxy does not take us to hub.invalid: "), "{error}");
    assert!(error.contains("Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"), "{error}");
}
