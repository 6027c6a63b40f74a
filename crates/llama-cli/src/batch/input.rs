//! The files of a job, and how each is read: [`Input`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::lines::{Line, Lines};

/// Bytes that are looked at to tell text from JSON lines.
const LOOK: u64 = 64 << 10;

/// No other format has it.
const OPENAI: &[u8] = b"\"custom_id\"";

/// One `--prompt-file`.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// From 1.
    pub(super) number: u32,
    /// As it was typed; `-` is stdin.
    path: PathBuf,
    /// `--lines`.
    split: bool,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One prompt.
    Whole,
    /// A prompt on every line.
    Lines,
    /// A JSON object on every line.
    Json {
        /// The file begins with lines of OpenAI's batches, so one that cannot be read is one of them too.
        openai: bool,
    },
}

/// An input being read.
pub(super) struct Reading {
    pub(super) format: Format,
    lines: Lines<Box<dyn BufRead + Send>>,
}

impl Input {
    /// All of a job.
    ///
    /// # Errors
    ///
    /// One that cannot be an input, by name.
    pub(super) fn all(paths: &[PathBuf], split: bool) -> anyhow::Result<Vec<Self>> {
        if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            bail!("--prompt-file - is given twice, and there is only one stdin; give it once");
        }
        let number = |i: usize| u32::try_from(i + 1).context("too many files; put them together");
        let inputs = paths.iter().enumerate();
        let inputs: Vec<Self> = inputs
            .map(|(i, path)| Ok(Self { number: number(i)?, path: path.clone(), split }))
            .collect::<anyhow::Result<_>>()?;
        // What cannot be read is told before a model is loaded.
        for input in inputs.iter().filter(|input| !input.is_stdin()) {
            let kind = std::fs::metadata(&input.path).with_context(|| format!("cannot read {}", input.name()))?;
            if kind.is_dir() {
                bail!("{} is a folder; give the files in it, each with --prompt-file", input.name());
            }
            if kind.is_file() {
                input.open()?;
            }
        }
        Ok(inputs)
    }

    /// For messages and records.
    pub(super) fn name(&self) -> String {
        if self.is_stdin() { "stdin".to_owned() } else { self.path.display().to_string() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// Whether it can be read twice.
    pub(super) fn is_file(&self) -> bool {
        !self.is_stdin() && self.path.is_file()
    }

    /// Starts to read it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is text in an encoding that is not ours.
    pub(super) fn open(&self) -> anyhow::Result<Reading> {
        let cannot = || format!("cannot read {}", self.name());
        let mut input: Box<dyn BufRead + Send> = if self.is_stdin() {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(&self.path).with_context(cannot)?))
        };
        let start = beginning(&mut input).with_context(cannot)?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            bail!("{} is UTF-16; convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8", self.name());
        }
        let format = self.format(&start);
        Ok(Reading { format, lines: Lines::new(Box::new(Cursor::new(start).chain(input))) })
    }

    /// By its name, and by how it begins where the name does not say.
    fn format(&self, start: &[u8]) -> Format {
        let extension = self.path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let first = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start().first();
        let json = Format::Json { openai: start.windows(OPENAI.len()).any(|window| window == OPENAI) };
        match extension.as_str() {
            "jsonl" | "ndjson" => json,
            "txt" | "text" | "md" if self.split => Format::Lines,
            "txt" | "text" | "md" => Format::Whole,
            _ if first == Some(&b'{') => json,
            _ if self.split => Format::Lines,
            _ => Format::Whole,
        }
    }
}

/// The first bytes, up to one that is not blank: a pipe gives what is there, and need not be waited for any longer.
fn beginning(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut bounded = input.take(LOOK);
    loop {
        let chunk = match bounded.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        start.extend_from_slice(chunk);
        let (read, told) = (chunk.len(), !chunk.trim_ascii().is_empty() && start.len() > 3);
        bounded.consume(read);
        if read == 0 || told {
            return Ok(start);
        }
    }
}

impl Reading {
    /// The next prompt, as it stands in the file.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        match self.format {
            Format::Whole => self.lines.whole(),
            Format::Lines | Format::Json { .. } => self.lines.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(path: &str, split: bool, start: &[u8]) -> Format {
        Input { number: 1, path: path.into(), split }.format(start)
    }

    #[test]
    fn the_name_tells_the_format_and_the_beginning_where_it_does_not() {
        let [json, openai] = [false, true].map(|openai| Format::Json { openai });
        assert_eq!(format("a.jsonl", true, b"no json"), json);
        assert_eq!(format("a.NDJSON", false, b""), json);
        assert_eq!(format("a.jsonl", true, b"no json\n{\"custom_id\": 1}"), openai);
        assert_eq!(format("a.txt", false, b"{"), Format::Whole);
        assert_eq!(format("a.txt", true, b"{"), Format::Lines);
        for path in ["-", "requests", "a.json"] {
            assert_eq!(format(path, true, b"\xef\xbb\xbf\n {\"id\": 1}"), json, "{path}");
            assert_eq!(format(path, false, b"Once {"), Format::Whole, "{path}");
            assert_eq!(format(path, true, b"Once {"), Format::Lines, "{path}");
        }
    }

    #[test]
    fn looking_at_the_beginning_takes_nothing_away() {
        let text = [b"\n".repeat(10), b"{\"a\": 1}\nb".to_vec()].concat();
        let mut input = BufReader::with_capacity(4, &text[..]);
        let start = beginning(&mut input).unwrap();
        assert_eq!(start.trim_ascii_start().first(), Some(&b'{'));
        let mut lines = Lines::new(Cursor::new(start).chain(input));
        assert_eq!(lines.next().unwrap().unwrap().number, 11);
        assert_eq!(lines.next().unwrap().unwrap().text.unwrap(), "b");
        assert_eq!(beginning(&mut &b"\n\n"[..]).unwrap(), b"\n\n");
    }
}
