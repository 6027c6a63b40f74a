//! `llama-cli chat`: a conversation, line by line.

use std::io;

use clap::Args;
use llama_runtime::{Event, FinishReason, Finished, GenerateError, Rejected, Request, Runtime, SamplingParams, Seed};

use crate::args::{LengthArgs, ModelArgs, SamplingArgs};
use crate::conversation::Conversation;
use crate::interrupt::Interrupts;
use crate::{start, ui};

/// Talk with a model. Each line is a message; piped lines are answered one after another.
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
    let runtime = start::engine(&args.model)?;
    if !runtime.has_chat_template() {
        ui::note("This model has no chat template. ChatML is used, which it may not have been trained on.");
    }
    let mut chat = Chat {
        conversation: Conversation::new(args.system_prompt.as_deref()),
        sampling: args.sampling.params(),
        max_tokens: args.length.max_tokens(),
        interactive: ui::stdin_is_terminal(),
        runtime,
        interrupts,
    };
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
    conversation: Conversation,
    sampling: SamplingParams,
    max_tokens: Option<usize>,
    /// A person types: a failed answer is no reason to leave.
    interactive: bool,
    interrupts: Interrupts,
}

impl Chat {
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
        self.conversation.say(text);
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
            return self.refused(error);
        }
        let mut request = Request::chat(self.conversation.messages().iter().cloned());
        request.sampling = self.sampling.clone();
        request.max_tokens = self.max_tokens;
        let answer = match self.runtime.submit(request) {
            Ok(answer) => answer,
            Err(error) => return self.refused(error),
        };
        self.interrupts.answering(answer.cancel_handle());
        let mut text = String::new();
        for event in answer {
            match event {
                Event::Text(more) => {
                    ui::result(&more)?;
                    text.push_str(&more);
                }
                Event::Finished(finished) => {
                    self.interrupts.idle(0);
                    ui::result("\n")?;
                    return self.finished(text, finished);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets the oldest turns if prompt and answer would not fit.
    fn make_room(&mut self) -> Result<(), Rejected> {
        let capacity = self.runtime.capacity();
        let reserve = self.max_tokens.unwrap_or(usize::MAX).clamp(1, (capacity / 4).max(1));
        let runtime = &self.runtime;
        let count = |messages: &[_]| runtime.count_tokens(Request::chat(messages.iter().cloned()).prompt);
        let forgotten = self.conversation.trim(capacity - reserve, count)?;
        if forgotten > 0 {
            ui::note(&format!(
                "[ The context of {capacity} tokens is full: forgot the oldest {forgotten} turn(s). -c N makes it larger. ]"
            ));
        }
        Ok(())
    }

    fn finished(&mut self, text: String, finished: Finished) -> anyhow::Result<()> {
        match finished.reason {
            FinishReason::Error(error) => {
                let crashed = matches!(error, GenerateError::Crashed);
                self.conversation.take_back();
                if crashed { Err(error.into()) } else { self.failed(error.into()) }
            }
            reason => {
                self.conversation.answer(text);
                match reason {
                    FinishReason::Cancelled => ui::note("[ interrupted ]"),
                    FinishReason::ContextFull => ui::note(&format!(
                        "[ The answer was cut: the context of {} tokens is full. -c N makes it larger. ]",
                        self.runtime.capacity()
                    )),
                    _ => {}
                }
                if ui::stderr_is_terminal() {
                    ui::note(&start::speeds(&finished.usage, &finished.timings));
                }
                Ok(())
            }
        }
    }

    /// A refused message is not part of the conversation.
    fn refused(&mut self, error: Rejected) -> anyhow::Result<()> {
        let stopped = matches!(error, Rejected::Stopped);
        self.conversation.take_back();
        if stopped { Err(error.into()) } else { self.failed(error.into()) }
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
    use super::*;
    use llama_runtime::{EngineOptions, ModelSpec};
    use llama_testkit::{fixtures::TempModels, models::Llama};

    #[test]
    fn a_refused_message_is_taken_back_and_nothing_else_is() {
        let template = "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('no') }}{% endif %}\
            <{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
        let folder = TempModels::new().unwrap();
        let model = Llama { chat_template: Some(template.into()), ..Llama::tiny() };
        let path = folder.write("picky.gguf", &model.file()).unwrap();
        let mut options = EngineOptions::default();
        options.context.n_threads = Some(1);
        let mut chat = Chat {
            runtime: Runtime::start(ModelSpec::path(path), options).unwrap(),
            conversation: Conversation::new(None),
            sampling: SamplingParams::default(),
            max_tokens: Some(2),
            interactive: true,
            interrupts: Interrupts::watch().unwrap(),
        };
        chat.say("good").unwrap();
        assert_eq!(chat.conversation.messages().len(), 2);
        chat.say("bad").unwrap();
        assert_eq!(chat.conversation.messages().len(), 2);
        chat.interactive = false;
        assert!(chat.say("bad").is_err());
        assert_eq!(chat.conversation.messages().len(), 2);
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
