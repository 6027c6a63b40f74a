//! One input of a job: [`Entry`], made of a line by [`Parser`], and how it ended: [`Outcome`].

use llama_runtime::{EmbedRequest, Finished, Request, Timings, Usage};
use serde_json::Value;

use super::fields::{self, Fields};
use super::input::{Format, Input};
use super::key::Key;
use super::lines::{Line, MAX_LINE, Unreadable};
use super::problem::Problem;
use super::request::{self, Base};
use super::{answers, openai, ours};

/// Bytes of a prompt's beginning by which inputs are grouped.
const BEGINNING: usize = 2048;

/// One input.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) shape: Shape,
    pub(super) ask: Result<Ask, Problem>,
    /// About what it takes in memory.
    pub(super) bytes: usize,
    /// Inputs with the same one share work.
    pub(super) beginning: String,
}

/// What an input asks for.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Generate(Box<Request>),
    Embed(Box<EmbedRequest>),
}

/// The format of a record.
#[derive(Debug)]
pub(super) enum Shape {
    Ours(ours::Head),
    OpenAi(openai::Head),
}

/// How an input ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Box<Finished>),
    Embedded(Box<Embedded>),
    /// With what was written before.
    Failed(Problem, Option<Box<Finished>>),
}

/// The vectors of an input.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) vectors: Vec<Vec<f32>>,
    pub(super) usage: Usage,
    pub(super) timings: Timings,
}

impl Outcome {
    /// What it took.
    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::Answered(finished) | Self::Failed(_, Some(finished)) => finished.usage,
            Self::Embedded(embedded) => embedded.usage,
            Self::Failed(_, None) => Usage::default(),
        }
    }

    pub(super) fn failed(&self) -> bool {
        matches!(self, Self::Failed(..))
    }
}

impl Shape {
    /// The record, a line without its end.
    pub(super) fn record(self, key: Key, outcome: Outcome, model: &str) -> String {
        let record = match self {
            Self::Ours(head) => ours::record(head, key, outcome),
            Self::OpenAi(head) => answers::record(head, key, outcome, model),
        };
        record.to_string()
    }
}

/// Makes inputs of lines.
#[derive(Debug)]
pub(super) struct Parser {
    base: Base,
    /// The job has several files, so records name theirs.
    several: bool,
}

impl Parser {
    pub(super) fn new(base: Base, several: bool) -> Self {
        Self { base, several }
    }

    /// Never fails: what is wrong with a line is its entry's outcome.
    pub(super) fn entry(&self, input: &Input, format: Format, line: Line) -> Entry {
        let key = Key { file: input.number, line: line.number, print: line.print };
        let mut head =
            ours::Head { id: Value::from(line.number), file: self.several.then(|| input.name()), chat: false };
        let openai = format == Format::Json { openai: true };
        let bytes = line.text.as_ref().map_or(0, String::len);
        let (shape, ask) = match line.text {
            Err(unreadable) => (unknown(head, openai), Err(of_unreadable(unreadable))),
            Ok(text) if !matches!(format, Format::Json { .. }) => {
                (Shape::Ours(head), Ok(Ask::Generate(Box::new(self.base.prompt(text)))))
            }
            Ok(text) => match fields::object(&text) {
                Err(problem) => (unknown(head, openai || text.contains("\"custom_id\"")), Err(problem)),
                Ok(object) => {
                    let mut fields = Fields::new(object);
                    if openai::is_one(&fields) {
                        let (head, ask) = openai::ask(fields, &self.base);
                        (Shape::OpenAi(head), ask)
                    } else {
                        let ask = ours::id(&mut fields, line.number).and_then(|id| {
                            head.id = id;
                            let (ask, chat) = ours::ask(fields, &self.base)?;
                            head.chat = chat;
                            Ok(ask)
                        });
                        (Shape::Ours(head), ask)
                    }
                }
            },
        };
        let beginning = match &ask {
            Ok(Ask::Generate(request)) => request::beginning(request, BEGINNING),
            _ => String::new(),
        };
        Entry { key, shape, ask, bytes, beginning }
    }
}

/// The shape of a line that tells nothing about itself.
fn unknown(head: ours::Head, openai: bool) -> Shape {
    if openai { Shape::OpenAi(openai::Head::unknown()) } else { Shape::Ours(head) }
}

fn of_unreadable(unreadable: Unreadable) -> Problem {
    match unreadable {
        Unreadable::TooLong(bytes) => {
            let most = MAX_LINE >> 20;
            Problem::line(
                "line_too_long",
                format!("{bytes} bytes are more than the {most} MiB that one input may have; split it"),
            )
        }
        Unreadable::NotUtf8(at) => {
            Problem::line("not_utf8", format!("not valid UTF-8 (first bad byte at offset {at}); convert it to UTF-8"))
        }
    }
}
