//! The answer to a request as a stream of events: [`Generation`], for async and for threads.

mod answer;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::event::{Event, Finished};
use crate::ticket::{Canceller, Item, Part, Receiver};
use answer::Answers;

/// The answer to one request. Dropping it cancels the request.
///
/// It works with any executor: it is a [`Stream`], and [`Generation::next`] is a future. Threads use
/// [`Generation::blocking`]. `Send`: any one task or thread may read it. Answers to a chat are taken apart here, on the
/// reader's thread.
///
/// At most [`Limits::event_buffer`](crate::Limits::event_buffer) events wait unread, and those of one step more: of a token
/// for each choice, or of the texts that are embedded at once.
/// Then only this request pauses, and after [`Limits::slow_consumer_timeout`](crate::Limits::slow_consumer_timeout)
/// it ends; what was written is still delivered.
#[derive(Debug)]
pub struct Generation {
    receiver: Receiver,
    /// What the last part meant, at most a few events.
    pending: VecDeque<Event>,
    answers: Answers,
    id: u64,
    /// The end without its choices, once it is in `pending`.
    ended: Option<Box<Finished>>,
}

impl Generation {
    pub(crate) fn new(receiver: Receiver, id: u64, choices: usize) -> Self {
        Self { receiver, pending: VecDeque::new(), answers: Answers::new(choices), id, ended: None }
    }

    /// The number of the request, unique within its runtime.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The next event; `None` after [`Event::Finished`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Reads all that is left, and says how the request ended, with the whole text of each choice. Where
    /// [`Event::Finished`] has been read before, the choices went with it, and there are none here.
    pub async fn finish(mut self) -> Finished {
        while let Some(event) = self.next().await {
            if let Event::Finished(finished) = event {
                return *finished;
            }
        }
        *self.ended.unwrap_or_else(crate::ticket::abandoned)
    }

    /// The same events for a thread, which waits for each.
    pub fn blocking(self) -> Blocking {
        Blocking(self)
    }

    /// A handle that cancels this request and can go to another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.receiver.canceller())
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Poll::Ready(Some(event));
            }
            match self.receiver.poll_next(context) {
                Poll::Ready(Some(item)) => self.take(item),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take(&mut self, item: Item) {
        let pending = &mut self.pending;
        match item {
            Item::Event(Part::Loading(share)) => pending.push_back(Event::Loading(share)),
            Item::Event(Part::Format(parser)) => self.answers.parse_with(&parser),
            Item::Event(Part::Text { choice, text, logprobs }) => self.answers.text(choice, text, logprobs, pending),
            Item::Event(Part::ChoiceFinished { choice, reason }) => {
                self.answers.end(choice, &reason, pending);
                pending.push_back(Event::ChoiceFinished { choice, reason });
            }
            Item::Event(Part::Embedding { input, vector }) => pending.push_back(Event::Embedding { input, vector }),
            Item::Finished(mut finished) => {
                finished.id = self.id;
                let choices = std::mem::take(&mut finished.choices);
                self.ended = Some(finished.clone());
                finished.choices = choices;
                self.answers.finish(&mut finished.choices, pending);
                pending.push_back(Event::Finished(finished));
            }
        }
    }
}

impl Stream for Generation {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(context)
    }
}

/// The events of a [`Generation`] as an iterator that waits. Dropping it cancels the request.
#[derive(Debug)]
pub struct Blocking(Generation);

impl Blocking {
    /// As [`Generation::finish`].
    pub fn finish(self) -> Finished {
        crate::blocking::block_on(self.0.finish())
    }

    /// A handle that cancels this request and can go to another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }
}

impl Iterator for Blocking {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.0.pending.pop_front() {
                return Some(event);
            }
            let item = self.0.receiver.next_blocking()?;
            self.0.take(item);
        }
    }
}

/// Stops one request, from any thread: in the queue, between steps, and inside a running decode. Cheap to clone; harmless
/// afterwards. The stream of the request still ends with [`Event::Finished`].
#[derive(Debug, Clone)]
pub struct CancelHandle(Canceller);

impl CancelHandle {
    /// Asks the request to stop.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was asked to stop before it ended.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Whether the request has ended, be it that its end is still to be read.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}
