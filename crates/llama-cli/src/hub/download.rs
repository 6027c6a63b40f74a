//! One file from the hub into the cache: resumed where it broke off, and checked before it counts.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::{Response, StatusCode, header};

use super::cache::{Repo, make_parent};
use super::http::{Client, plain};
use super::progress::{Progress, bytes};
use super::remote::{self, RemoteFile};
use super::trouble::{Patience, Trouble};
use crate::ui;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Reading this much takes long enough to say so.
const LONG_CHECK: u64 = 1 << 30;

/// Makes sure that a file of a commit is in the cache.
///
/// # Errors
///
/// What went wrong; what came so far is kept unless its checksum is wrong.
pub(crate) fn fetch(client: &Client, repo: &Repo, commit: &str, file: &RemoteFile) -> anyhow::Result<()> {
    if is_there(repo, commit, file) {
        return Ok(());
    }
    let _lock = repo.lock(&file.oid, &file.path)?;
    // Another process may have done it meanwhile.
    if is_there(repo, commit, file) {
        return Ok(());
    }
    let blob = repo.blob(&file.oid);
    match fs::metadata(&blob) {
        Ok(meta) if meta.len() == file.size => {}
        Ok(meta) => {
            let (is, wants) = (bytes(meta.len()), bytes(file.size));
            ui::note(&format!(
                "{} is damaged in the cache ({is}, but should be {wants}); downloading it again.",
                file.path
            ));
            fs::remove_file(&blob).with_context(|| format!("cannot remove {}", blob.display()))?;
            transfer(client, repo, commit, file)?;
        }
        Err(_) => transfer(client, repo, commit, file)?,
    }
    repo.link(commit, &file.path, &file.oid)
}

/// Whether the snapshot has the file with its whole content.
fn is_there(repo: &Repo, commit: &str, file: &RemoteFile) -> bool {
    fs::metadata(repo.file(commit, &file.path)).is_ok_and(|meta| meta.is_file() && meta.len() == file.size)
}

fn transfer(client: &Client, repo: &Repo, commit: &str, file: &RemoteFile) -> anyhow::Result<()> {
    let url = remote::file_url(client, &repo.name, commit, &file.path);
    let partial = repo.partial(&file.oid);
    let mut download = Download::open(&partial, file).map_err(|error| on_disk(&error, &partial, file))?;
    has_room(&repo.blobs(), file, file.size - download.received)?;
    let resumed = download.received > 0;
    download.complete(client, &url, repo)?;
    if resumed && !download.is_right() {
        ui::note(&format!("What was here of {} is spoilt; downloading it from the beginning.", file.path));
        download.start_over().map_err(|error| on_disk(&error, &partial, file))?;
        download.complete(client, &url, repo)?;
    }
    download.finish(&partial, &repo.blob(&file.oid), repo)
}

/// What ends an attempt.
enum Failure {
    Hub(Trouble),
    Disk(io::Error),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Hub(trouble)
    }
}

/// A file that is on its way.
struct Download<'f> {
    file: &'f RemoteFile,
    out: File,
    /// Bytes in `out`, all of them hashed.
    received: u64,
    hash: Sha256,
}

impl<'f> Download<'f> {
    /// Goes on with what an earlier call left.
    fn open(partial: &Path, file: &'f RemoteFile) -> io::Result<Self> {
        make_parent(partial)?;
        let out = File::options().create(true).truncate(false).read(true).write(true).open(partial)?;
        let mut download = Self { file, out, received: 0, hash: Sha256::new() };
        let there = download.out.metadata()?.len();
        if there > file.size {
            download.start_over()?;
        } else if there >= LONG_CHECK {
            ui::note(&format!("Checking the {} of {} that are here.", bytes(there), file.path));
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = download.out.read(&mut chunk)?;
            if n == 0 {
                return Ok(download);
            }
            download.hash.update(&chunk[..n]);
            download.received += n as u64;
        }
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.out.set_len(0)?;
        self.out.seek(SeekFrom::Start(0))?;
        self.received = 0;
        self.hash = Sha256::new();
        Ok(())
    }

    /// Asks for what is missing until all of it is here, or no attempt is left.
    fn complete(&mut self, client: &Client, url: &str, repo: &Repo) -> anyhow::Result<()> {
        let mut patience = Patience::default();
        let progress = Progress::start(&self.file.path, self.file.size, self.received);
        while self.received < self.file.size {
            let before = self.received;
            let trouble = match self.attempt(client, url, &progress) {
                Ok(()) => continue,
                Err(Failure::Disk(error)) => return Err(on_disk(&error, &repo.partial(&self.file.oid), self.file)),
                Err(Failure::Hub(trouble)) => trouble,
            };
            if self.received > before {
                patience.progress(self.received - before);
            }
            patience.wait(trouble).map_err(|trouble| {
                let kept = match self.received {
                    0 => String::new(),
                    n => format!(" ({} are kept; the next call goes on from there)", bytes(n)),
                };
                anyhow!("cannot download {} of {}: {trouble}{kept}", self.file.path, repo.name)
            })?;
        }
        Ok(())
    }

    /// Asks for what is missing, once, and takes what comes.
    fn attempt(&mut self, client: &Client, url: &str, progress: &Progress) -> Result<(), Failure> {
        let response = client.get(url, self.received)?;
        match response.status().as_u16() {
            206 if self.goes_on(&response) => {}
            // The hub knows no ranges, or another one than we asked for: from the beginning.
            200 if self.received == 0 => {}
            status => {
                self.start_over().map_err(Failure::Disk)?;
                progress.jump(0);
                if status != 200 {
                    return Err(Trouble::passing("the hub does not go on where the download broke off").into());
                }
                progress.note("The hub cannot go on where the download broke off; starting over.");
            }
        }
        self.check(&response)?;
        self.take(response, progress)
    }

    /// Whether a partial answer begins where we are.
    fn goes_on(&self, response: &Response<Body>) -> bool {
        let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let Some((range, total)) = range.and_then(|text| text.strip_prefix("bytes ")?.split_once('/')) else {
            return false;
        };
        let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
        start == Some(self.received) && (total == "*" || total.parse() == Ok(self.file.size))
    }

    /// Finds out early that the answer is something else.
    fn check(&self, response: &Response<Body>) -> Result<(), Trouble> {
        let body = response.body();
        if let Some(kind @ ("text/html" | "application/xhtml+xml")) = body.mime_type() {
            return Err(Trouble::lasting(format!(
                "the hub answers with a page for people ({}) in place of the file. Does a proxy or a login page answer?",
                plain(kind)
            )));
        }
        let missing = self.file.size - self.received;
        // A hub may send a part of a range at a time.
        let is_part = |length: u64| response.status() == StatusCode::PARTIAL_CONTENT && 0 < length && length < missing;
        match body.content_length() {
            Some(length) if length != missing && !is_part(length) => {
                Err(Trouble::lasting(format!("the hub sends {length} bytes where its own listing says {missing}")))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, response: Response<Body>, progress: &Progress) -> Result<(), Failure> {
        let mut body = response.into_body().into_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = body.read(&mut chunk).map_err(|error| Trouble::broken(&error))?;
            let missing = self.file.size - self.received;
            if n == 0 && missing > 0 {
                return Err(Trouble::passing(format!("the connection ended {missing} bytes too early")).into());
            }
            if n == 0 {
                return Ok(());
            }
            if n as u64 > missing {
                return Err(Trouble::lasting("the hub sends more than its own listing says").into());
            }
            self.out.write_all(&chunk[..n]).map_err(Failure::Disk)?;
            self.hash.update(&chunk[..n]);
            self.received += n as u64;
            progress.advance(n as u64);
        }
    }

    /// Whether it is what the hub's listing promised, as far as that can be told.
    fn is_right(&self) -> bool {
        !self.file.sha256 || self.checksum() == self.file.oid
    }

    fn checksum(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Checks what came, and gives it its name.
    fn finish(self, partial: &Path, blob: &Path, repo: &Repo) -> anyhow::Result<()> {
        if !self.is_right() {
            let found = self.checksum();
            drop(self.out);
            fs::remove_file(partial).with_context(|| format!("cannot remove {}", partial.display()))?;
            bail!(
                "{} of {} came with the wrong checksum (SHA-256 {found}, but should be {}); it was removed. Try again; if \
                 it happens again, the hub or something on the way spoils it",
                self.file.path,
                repo.name,
                self.file.oid
            );
        }
        let kept = self.out.sync_all().and_then(|()| {
            // Windows renames no open file.
            drop(self.out);
            fs::rename(partial, blob)
        });
        kept.map_err(|error| on_disk(&error, partial, self.file))
    }
}

/// Finds out before hours of downloading that they would be in vain.
fn has_room(folder: &Path, file: &RemoteFile, missing: u64) -> anyhow::Result<()> {
    match room(folder) {
        Some(free) if free < missing => bail!(
            "no room for {}: it needs {} more, and {} are free in {}; `llama-cli models rm` makes room, and LLAMA_CACHE \
             names another folder",
            file.path,
            bytes(missing),
            bytes(free),
            folder.display()
        ),
        _ => Ok(()),
    }
}

/// Bytes that may still be written to a folder, if its file system tells.
#[cfg(unix)]
fn room(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok().filter(|found| found.f_blocks > 0)?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn room(_folder: &Path) -> Option<u64> {
    None
}

/// What the disk says, and what to do.
fn on_disk(error: &io::Error, partial: &Path, file: &RemoteFile) -> anyhow::Error {
    let path = partial.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            let there = fs::metadata(partial).map_or(0, |meta| meta.len());
            let missing = bytes(file.size.saturating_sub(there));
            anyhow!(
                "no room for {}: {missing} more are needed ({error}). What came is kept in {path}, and the next call goes \
                 on from there; `llama-cli models rm` makes room, and LLAMA_CACHE names another folder",
                file.path
            )
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            anyhow!("cannot write {path}: {error}. Set LLAMA_CACHE to a folder that may be written to")
        }
        _ => anyhow!("cannot write {path}: {error}"),
    }
}
