//! Applies a unified diff to a folder. Exact: every context line must be where the hunk says, so a patch that
//! fits only roughly stops the build instead of landing somewhere else.

use std::fs;
use std::path::Path;

/// Changes, creates and deletes the files that `patch` names, relative to `root` and without the first path
/// component, as `git diff` writes them. The error is one sentence.
pub(crate) fn apply(patch: &str, root: &Path) -> Result<(), String> {
    let mut lines = patch.lines().peekable();
    let mut files = 0;
    while let Some(line) = lines.next() {
        let Some(old) = line.strip_prefix("--- ") else { continue };
        let Some(new) = lines.peek().and_then(|line| line.strip_prefix("+++ ")) else { continue };
        let (old, new) = (path_of(old)?, path_of(new)?);
        lines.next();
        let Some(target) = new.or(old) else { return Err("a hunk names no file".to_owned()) };
        let path = root.join(target);
        let mut before = Vec::new();
        if old.is_some() {
            let text = fs::read_to_string(&path).map_err(|error| format!("{target}: {error}"))?;
            before = text.split_inclusive('\n').map(str::to_owned).collect();
        }
        let mut after = Vec::new();
        let mut at = 0;
        while let Some(header) = lines.next_if(|line| line.starts_with("@@ ")) {
            let mut hunk = Hunk::parse(header).ok_or_else(|| format!("{target}: no hunk header: {header}"))?;
            let start = hunk.start.saturating_sub(usize::from(hunk.old > 0));
            let between = before.get(at..start).ok_or_else(|| format!("{target}: {header} is out of order"))?;
            after.extend_from_slice(between);
            at = start;
            while hunk.old > 0 || hunk.new > 0 {
                let line = lines.next().ok_or_else(|| format!("{target}: the last hunk is cut off"))?;
                let (kind, text) = line.split_at_checked(1).unwrap_or((" ", ""));
                if matches!(kind, " " | "-") {
                    let found = before.get(at).map(|line| line.trim_end_matches(['\n', '\r']));
                    if found != Some(text.trim_end_matches('\r')) {
                        return Err(format!("{target}, line {}: expected `{text}`", at + 1));
                    }
                }
                match kind {
                    " " => after.push(before[at].clone()),
                    "+" => after.push(format!("{text}\n")),
                    "-" => {}
                    _ => return Err(format!("{target}: a hunk holds `{line}`")),
                }
                at += usize::from(kind != "+");
                hunk.take(kind).ok_or_else(|| format!("{target}: {header} counts other lines than it has"))?;
            }
            lines.next_if(|line| line.starts_with('\\'));
        }
        after.extend_from_slice(before.get(at..).unwrap_or_default());
        write(&path, new.is_some().then(|| after.concat())).map_err(|error| format!("{target}: {error}"))?;
        files += 1;
    }
    if files == 0 { Err("it changes no file".to_owned()) } else { Ok(()) }
}

/// `a/src/x.c` as `src/x.c`; `None` for `/dev/null`.
fn path_of(name: &str) -> Result<Option<&str>, String> {
    let name = name.split('\t').next().unwrap_or(name).trim_end();
    if name == "/dev/null" {
        return Ok(None);
    }
    let path = name.split_once('/').map(|(_, path)| path).unwrap_or(name);
    match Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        true => Ok(Some(path)),
        false => Err(format!("{name} is outside of the tree")),
    }
}

fn write(path: &Path, text: Option<String>) -> std::io::Result<()> {
    let Some(text) = text else { return fs::remove_file(path) };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

/// Where a hunk starts, and how many old and new lines it still has.
struct Hunk {
    start: usize,
    old: usize,
    new: usize,
}

impl Hunk {
    /// `@@ -12,3 +12,4 @@ anything`
    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(' ').skip(1);
        let (start, old) = range(parts.next()?.strip_prefix('-')?)?;
        let (_, new) = range(parts.next()?.strip_prefix('+')?)?;
        Some(Self { start, old, new })
    }

    fn take(&mut self, kind: &str) -> Option<()> {
        self.old = self.old.checked_sub(usize::from(kind != "+"))?;
        self.new = self.new.checked_sub(usize::from(kind != "-"))?;
        Some(())
    }
}

fn range(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}
