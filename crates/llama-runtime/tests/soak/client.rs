//! One of many clients: it carries out tasks, and checks each answer by itself: [`Client`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use llama_runtime::{
    Deadline, Deadlines, Event, FinishReason, Finished, Generation, Message, PendingEmbeddings, Priority, Prompt,
    Rejected, Runtime,
};

use crate::board::{Board, Present};
use crate::canceller::{Canceller, Moment};
use crate::mix::{Ask, Mix, One, Order, Reader, Shape, Task};

pub(crate) struct Client {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) board: Arc<Board>,
    pub(crate) canceller: Arc<Canceller>,
    pub(crate) mix: Mix,
    /// The number of the next task of anybody.
    pub(crate) next: Arc<AtomicU64>,
    pub(crate) tasks: u64,
    pub(crate) until: Instant,
}

/// How often a client tries again when the queue is full.
const TRIES: usize = 5;

/// A request that was accepted.
struct Open<'o> {
    name: &'o str,
    one: &'o One,
    generation: Generation,
    cancelled: Option<Moment>,
    /// It had to wait for others before it was read.
    late: bool,
}

/// What was read.
#[derive(Default)]
struct Seen {
    texts: BTreeMap<usize, String>,
    reasoning: BTreeMap<usize, String>,
    logprobs: usize,
    embeddings: usize,
    finished: Vec<Finished>,
    events: usize,
}

impl Client {
    pub(crate) fn run(&self) {
        let _present = Present::new(&self.board);
        while Instant::now() < self.until {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.tasks {
                return;
            }
            let task = self.mix.task(number);
            self.board.begin(&task.name);
            match task.order {
                Order::Turns => self.turns(&task),
                Order::Burst => self.burst(&task),
            }
            self.board.end(&task.name);
        }
    }

    fn turns(&self, task: &Task) {
        let mut history: Vec<Message> = Vec::new();
        for one in &task.ones {
            let mut one = one.clone();
            let chat = match &mut one.ask {
                Ask::Generate(request) => match &mut request.prompt {
                    Prompt::Chat(chat) => Some(chat),
                    _ => None,
                },
                Ask::Embed(_) => None,
            };
            if let Some(chat) = chat {
                history.append(&mut chat.messages);
                chat.messages.clone_from(&history);
            }
            let Some(open) = self.submit(&task.name, &one, false) else { return };
            let Some(finished) = self.read(open) else { return };
            let Some(answer) = finished.choices.into_iter().next().filter(|answer| answer.reason.is_complete()) else {
                return;
            };
            history.push(answer.message.into());
        }
    }

    fn burst(&self, task: &Task) {
        let open: Vec<_> = task.ones.iter().filter_map(|one| self.submit(&task.name, one, true)).collect();
        for open in open {
            self.read(open);
        }
    }

    fn submit<'o>(&self, name: &'o str, one: &'o One, late: bool) -> Option<Open<'o>> {
        let generation = (0..TRIES).find_map(|_| match self.ask(one) {
            Ok(generation) => Some(Some(generation)),
            Err(why) => (!self.try_again(name, one, &why)).then_some(None),
        })??;
        assert!(!one.invalid, "{name} was to be refused: {one:?}");
        self.board.accepted();
        let cancelled = match one.reader {
            Reader::CancelledAfter(after) => {
                Some(self.canceller.at(Instant::now() + after, generation.cancel_handle()))
            }
            _ => None,
        };
        Some(Open { name, one, generation, cancelled, late })
    }

    fn ask(&self, one: &One) -> Result<Generation, Rejected> {
        match &one.ask {
            Ask::Generate(request) => self.runtime.submit((**request).clone()),
            Ask::Embed(request) => self.runtime.embed(request.clone()).map(PendingEmbeddings::into_events),
        }
    }

    /// Takes note of a refusal; whether another one may have an answer, after it has waited as it was told.
    fn try_again(&self, name: &str, one: &One, why: &Rejected) -> bool {
        let in_time = matches!(why, Rejected::DeadlineInfeasible { .. });
        if in_time {
            let Deadlines { first_token, total, .. } = one.deadlines;
            assert!(first_token.is_some() || total.is_some(), "{name}: {why}");
        }
        // A conversation grows too long at some time.
        let too_long = matches!(why, Rejected::PromptTooLong { .. } | Rejected::TooLarge { .. });
        let full = matches!(why, Rejected::QueueFull { .. });
        // What is asked is looked at before the queue.
        assert_eq!(one.invalid, !in_time && !full && (one.invalid || !too_long), "{name} is refused: {why}");
        self.board.refused(why, !in_time && !full);
        if let Rejected::QueueFull { retry_after, .. } = why {
            park_timeout(retry_after.unwrap_or_default().clamp(Duration::from_millis(1), Duration::from_millis(50)));
        }
        full
    }

    /// Reads as the reader does; how it ended, unless nobody saw that.
    fn read(&self, open: Open<'_>) -> Option<Finished> {
        let Open { name, one, generation, mut cancelled, late } = open;
        let handle = generation.cancel_handle();
        let mut events = generation.blocking();
        let mut seen = Seen::default();
        loop {
            match one.reader {
                Reader::DropsAt(at) if seen.events == at => {
                    self.board.dropped();
                    return None;
                }
                Reader::CancelsAt(at) if seen.events == at => {
                    let moment = Moment::default();
                    let _ = moment.set(Instant::now());
                    cancelled = Some(moment);
                    handle.cancel();
                    // A second time does nothing more.
                    handle.cancel();
                }
                Reader::RestsAt(at, rest) if seen.events == at => {
                    let until = Instant::now() + rest;
                    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                        park_timeout(left);
                    }
                }
                _ => {}
            }
            let Some(event) = events.next() else { break };
            seen.take(name, one, event);
        }
        assert_eq!(seen.finished.len(), 1, "{name}: exactly one end");
        assert!(events.next().is_none(), "{name}: nothing comes after the end");
        let finished = seen.finished.pop().unwrap();
        let silence = cancelled.and_then(|moment| Some(moment.get()?.elapsed()));
        let silence = silence.filter(|_| matches!(finished.reason, FinishReason::Cancelled) && !late);
        self.board.finished(&finished, silence);
        check_reason(name, one, &finished.reason, late);
        check_account(name, one, &seen, &finished);
        check_text(name, one, &seen, &finished);
        if one.shape != Shape::Free && matches!(finished.reason, FinishReason::EndOfAnswer) {
            self.board.shaped();
        }
        Some(finished)
    }
}

impl Seen {
    fn take(&mut self, name: &str, one: &One, event: Event) {
        self.events += 1;
        assert!(self.finished.is_empty(), "{name}: {event:?} after the end");
        match event {
            Event::Text(delta) => {
                self.logprobs += delta.logprobs.len();
                *self.texts.entry(delta.choice).or_default() += &delta.text;
            }
            Event::Reasoning(delta) => {
                self.logprobs += delta.logprobs.len();
                *self.reasoning.entry(delta.choice).or_default() += &delta.text;
            }
            Event::Embedding { vector, .. } => {
                let square: f32 = vector.iter().map(|value| value * value).sum();
                assert!((square - 1.0).abs() < 1e-3, "{name}: a vector of length {}", square.sqrt());
                self.embeddings += 1;
            }
            Event::Finished(finished) => self.finished.push(*finished),
            Event::ChoiceFinished { choice, .. } => {
                assert!(matches!(&one.ask, Ask::Generate(request) if choice < request.choices), "{name}: {choice}");
            }
            Event::Loading(_) | Event::ToolCall(_) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Whether somebody or something can have ended it so.
fn check_reason(name: &str, one: &One, reason: &FinishReason, late: bool) {
    let priority = match &one.ask {
        Ask::Generate(request) => request.priority,
        Ask::Embed(request) => request.priority,
    };
    let possible = match reason {
        FinishReason::Cancelled => matches!(one.reader, Reader::CancelledAfter(_) | Reader::CancelsAt(_)),
        FinishReason::Deadline(Deadline::Queue) => one.deadlines.queue.is_some(),
        FinishReason::Deadline(Deadline::FirstToken) => one.deadlines.first_token.is_some(),
        FinishReason::Deadline(_) => one.deadlines.total.is_some(),
        FinishReason::SlowConsumer => late || matches!(one.reader, Reader::RestsAt(..)),
        FinishReason::Shed => priority != Some(Priority::Interactive),
        complete => complete.is_complete(),
    };
    assert!(possible, "{name} ended with {reason:?}: {one:?}");
}

fn check_account(name: &str, one: &One, seen: &Seen, finished: &Finished) {
    let usage = finished.usage;
    assert!(usage.reused <= usage.prompt, "{name}: {usage:?}");
    match &one.ask {
        Ask::Embed(request) => {
            assert!(seen.texts.is_empty() && finished.choices.is_empty(), "{name}: text for embeddings");
            if finished.reason.is_complete() {
                assert_eq!(seen.embeddings, request.inputs.len(), "{name}");
            }
        }
        Ask::Generate(request) => {
            assert_eq!(seen.embeddings, 0, "{name}: embeddings for text");
            assert!(finished.choices.len() == request.choices || finished.choices.is_empty(), "{name}: {finished:?}");
            let most = request.max_tokens.unwrap_or(usize::MAX).saturating_mul(request.choices);
            assert!(usage.generated <= most, "{name}: {usage:?} with at most {most}");
            assert_eq!(finished.timings.first_token.is_some(), usage.generated > 0, "{name}: {finished:?}");
            let logprobs: usize = finished.choices.iter().map(|choice| choice.logprobs.len()).sum();
            assert_eq!(seen.logprobs, logprobs, "{name}: those of the pieces and those of the end");
            if request.logprobs.is_none() {
                assert_eq!(logprobs, 0, "{name}");
            }
            if finished.reason.is_complete() {
                assert!(usage.generated > 0 && usage.prompt > 0, "{name}: {finished:?}");
                for choice in &finished.choices {
                    assert!(choice.reason.is_complete(), "{name}: {finished:?}");
                }
            }
        }
    }
}

/// The pieces are the text, and the text is as it has to be.
fn check_text(name: &str, one: &One, seen: &Seen, finished: &Finished) {
    let Ask::Generate(request) = &one.ask else { return };
    for (index, choice) in finished.choices.iter().enumerate() {
        let text = seen.texts.get(&index).map_or("", String::as_str);
        match request.prompt {
            Prompt::Chat(_) if choice.malformed.is_none() => {
                assert_eq!(choice.message.content, text, "{name}: choice {index}");
            }
            Prompt::Chat(_) => {}
            _ => assert_eq!(choice.text, text, "{name}: choice {index}"),
        }
        if matches!(choice.reason, FinishReason::EndOfAnswer) {
            match one.shape {
                Shape::Free => {}
                Shape::YesNo => assert!(["yes", "no"].contains(&text), "{name}: {text:?}"),
                Shape::Person => check_person(name, text),
            }
        }
    }
}

fn check_person(name: &str, text: &str) {
    let value: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text:?}"));
    let object = value.as_object().unwrap_or_else(|| panic!("{name}: {text:?}"));
    assert_eq!(object.len(), 2, "{name}: {text:?}");
    assert!(object["name"].is_string() && object["age"].as_u64().is_some_and(|age| age <= 150), "{name}: {text:?}");
}
