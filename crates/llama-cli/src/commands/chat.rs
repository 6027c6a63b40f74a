//! `llama-cli chat`: a conversation, line by line.

use std::io;

use clap::Args;
use llama_runtime::{
    AssistantMessage, Budget, ChatRequest, Choice, Conversation, FinishReason, Finished, FitError, Message, Rejected,
    Request, Runtime, SamplingParams, Seed,
};

use crate::args::{LengthArgs, ModelArgs, SamplingArgs};
use crate::interrupt::Interrupts;
use crate::{answer, start, ui};

/// Talk with a model. Each line is a message; piped lines are answered one after another.
///
/// Answers go to stdout. What a model thinks before it answers is shown on stderr if that is a terminal, and dropped
/// otherwise.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// The first message
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,

    /// What the model is told before everything else (also -sys)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    system_prompt: Option<String>,

    #[command(flatten)]
    length: LengthArgs,

    #[command(flatten)]
    sampling: SamplingArgs,

    #[command(flatten)]
    model: ModelArgs,
}

const HELP: &str = "\
/regen  answer the last message again
/clear  forget the conversation
/exit   leave, as Ctrl+D does
/help   this list
Ctrl+C stops an answer. Everything else is sent to the model.";

/// A line that was typed.
#[derive(Debug, PartialEq, Eq)]
enum Input<'l> {
    Nothing,
    Exit,
    Clear,
    Regen,
    Help,
    /// One word that looks like a command and is none.
    Unknown(&'l str),
    Say(&'l str),
}

/// Runs the command.
pub(crate) fn run(args: ChatArgs) -> anyhow::Result<()> {
    let interrupts = Interrupts::watch()?;
    let mut chat = Chat::start(&args, interrupts)?;
    if chat.interactive {
        ui::note("Type a message. /help lists the commands, Ctrl+D ends.");
    }
    if let Some(prompt) = &args.prompt {
        chat.say(prompt)?;
    }
    chat.read_lines()
}

struct Chat {
    runtime: Runtime,
    /// Most tokens of prompt and answer together.
    capacity: usize,
    conversation: Conversation,
    sampling: SamplingParams,
    max_tokens: Option<usize>,
    /// A person types: a failed answer is no reason to leave.
    interactive: bool,
    interrupts: Interrupts,
}

impl Chat {
    fn start(args: &ChatArgs, interrupts: Interrupts) -> anyhow::Result<Self> {
        let (runtime, info) = start::engine(&args.model)?;
        if !info.has_chat_template {
            ui::note("This model has no chat template. ChatML is used, which it may not have been trained on.");
        }
        let mut conversation = Conversation::new();
        conversation.set_system(args.system_prompt.as_deref());
        Ok(Self {
            runtime,
            capacity: info.sequence_limit,
            conversation,
            sampling: args.sampling.params(),
            max_tokens: args.length.max_tokens(),
            interactive: ui::stdin_is_terminal(),
            interrupts,
        })
    }

    fn read_lines(&mut self) -> anyhow::Result<()> {
        // A person who presses Ctrl+C between two answers leaves; that is no failure.
        self.interrupts.idle(0);
        let mut stdin = io::stdin().lock();
        loop {
            if self.interactive {
                ui::ask("\n> ");
            }
            let bytes = ui::line(&mut stdin)?;
            if bytes.is_empty() {
                if self.interactive {
                    ui::note("");
                }
                return Ok(());
            }
            let line = match ui::text(bytes, "the line") {
                Ok(line) => line,
                Err(error) => {
                    self.failed(error)?;
                    continue;
                }
            };
            match input(&line) {
                Input::Nothing => {}
                Input::Exit => return Ok(()),
                Input::Clear => {
                    self.conversation.clear();
                    ui::note("The conversation is forgotten.");
                }
                Input::Regen if self.conversation.reopen() => {
                    self.next_seed();
                    self.answer()?;
                }
                Input::Regen => ui::note("There is no message to answer again."),
                Input::Help => ui::note(HELP),
                Input::Unknown(command) => ui::note(&format!("There is no command {command}; /help lists them.")),
                Input::Say(text) => self.say(text)?,
            }
        }
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.conversation.user(text);
        self.answer()
    }

    /// The same seed would give the same answer again.
    fn next_seed(&mut self) {
        if let Seed::Fixed(seed) = self.sampling.seed {
            self.sampling.seed = Seed::from(seed.wrapping_add(1));
        }
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        if let Err(error) = self.make_room() {
            return self.refused(error.into());
        }
        let mut request = Request::new(self.conversation.request()).sampling(self.sampling.clone());
        request.max_tokens = self.max_tokens;
        let generation = match self.runtime.submit(request) {
            Ok(generation) => generation.blocking(),
            Err(error) => return self.refused(error.into()),
        };
        self.interrupts.answering(generation.cancel_handle());
        let finished = answer::show(generation)?;
        self.interrupts.idle(0);
        ui::result("\n")?;
        self.finished(finished)
    }

    /// Forgets the oldest turns if prompt and answer would not fit. What is said now may leave little room for the answer.
    fn make_room(&mut self) -> Result<(), FitError<Rejected>> {
        let capacity = self.capacity;
        let reserve = self.max_tokens.unwrap_or(usize::MAX).clamp(1, (capacity / 4).max(1));
        let forgotten = match self.fit(reserve) {
            Err(FitError::TooLong { .. }) => self.fit(1)?,
            fitted => fitted?,
        };
        if forgotten > 0 {
            ui::note(&format!(
                "[ The context of {capacity} tokens is full: forgot the oldest {forgotten} turn(s). -c N makes it larger. ]"
            ));
        }
        Ok(())
    }

    /// Returns how many turns were forgotten.
    fn fit(&mut self, reserve: usize) -> Result<usize, FitError<Rejected>> {
        let runtime = &self.runtime;
        let count = |messages: &[Message]| {
            // A model that has to be loaded again checks for itself.
            let tokens = runtime.count_tokens(None, ChatRequest::new(messages.iter().cloned()).into())?;
            Ok(tokens.unwrap_or_default())
        };
        let fitted = self.conversation.fit(Budget::new(self.capacity).reserve(reserve), count)?;
        Ok(fitted.dropped)
    }

    fn finished(&mut self, mut finished: Finished) -> anyhow::Result<()> {
        if let FinishReason::Error(error) = finished.reason {
            return self.refused(error.into());
        }
        if let Some(remark) = answer::remark(&finished, self.capacity) {
            ui::note(&remark);
        }
        // An answer that was stopped before its beginning is an empty one.
        self.conversation.answer(finished.choices.drain(..).next().map(said).unwrap_or_default());
        match finished.reason {
            FinishReason::Cancelled => ui::note("[ interrupted ]"),
            reason => answer::completed(reason).or_else(|error| self.failed(error))?,
        }
        if ui::stderr_is_terminal() {
            ui::note(&start::speeds(&finished.usage, &finished.timings));
        }
        Ok(())
    }

    /// A message that was refused, or that could not be answered, is not part of the conversation.
    fn refused(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        self.conversation.undo();
        self.failed(error)
    }

    /// A person can try something else; a script cannot.
    fn failed(&self, error: anyhow::Error) -> anyhow::Result<()> {
        if !self.interactive {
            return Err(error);
        }
        ui::note(&format!("error: {error:#}"));
        Ok(())
    }
}

/// What the model said, as far as it can be told from what it thought.
fn said(choice: Choice) -> AssistantMessage {
    let mut message = choice.message;
    if choice.malformed.is_some() {
        message.content = choice.text;
    }
    message
}

fn input(line: &str) -> Input<'_> {
    let line = line.trim_end_matches(['\n', '\r']);
    match line.trim() {
        "" => Input::Nothing,
        "/exit" | "/quit" => Input::Exit,
        "/clear" => Input::Clear,
        "/regen" => Input::Regen,
        "/help" => Input::Help,
        command if command.strip_prefix('/').is_some_and(|word| word.chars().all(char::is_alphabetic)) => {
            Input::Unknown(command)
        }
        _ => Input::Say(line),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use llama_testkit::fixtures::{self, TempModels};
    use llama_testkit::models::Llama;

    use super::*;
    use crate::args::{self, Command};

    /// A conversation as the program would hold it, on one thread.
    fn chat_with(model: &Path) -> Chat {
        let argv = ["llama-cli", "chat", "-t", "1", "-n", "2", "--temp", "0", "-m"].map(OsString::from);
        let cli = args::parse(argv.into_iter().chain([model.into()]).collect()).unwrap();
        let Command::Chat(args) = cli.command else { panic!("not a chat") };
        let mut chat = Chat::start(&args, Interrupts::none()).unwrap();
        chat.interactive = true;
        chat
    }

    #[test]
    fn a_refused_message_is_taken_back_and_nothing_else_is() {
        let template = "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('no') }}{% endif %}\
            <{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
        let folder = TempModels::new().unwrap();
        let model = Llama { chat_template: Some(template.into()), ..Llama::tiny() };
        let mut chat = chat_with(&folder.write("picky.gguf", &model.file()).unwrap());
        chat.say("good").unwrap();
        assert_eq!(chat.conversation.messages().len(), 2);
        chat.say("bad").unwrap();
        assert_eq!(chat.conversation.messages().len(), 2);
        chat.interactive = false;
        assert!(chat.say("bad").is_err());
        assert_eq!(chat.conversation.messages().len(), 2);
    }

    #[test]
    fn what_was_said_before_is_not_computed_again() {
        let mut chat = chat_with(fixtures::tiny_llama());
        for text in ["Tell me about acorns and foxes.", "And about owls?", "And about bears?"] {
            chat.say(text).unwrap();
        }
        let totals = chat.runtime.stats().models[0].totals;
        assert!(totals.reused_tokens >= totals.prompt_tokens / 3, "{totals:?}");
    }

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(input(" \r\n"), Input::Nothing);
        assert_eq!(input("/exit\n"), Input::Exit);
        assert_eq!(input("/regen "), Input::Regen);
        assert_eq!(input("/regne\n"), Input::Unknown("/regne"));
        assert_eq!(input("/etc/hosts"), Input::Say("/etc/hosts"));
        assert_eq!(input("/help me, please\n"), Input::Say("/help me, please"));
        assert_eq!(input("  indented \r\n"), Input::Say("  indented "));
    }
}
