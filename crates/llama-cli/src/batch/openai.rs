//! The lines of OpenAI's batches: `custom_id`, `method`, `url` and `body`.
//!
//! What a body may say is what ours may say, less our own format's `prompt`, `system` and `raw`, and with the names that
//! clients send although they mean nothing here. The answers are in [`answers`](super::answers).

use llama_runtime::EmbedRequest;
use serde_json::{Value, json};

use super::entry::Ask;
use super::fields::{Fields, bad};
use super::problem::Problem;
use super::request::{self, Base, Words};

/// Any of them makes a line one of this format.
const FIELDS: [&str; 4] = ["custom_id", "method", "url", "body"];

/// Say nothing about the answer.
const IGNORED: &[&str] = &[
    "model",
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "stream_options",
    "cache_prompt",
];

const REFUSED: &[(&str, &str)] = &[
    ("stream", "a batch answers in whole records"),
    ("functions", "write `tools`"),
    ("function_call", "write `tool_choice`"),
    ("modalities", "only text is answered"),
    ("audio", "only text is answered"),
    ("prediction", "leave it out"),
    ("web_search_options", "leave it out"),
    ("verbosity", "say in the messages how long the answer has to be"),
];

const REFUSED_COMPLETIONS: &[(&str, &str)] = &[
    ("echo", "the prompt is in the input"),
    ("suffix", "write a prompt with the model's own markers"),
    ("best_of", "ask for several answers with `n`"),
];

/// How a record begins.
#[derive(Debug)]
pub(super) struct Head {
    /// `None` where the line does not tell it.
    pub(super) custom_id: Option<String>,
    pub(super) endpoint: Endpoint,
    /// Of the embeddings' numbers.
    pub(super) base64: bool,
}

/// What is asked for, and so what the answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
}

/// Whether a line is of this format.
pub(super) fn is_one(fields: &Fields) -> bool {
    FIELDS.iter().any(|name| fields.has(name))
}

impl Head {
    /// For a line of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { custom_id: None, endpoint: Endpoint::Chat, base64: false }
    }
}

/// The request of a line, and how its record begins; that is told even of a line that is wrong.
pub(super) fn ask(mut fields: Fields, base: &Base) -> (Head, Result<Ask, Problem>) {
    let mut head = Head::unknown();
    let asked = read(&mut fields, &mut head, base).and_then(|ask| fields.finish().map_err(of_line).map(|()| ask));
    (head, asked)
}

fn read(fields: &mut Fields, head: &mut Head, base: &Base) -> Result<Ask, Problem> {
    head.custom_id = fields.read(&["custom_id"]).map_err(of_line)?;
    let method: Option<String> = fields.read(&["method"]).map_err(of_line)?;
    let url: Option<String> = fields.read(&["url"]).map_err(of_line)?;
    let body = fields.take(&["body"]).map_err(of_line)?;
    if head.custom_id.is_none() {
        return Err(Problem::line(
            "invalid_request",
            "there is no `custom_id`; every line needs one, so that its answer is found",
        ));
    }
    if let Some(method) = method.filter(|method| method != "POST") {
        return Err(Problem::line("invalid_method", format!("`method` is {method:?}, and must be \"POST\"")));
    }
    head.endpoint = endpoint(url.as_deref())?;
    let Some((_, Value::Object(body))) = body else {
        return Err(Problem::line("invalid_request", "`body` is missing or no object; it holds the request"));
    };
    let mut body = Fields::new(body);
    let ask = match head.endpoint {
        Endpoint::Embeddings => embeddings(&mut body, head)?,
        Endpoint::Chat | Endpoint::Completions => generate(&mut body, head.endpoint, base)?,
    };
    body.finish()?;
    Ok(ask)
}

/// The line itself is wrong, not what its body asks for.
fn of_line(problem: Problem) -> Problem {
    Problem::line(problem.code, problem.message)
}

fn endpoint(url: Option<&str>) -> Result<Endpoint, Problem> {
    match url {
        Some("/v1/chat/completions") => Ok(Endpoint::Chat),
        Some("/v1/completions") => Ok(Endpoint::Completions),
        Some("/v1/embeddings") => Ok(Endpoint::Embeddings),
        other => {
            let what = other.map_or("is missing".to_owned(), |url| format!("is {url:?}"));
            let known = "`/v1/chat/completions`, `/v1/completions` or `/v1/embeddings`";
            Err(Problem::line("invalid_url", format!("`url` {what}, and must be {known}")))
        }
    }
}

fn generate(body: &mut Fields, endpoint: Endpoint, base: &Base) -> Result<Ask, Problem> {
    body.ignore(IGNORED);
    body.allow("modalities", &json!(["text"]));
    body.refuse(REFUSED)?;
    let words = if endpoint == Endpoint::Chat {
        let Some((name, value)) = body.take(&["messages"])? else {
            return missing(body, base, "messages");
        };
        Words::Chat(base.with_system(request::messages(name, value)?, None))
    } else {
        body.allow("best_of", &json!(1));
        body.refuse(REFUSED_COMPLETIONS)?;
        let Some((_, value)) = body.take(&["prompt"])? else { return missing(body, base, "prompt") };
        Words::Raw(request::prompt(value)?)
    };
    Ok(Ask::Generate(Box::new(base.request(body, words)?)))
}

fn missing(body: &mut Fields, base: &Base, name: &str) -> Result<Ask, Problem> {
    base.pass_over(body)?;
    std::mem::replace(body, Fields::new(serde_json::Map::new())).finish()?;
    Err(bad(format!("`{name}` is missing in `body`")))
}

fn embeddings(body: &mut Fields, head: &mut Head) -> Result<Ask, Problem> {
    body.ignore(IGNORED);
    body.refuse(&[("dimensions", "the model's own is what there is")])?;
    if let Some(format) = body.read::<String>(&["encoding_format"])? {
        head.base64 = match format.as_str() {
            "float" => false,
            "base64" => true,
            other => return Err(bad(format!("`encoding_format` is {other:?}, and must be \"float\" or \"base64\""))),
        };
    }
    let inputs: Vec<String> = match body.take(&["input"])? {
        Some((_, Value::String(text))) => vec![text],
        Some((name, list)) => super::fields::parse(name, list)
            .map_err(|_| bad("`input` has to be a text or an array of texts; tokens are not taken"))?,
        None => return Err(bad("`input` is missing in `body`")),
    };
    if inputs.is_empty() {
        return Err(bad("`input` is empty; give at least one text"));
    }
    Ok(Ask::Embed(Box::new(EmbedRequest::new(inputs))))
}
