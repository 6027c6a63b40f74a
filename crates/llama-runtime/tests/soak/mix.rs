//! What is asked, and how its reader behaves: drawn from a seed and a number, so that it is the same in every run.

use std::time::Duration;

use llama_runtime::{Deadlines, EmbedRequest, Message, Priority, Prompt, Request, SamplingParams, Structure, Token};
use llama_testkit::random::{Random, seed_for};

/// What a model can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) seed: u64,
    pub(crate) chats: bool,
    /// Words of the longest prompts, and of the shorter ones.
    pub(crate) words: (u64, u64),
    /// Tokens of the longest answers.
    pub(crate) answer: u64,
    /// Of a hundred readers, how many do not read to the end in peace.
    pub(crate) unruly: u64,
}

/// How events are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reader {
    /// All of them, as they come.
    Patient,
    /// Until the request ends, which another thread cancels after this time.
    CancelledAfter(Duration),
    /// It cancels after so many events, and reads on.
    CancelsAt(usize),
    /// It goes away after so many.
    DropsAt(usize),
    /// It reads nothing for a while after so many.
    RestsAt(usize, Duration),
}

/// What the text has to be if the answer ended by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Free,
    /// An object with exactly `name`, a string, and `age`, an integer.
    Person,
    /// `yes` or `no`.
    YesNo,
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Generate(Box<Request>),
    Embed(EmbedRequest),
}

/// One request and its reader.
#[derive(Debug, Clone)]
pub(crate) struct One {
    pub(crate) ask: Ask,
    pub(crate) reader: Reader,
    pub(crate) shape: Shape,
    pub(crate) deadlines: Deadlines,
    /// It is to be refused for what it asks.
    pub(crate) invalid: bool,
}

/// What a client does before it draws again.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) ones: Vec<One>,
    pub(crate) order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Order {
    /// Each is the next turn of one conversation, as long as there is an answer.
    Turns,
    /// All are submitted before the first is read.
    Burst,
}

const QUESTIONS: [&str; 6] = [
    "What is a model?",
    "How do I run a prompt?",
    "Hi",
    "Tell me about llama-rs.",
    "What does the server do?",
    "Explain sampling in one sentence.",
];

const WORDS: [&str; 12] =
    ["model", "token", "the", "cache", "a", "context", "server", "reads", "writes", "batch", "of", "prompt"];

impl Mix {
    /// The task of this number.
    pub(crate) fn task(&self, number: u64) -> Task {
        let mut draw = Draw { mix: *self, random: Random::new(seed_for(self.seed, &number.to_string())) };
        let kind = draw.random.below(100);
        let (what, ones, order) = match kind {
            0..30 if self.chats => ("conversation", draw.conversation(), Order::Turns),
            0..45 => ("text", vec![draw.text()], Order::Turns),
            45..57 => ("long prompt", vec![draw.long()], Order::Turns),
            57..63 => ("open end", vec![draw.open_end()], Order::Turns),
            63..69 => ("grammar", vec![draw.grammar()], Order::Turns),
            69..75 => ("schema", vec![draw.schema()], Order::Turns),
            75..82 => ("choices", vec![draw.choices()], Order::Turns),
            82..90 => ("embeddings", vec![draw.embed()], Order::Turns),
            90..95 => ("refused", vec![draw.invalid()], Order::Turns),
            _ => ("burst", (0..6).map(|_| draw.text()).collect(), Order::Burst),
        };
        Task { name: format!("{number} ({what})"), ones, order }
    }
}

/// The draws of one task.
struct Draw {
    mix: Mix,
    random: Random,
}

impl Draw {
    fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.random.below(most * 1000) + 1000)
    }

    fn up_to(&mut self, most: u64) -> usize {
        usize::try_from(self.random.below(most) + 1).unwrap()
    }

    fn words(&mut self, count: u64) -> String {
        let words: Vec<&str> =
            (0..count).map(|_| WORDS[usize::try_from(self.random.below(WORDS.len() as u64)).unwrap()]).collect();
        words.join(" ")
    }

    fn reader(&mut self) -> Reader {
        if self.random.below(100) >= self.mix.unruly {
            return Reader::Patient;
        }
        match self.random.below(10) {
            0..4 => Reader::CancelledAfter(if self.one_in(3) { self.millis(8) } else { self.millis(250) }),
            4..6 => Reader::CancelsAt(self.up_to(6) - 1),
            6..8 => Reader::DropsAt(self.up_to(6) - 1),
            8 => Reader::RestsAt(self.up_to(3), self.millis(200)),
            _ => Reader::RestsAt(1, Duration::from_millis(1600)),
        }
    }

    fn deadlines(&mut self) -> Deadlines {
        let mut deadlines = Deadlines::default();
        if self.random.below(100) < self.mix.unruly / 3 {
            match self.random.below(3) {
                0 => deadlines.queue = Some(self.millis(40)),
                1 => deadlines.first_token = Some(self.millis(400)),
                _ => deadlines.total = Some(self.millis(600)),
            }
        }
        deadlines
    }

    fn priority(&mut self) -> Priority {
        match self.random.below(6) {
            0 => Priority::Background,
            1 => Priority::Interactive,
            _ => Priority::Normal,
        }
    }

    /// A request with what any of them may have.
    fn one(&mut self, prompt: impl Into<Prompt>) -> One {
        let mut request = Request::new(prompt);
        request.max_tokens = Some(self.up_to(self.mix.answer));
        if self.one_in(2) {
            request.sampling = Some(SamplingParams::greedy());
        } else {
            request.seed = Some(u32::try_from(self.random.below(1 << 20)).unwrap());
        }
        if self.one_in(6) {
            request.logprobs = Some(self.up_to(4) - 1);
        }
        if self.one_in(8) {
            request.stop = vec!["\n".to_owned(), " the ".to_owned()];
        }
        request.priority = Some(self.priority());
        let deadlines = self.deadlines();
        request.deadlines = deadlines;
        One {
            ask: Ask::Generate(Box::new(request)),
            reader: self.reader(),
            shape: Shape::Free,
            deadlines,
            invalid: false,
        }
    }

    fn change(&mut self, prompt: impl Into<Prompt>, change: impl FnOnce(&mut Request)) -> One {
        let mut one = self.one(prompt);
        if let Ask::Generate(request) = &mut one.ask {
            change(request);
        }
        one
    }

    fn conversation(&mut self) -> Vec<One> {
        let turns = self.random.below(4) + 1;
        let ask = |draw: &mut Self| {
            let question = QUESTIONS[usize::try_from(draw.random.below(QUESTIONS.len() as u64)).unwrap()];
            let chat = Request::chat([Message::user(question)]).prompt;
            let mut one = draw.one(chat);
            if turns > 1 && draw.one_in(2) {
                // Somebody who stays to the end.
                one.reader = Reader::Patient;
            }
            one
        };
        (0..turns).map(|_| ask(self)).collect()
    }

    fn text(&mut self) -> One {
        let words = self.random.below(self.mix.words.1) + 1;
        let text = self.words(words);
        self.one(text)
    }

    /// One of a few documents, at the beginning or with something before it.
    fn long(&mut self) -> One {
        let document = self.random.below(4);
        let (short, long) = (self.mix.words.0 / 3, self.mix.words.0);
        let words = short + self.random.below(long - short);
        let mut fixed = Self { mix: self.mix, random: Random::new(seed_for(self.mix.seed, &format!("d{document}"))) };
        let text = fixed.words(words);
        let text = if self.one_in(4) { format!("{} {text}", self.words(3)) } else { text };
        self.one(text)
    }

    /// As long as the model likes, or until time is up: its room grows block by block.
    fn open_end(&mut self) -> One {
        let most = Duration::from_millis(1500);
        let words = self.random.below(self.mix.words.1) + 1;
        let text = self.words(words);
        let mut one = self.change(text, |request| {
            request.max_tokens = None;
            request.deadlines.total = Some(most);
        });
        one.deadlines.total = Some(most);
        one
    }

    fn grammar(&mut self) -> One {
        let mut one = self.change("Is it so?", |request| {
            request.structure = Some(Structure::gbnf("root ::= \"yes\" | \"no\""));
            request.stop.clear();
        });
        one.shape = Shape::YesNo;
        one
    }

    fn schema(&mut self) -> One {
        let person = Structure::json_schema(serde_json::json!({
            "type": "object",
            "properties": { "name": { "type": "string", "maxLength": 8 }, "age": { "type": "integer", "minimum": 0, "maximum": 150 } },
            "required": ["name", "age"],
            "additionalProperties": false
        }));
        let mut one = self.change("A person as JSON:", |request| {
            request.structure = Some(person);
            request.max_tokens = Some(60);
            request.stop.clear();
        });
        one.shape = Shape::Person;
        one
    }

    fn choices(&mut self) -> One {
        let choices = self.up_to(3) + 1;
        let words = self.random.below(self.mix.words.1) + 1;
        let text = self.words(words);
        self.change(text, |request| {
            request.choices = choices;
            request.max_tokens = request.max_tokens.map(|most| most.min(24));
        })
    }

    fn embed(&mut self) -> One {
        let inputs = self.random.below(4) + 1;
        let mut request = EmbedRequest::new((0..inputs).map(|_| self.words(20)));
        request.priority = Some(self.priority());
        let deadlines = self.deadlines();
        request.deadlines = deadlines;
        let reader = self.reader();
        One { ask: Ask::Embed(request), reader, shape: Shape::Free, deadlines, invalid: false }
    }

    fn invalid(&mut self) -> One {
        let mut one = match self.random.below(5) {
            0 => self.change("Hi", |request| request.choices = 0),
            1 => self.change("Hi", |request| request.structure = Some(Structure::gbnf("root ::= nothing"))),
            2 => self.change("Hi", |request| request.logprobs = Some(1000)),
            3 => self.one(vec![Token(1); 5000]),
            _ => self.change("Hi", |request| request.stop = vec![String::new()]),
        };
        one.invalid = true;
        one
    }
}
