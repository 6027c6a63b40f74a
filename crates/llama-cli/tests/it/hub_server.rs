//! A hub on the loopback: it speaks what `models pull` needs of the API, and fails on demand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::command;

/// The commit of every repository's main branch.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The commit of the tag `v1`, which has the same files.
pub(crate) const OLDER: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Header lines of one request; more is no request of ours.
const MAX_LINES: usize = 64;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) agent: String,
}

/// What to do with the next request for a path, in place of the right thing.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status with header lines.
    Status(u16, &'static str),
    /// This text of this type.
    Text(&'static str, String),
    /// This JSON, and a `Link` header.
    Page(String, String),
    /// A redirect.
    To(String),
    /// The right bytes, but only so many; then the connection ends.
    Cut(usize),
    /// The whole content, whatever the range.
    NoRange,
    /// The right bytes, but only so many of a range; the answer says so.
    Part(usize),
    /// Another range than the one that was asked for.
    Shifted,
    /// The right number of wrong bytes.
    Spoilt,
    /// So many bytes too many, and a length that says so.
    Longer(usize),
    /// The first so many bytes, and the others when [`Hub::release`] is called.
    Hold(usize),
}

#[derive(Debug, Default)]
struct State {
    /// By repository and path: the content, and whether it is in LFS.
    files: BTreeMap<(String, String), (Vec<u8>, bool)>,
    /// What to do with requests whose path contains this text; each once.
    script: Vec<(String, Answer)>,
    seen: Vec<Seen>,
    released: bool,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A running hub; it ends with this.
#[derive(Debug)]
pub(crate) struct Hub {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = std::thread::spawn(move || serve(&listener, &theirs));
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same hub under the name of another host.
    pub(crate) fn other_host(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Puts a file into a repository. Tells its name among the contents.
    pub(crate) fn add(&self, repo: &str, path: &str, content: &[u8]) -> String {
        self.shared.lock().files.insert((repo.to_owned(), path.to_owned()), (content.to_vec(), true));
        oid(content)
    }

    /// As [`Hub::add`], without a checksum that we can check.
    pub(crate) fn add_small(&self, repo: &str, path: &str, content: &[u8]) -> String {
        self.shared.lock().files.insert((repo.to_owned(), path.to_owned()), (content.to_vec(), false));
        git_oid(content)
    }

    /// The next request whose path contains `part` is answered so.
    pub(crate) fn next(&self, part: &str, answer: Answer) -> &Self {
        self.shared.lock().script.push((part.to_owned(), answer));
        self
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// The requests for contents so far, and forgets all.
    pub(crate) fn downloads(&self) -> Vec<Seen> {
        let mut seen = std::mem::take(&mut self.shared.lock().seen);
        seen.retain(|seen| seen.path.contains("/resolve/"));
        seen
    }

    /// Waits for a request whose path contains `part`.
    pub(crate) fn wait_for(&self, part: &str) {
        let asked = |state: &mut State| !state.seen.iter().any(|seen| seen.path.contains(part));
        drop(self.shared.changed.wait_while(self.shared.lock(), asked).unwrap());
    }

    /// Lets go on what [`Answer::Hold`] holds.
    pub(crate) fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.release();
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The name of a content in LFS.
pub(crate) fn oid(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn git_oid(content: &[u8]) -> String {
    oid(content)[..40].to_owned()
}

/// The program, with this hub and this cache.
pub(crate) fn with_hub(hub: &Hub, cache: &std::path::Path, args: &[&str]) -> Command {
    let mut command = command(args);
    on_loopback(hub, &mut command);
    command.env("LLAMA_CACHE", cache);
    command
}

/// Whatever it asks a hub for, it asks this one, and no proxy stands between them.
pub(crate) fn on_loopback(hub: &Hub, command: &mut Command) {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    command.env("HF_ENDPOINT", hub.url());
}

/// The same program, to be started on a terminal.
#[cfg(unix)]
pub(crate) fn on_terminal(mut command: Command) -> Command {
    use std::process::Stdio;
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).env("TERM", "xterm");
    command
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if shared.lock().stopping {
            break;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        // A client that goes away is part of the tests.
        threads.push(std::thread::spawn(move || drop(answer(&stream, &shared))));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn answer(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(seen) = read(stream)? else { return Ok(()) };
    let scripted = {
        let mut state = shared.lock();
        state.seen.push(seen.clone());
        let at = state.script.iter().position(|(part, _)| seen.path.contains(part.as_str()));
        at.map(|at| state.script.remove(at).1)
    };
    shared.changed.notify_all();
    let content = shared.lock().content(&seen.path);
    let mut stream = stream;
    match (scripted, content) {
        (Some(Answer::Status(code, headers)), _) => head(&mut stream, code, headers, 0),
        (Some(Answer::To(url)), _) => head(&mut stream, 302, &format!("Location: {url}\r\n"), 0),
        (Some(Answer::Text(kind, text)), _) => {
            head(&mut stream, 200, &format!("Content-Type: {kind}\r\n"), text.len())?;
            stream.write_all(text.as_bytes())
        }
        (Some(Answer::Page(text, link)), _) => {
            let headers = format!("Content-Type: application/json\r\nLink: {link}\r\n");
            head(&mut stream, 200, &headers, text.len())?;
            stream.write_all(text.as_bytes())
        }
        (Some(how), Some(content)) => badly(stream, shared, &seen, &how, &content),
        (None, Some(content)) => {
            let (status, from, headers) = part(&seen, &content);
            head(&mut stream, status, &headers, content.len() - from)?;
            stream.write_all(&content[from..])
        }
        (None, None) => match shared.lock().api(&seen.path) {
            Some(value) => {
                let text = value.to_string();
                head(&mut stream, 200, "Content-Type: application/json; charset=utf-8\r\n", text.len())?;
                stream.write_all(text.as_bytes())
            }
            None => head(&mut stream, 404, "X-Error-Message: Repository not found\r\n", 0),
        },
        (Some(how), None) => panic!("{how:?} is for a file, and {} is none", seen.path),
    }
}

/// A file, but not as it should be.
fn badly(mut stream: &TcpStream, shared: &Shared, seen: &Seen, how: &Answer, content: &[u8]) -> std::io::Result<()> {
    let (status, from, headers) = part(seen, content);
    let rest = &content[from..];
    match how {
        Answer::Cut(n) => {
            head(&mut stream, status, &headers, rest.len())?;
            stream.write_all(&rest[..(*n).min(rest.len())])
        }
        Answer::NoRange => {
            head(&mut stream, 200, "", content.len())?;
            stream.write_all(content)
        }
        Answer::Part(n) => {
            let (last, all) = (from + n - 1, content.len());
            head(&mut stream, 206, &format!("Content-Range: bytes {from}-{last}/{all}\r\n"), *n)?;
            stream.write_all(&rest[..*n])
        }
        Answer::Shifted => {
            let (last, all) = (content.len() - 1, content.len());
            head(&mut stream, 206, &format!("Content-Range: bytes 1-{last}/{all}\r\n"), last)?;
            stream.write_all(&content[1..])
        }
        Answer::Spoilt => {
            head(&mut stream, status, &headers, rest.len())?;
            stream.write_all(&vec![b'?'; rest.len()])
        }
        Answer::Longer(n) => {
            head(&mut stream, status, &headers, rest.len() + n)?;
            stream.write_all(rest)?;
            stream.write_all(&vec![b'?'; *n])
        }
        Answer::Hold(n) => {
            head(&mut stream, status, &headers, rest.len())?;
            stream.write_all(&rest[..*n])?;
            stream.flush()?;
            drop(shared.changed.wait_while(shared.lock(), |state| !state.released).unwrap());
            stream.write_all(&rest[*n..])
        }
        Answer::Status(..) | Answer::Text(..) | Answer::Page(..) | Answer::To(_) => Ok(()),
    }
}

/// The status, the first byte and the header lines for a range.
fn part(seen: &Seen, content: &[u8]) -> (u16, usize, String) {
    let from = seen.range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) if from < content.len() => {
            let (last, all) = (content.len() - 1, content.len());
            (206, from, format!("Content-Range: bytes {from}-{last}/{all}\r\n"))
        }
        _ => (200, 0, String::new()),
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Seen>> {
    let mut lines = BufReader::new(stream.take(1 << 16)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut seen = Seen { path, range: None, token: None, agent: String::new() };
    for line in lines.take(MAX_LINES) {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => seen.range = Some(value.to_owned()),
            "authorization" => seen.token = Some(value.to_owned()),
            "user-agent" => value.clone_into(&mut seen.agent),
            _ => {}
        }
    }
    Ok(Some(seen))
}

fn head(stream: &mut impl Write, status: u16, headers: &str, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n")
}

impl State {
    /// `/USER/REPO/resolve/COMMIT/PATH`, also where a redirect leads to: `/cdn/..?signature=1`.
    fn content(&self, path: &str) -> Option<Vec<u8>> {
        let path = path.split('?').next()?;
        let (repo, rest) = path.trim_start_matches("/cdn").trim_start_matches('/').split_once("/resolve/")?;
        let (_, path) = rest.split_once('/')?;
        let key = (repo.to_owned(), decoded(path));
        self.files.get(&key).map(|(content, _)| content.clone())
    }

    fn api(&self, path: &str) -> Option<Value> {
        let rest = path.strip_prefix("/api/models/")?;
        let mut parts = rest.splitn(3, '/');
        let repo = format!("{}/{}", parts.next()?, parts.next()?);
        let files: Vec<_> = self.files.iter().filter(|((owner, _), _)| *owner == repo).collect();
        if files.is_empty() {
            return None;
        }
        if parts.next()? == "refs" {
            return Some(json!({
                "branches": [{ "name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT }],
                "converts": [],
                "tags": [{ "name": "v1", "ref": "refs/tags/v1", "targetCommit": OLDER }],
            }));
        }
        let entries = files.into_iter().map(|((_, path), (content, lfs))| {
            let size = content.len();
            let mut entry = json!({ "type": "file", "path": path, "size": size, "oid": git_oid(content) });
            if *lfs {
                entry["lfs"] = json!({ "oid": oid(content), "size": size, "pointerSize": 130 });
            }
            entry
        });
        let folder = json!({ "type": "directory", "path": "folder", "size": 0, "oid": COMMIT });
        Some(Value::Array(entries.chain([folder]).collect()))
    }
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(value);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}
