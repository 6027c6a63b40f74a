//! Downloads that do not go smoothly.

use std::fs;
use std::io::{BufRead, BufReader, Read};

#[cfg(unix)]
use expectrl::Expect;

#[cfg(unix)]
use crate::hub_server::on_terminal;
use crate::hub_server::{Answer, COMMIT, Hub, oid, with_hub};
use crate::models::{REPO, cache, content, models, repo_folder, tree};
use crate::program::{ended, start};

/// Too many requests, but at once is fine again.
const NOW: &str = "Retry-After: 0\r\n";

fn ranges(hub: &Hub) -> Vec<Option<String>> {
    hub.downloads().into_iter().map(|seen| seen.range).collect()
}

#[test]
fn a_hub_may_send_a_part_of_a_range_at_a_time() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 700_000);
    hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Cut(100_000)).next("/resolve/", Answer::Part(250_000));
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    let expected = [None, Some("bytes=100000-".to_owned()), Some("bytes=350000-".to_owned())];
    assert_eq!(ranges(&hub), expected);
}

#[test]
fn a_cut_connection_goes_on_where_it_broke() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 700_000);
    hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Cut(300_000)).next("/resolve/", Answer::Cut(100_000));
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    let expected = [None, Some("bytes=300000-".to_owned()), Some("bytes=400000-".to_owned())];
    assert_eq!(ranges(&hub), expected);
}

#[test]
fn the_next_call_goes_on_where_the_last_one_gave_up() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 10_000);
    let oid = hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Cut(4000)).next("/resolve/", Answer::Status(403, ""));
    let error = models(&hub, cache.path(), &["pull", REPO]).failure();
    assert!(error.contains("(3.9 KiB are kept; the next call goes on from there)"), "{error}");
    let partial = repo_folder(cache.path()).join(format!("blobs/{oid}.incomplete"));
    assert_eq!(fs::read(&partial).unwrap(), model[..4000]);
    assert!(!repo_folder(cache.path()).join("refs").exists(), "there is no snapshot yet");
    ranges(&hub);
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(ranges(&hub), [Some("bytes=4000-".to_owned())]);
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    assert!(!partial.exists());
}

#[test]
fn a_hub_without_ranges_starts_over() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 10_000);
    hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Cut(4000)).next("/resolve/", Answer::NoRange);
    let ended = models(&hub, cache.path(), &["pull", REPO]);
    assert!(ended.stderr.contains("cannot go on where the download broke off; starting over"), "{}", ended.stderr);
    assert_eq!(fs::read(ended.success().trim_end()).unwrap(), model);
}

#[test]
fn what_another_tool_left_is_used_if_it_fits() {
    let model = content(1, 10_000);
    let name = format!("blobs/{}.incomplete", oid(&model));
    // The beginning; all of it; too much.
    for (left, expected) in [(&model[..2500], vec![Some("bytes=2500-".to_owned())]), (&model[..], vec![])] {
        let (hub, cache) = (Hub::start(), cache());
        hub.add(REPO, "m.gguf", &model);
        let partial = repo_folder(cache.path()).join(&name);
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(&partial, left).unwrap();
        let path = models(&hub, cache.path(), &["pull", REPO]).success();
        assert_eq!(fs::read(path.trim_end()).unwrap(), model);
        assert_eq!(ranges(&hub), expected);
    }
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m.gguf", &model);
    let partial = repo_folder(cache.path()).join(&name);
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, content(2, 20_000)).unwrap();
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    assert_eq!(ranges(&hub), [None]);
}

#[test]
fn a_wrong_checksum_removes_what_came() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 5000);
    let oid = hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Spoilt);
    let error = models(&hub, cache.path(), &["pull", REPO]).failure();
    let found = crate::hub_server::oid(&[b'?'; 5000]);
    assert_eq!(
        error,
        format!(
            "Downloading m.gguf (4.9 KiB)\nerror: m.gguf of {REPO} came with the wrong checksum (SHA-256 {found}, but should \
             be {oid}); it was removed. Try again; if it happens again, the hub or something on the way spoils it\n"
        )
    );
    assert_eq!(tree(cache.path()), [format!(".locks/models--some--tiny-GGUF/{oid}.lock")]);
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
}

#[test]
fn a_spoilt_part_is_downloaded_again() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 5000);
    let oid = hub.add(REPO, "m.gguf", &model);
    let partial = repo_folder(cache.path()).join(format!("blobs/{oid}.incomplete"));
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, [0; 1000]).unwrap();
    let ended = models(&hub, cache.path(), &["pull", REPO]);
    assert_eq!(
        ended.stderr,
        "Downloading m.gguf (4.9 KiB, 1000 B of it are here)\n\
         What was here of m.gguf is spoilt; downloading it from the beginning.\n\
         Downloading m.gguf (4.9 KiB)\n"
    );
    assert_eq!(fs::read(ended.success().trim_end()).unwrap(), model);
    assert_eq!(ranges(&hub), [Some("bytes=1000-".to_owned()), None]);
}

#[test]
fn a_hub_that_answers_with_another_range_is_not_believed() {
    for odd in [Answer::Status(416, ""), Answer::Shifted] {
        let (hub, cache) = (Hub::start(), cache());
        let model = content(1, 5000);
        hub.add(REPO, "m.gguf", &model);
        hub.next("/resolve/", Answer::Cut(2000)).next("/resolve/", odd);
        let path = models(&hub, cache.path(), &["pull", REPO]).success();
        assert_eq!(fs::read(path.trim_end()).unwrap(), model);
        assert_eq!(ranges(&hub), [None, Some("bytes=2000-".to_owned()), None]);
    }
}

#[test]
fn a_wrong_length_is_told_before_anything_comes() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m.gguf", &content(1, 5000));
    hub.next("/resolve/", Answer::Longer(5));
    let error = models(&hub, cache.path(), &["pull", REPO]).failure();
    assert_eq!(
        error,
        format!(
            "Downloading m.gguf (4.9 KiB)\nerror: cannot download m.gguf of {REPO}: the hub sends 5005 bytes where its own \
             listing says 5000\n"
        )
    );
}

#[test]
fn passing_trouble_passes() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m.gguf", b"content");
    hub.next("/refs", Answer::Status(429, NOW)).next("/refs", Answer::Status(500, NOW));
    hub.next("/tree/", Answer::Status(503, NOW)).next("/tree/", Answer::Status(502, NOW));
    hub.next("/resolve/", Answer::Status(500, NOW)).next("/resolve/", Answer::Status(429, NOW));
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), b"content");
    assert_eq!(hub.seen().len(), 9);
}

#[test]
fn a_damaged_entry_is_repaired() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 5000);
    let oid = hub.add(REPO, "m.gguf", &model);
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    let blob = repo_folder(cache.path()).join(format!("blobs/{oid}"));
    fs::write(&blob, b"cut").unwrap();
    let ended = models(&hub, cache.path(), &["pull", REPO]);
    assert!(ended.stderr.contains("m.gguf is damaged in the cache (3 B, but should be 4.9 KiB)"), "{}", ended.stderr);
    assert_eq!(ended.success(), path);
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    // A link to nothing.
    fs::remove_file(&blob).unwrap();
    assert_eq!(models(&hub, cache.path(), &["pull", REPO]).success(), path);
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
    // A content without a link.
    fs::remove_file(path.trim_end()).unwrap();
    hub.downloads();
    assert_eq!(models(&hub, cache.path(), &["pull", REPO]).success(), path);
    assert_eq!(hub.downloads().len(), 0);
}

#[test]
fn files_without_a_sha_256_are_checked_by_their_length() {
    let (hub, cache) = (Hub::start(), cache());
    let oid = hub.add_small(REPO, "m.gguf", b"small");
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), b"small");
    assert!(repo_folder(cache.path()).join("blobs").join(oid).exists());
}

#[test]
fn two_pulls_at_once_download_once() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 50_000);
    hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Hold(20_000));
    let first = start(&mut with_hub(&hub, cache.path(), &["models", "pull", REPO]));
    hub.wait_for("/resolve/");
    let mut second = start(&mut with_hub(&hub, cache.path(), &["models", "pull", REPO]));
    let mut note = String::new();
    BufReader::new(second.stderr.take().unwrap()).read_line(&mut note).unwrap();
    assert_eq!(note, "Another process downloads m.gguf; waiting for it (Ctrl+C ends the wait).\n");
    // It would be removed under the feet of the other.
    let error = models(&hub, cache.path(), &["rm", REPO, "--yes"]).failure();
    assert_eq!(
        error,
        format!("error: another process downloads a file of {REPO}; wait for it or stop it, and try again\n")
    );
    hub.release();
    let paths = [first, second].map(|child| {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(paths[0], paths[1]);
    assert_eq!(fs::read(paths[0].trim_end()).unwrap(), model);
    assert_eq!(hub.downloads().len(), 1);
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_what_came() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 600_000);
    let oid = hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Hold(300_000));
    let mut child = start(&mut with_hub(&hub, cache.path(), &["models", "pull", REPO]));
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "Downloading m.gguf (585.9 KiB)\n");
    hub.wait_for("/resolve/");
    let pressed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(pressed.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rest, "Stopped. What came of m.gguf is kept, and the next call goes on from there.\n");
    let partial = repo_folder(cache.path()).join(format!("blobs/{oid}.incomplete"));
    let kept = fs::metadata(&partial).unwrap().len();
    hub.release();
    ranges(&hub);
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(ranges(&hub), [(kept > 0).then(|| format!("bytes={kept}-"))]);
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_download_goes_on_and_its_lock_is_free() {
    let (hub, cache) = (Hub::start(), cache());
    let model = content(1, 600_000);
    hub.add(REPO, "m.gguf", &model);
    hub.next("/resolve/", Answer::Hold(300_000));
    let mut child = start(&mut with_hub(&hub, cache.path(), &["models", "pull", REPO]));
    hub.wait_for("/resolve/");
    child.kill().unwrap();
    child.wait().unwrap();
    hub.release();
    let path = models(&hub, cache.path(), &["pull", REPO]).success();
    assert_eq!(fs::read(path.trim_end()).unwrap(), model);
}

#[test]
#[cfg(target_os = "linux")]
fn a_cache_that_cannot_be_written_is_an_error_with_a_remedy() {
    let hub = Hub::start();
    hub.add(REPO, "m.gguf", b"content");
    let error = ended(with_hub(&hub, "/proc/none".as_ref(), &["models", "pull", REPO]).output().unwrap()).failure();
    assert!(error.contains("cannot write /proc/none/.locks"), "{error}");
    assert!(error.contains("set LLAMA_CACHE to a folder that may be written to"), "{error}");
    assert!(!error.contains(COMMIT), "{error}");
}

#[test]
#[cfg(unix)]
fn what_has_no_room_is_not_begun() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m.gguf", b"content");
    let listing = serde_json::json!([{ "type": "file", "path": "m.gguf", "size": 130, "oid": COMMIT,
        "lfs": { "oid": oid(b"content"), "size": 1_u64 << 60 } }]);
    hub.next("/tree/", Answer::Text("application/json", listing.to_string()));
    let error = models(&hub, cache.path(), &["pull", REPO]).failure();
    assert!(error.starts_with("error: no room for m.gguf: it needs 1048576.0 TiB more, and "), "{error}");
    assert!(error.ends_with("makes room, and LLAMA_CACHE names another folder\n"), "{error}");
    assert_eq!(hub.downloads(), []);
}

#[test]
#[cfg(unix)]
fn a_terminal_sees_a_bar_that_goes_away() {
    let (hub, cache) = (Hub::start(), cache());
    hub.add(REPO, "m-Q8_0.gguf", &content(1, 600_000));
    hub.next("/resolve/", Answer::Hold(300_000));
    let command = with_hub(&hub, cache.path(), &["models", "pull", REPO]);
    let mut terminal = expectrl::Session::spawn(on_terminal(command)).unwrap();
    terminal.expect("585.9 KiB").unwrap();
    hub.release();
    let rest = terminal.expect(expectrl::Eof).unwrap();
    let rest = String::from_utf8_lossy(rest.as_bytes()).into_owned();
    let last = rest.trim_end().rsplit('\n').next().unwrap_or_default();
    assert!(last.contains("\u{1b}[2K") && last.ends_with("/m-Q8_0.gguf"), "{last:?}");
    assert!(!rest.contains("Downloading"), "{rest:?}");
}
