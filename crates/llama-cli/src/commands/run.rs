//! `llama-cli run`: one prompt, one answer on stdout.

mod json;
mod kept;
mod prompt;
mod prompted;
mod show;

use anyhow::bail;
use clap::Args;
use llama_runtime::{FinishReason, Finished, Generation, Prompt, Rejected, Request, Runtime};

use crate::batch::{self, JobArgs};
use crate::exit::{self, Ended};
use crate::interrupt::Interrupts;
use crate::settings::{Effective, Purpose, SettingArgs};
use crate::{answer, start, ui};
use kept::KeepArgs;
use prompt::PromptArgs;
use show::{Form, OutputArgs};

/// What llama.cpp's own program ends with where there is nothing to start from.
const NOTHING_TO_START_FROM: u8 = 255;

/// Answer one prompt. The text goes to stdout, and nothing else does.
///
/// The prompt is a message for the model's chat template, unless --raw is given or the model has no template. What a
/// model thinks before it answers is no part of the answer: it is shown on stderr if that is a terminal, and dropped
/// otherwise; --json has it. Calls of --tools come after the text, one JSON object per line.
///
/// Ends with 0, with 1 if something failed, with 130 after Ctrl+C (what was written stays), and with 255 if --raw has an
/// empty prompt and the model has no token to start from.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    prompt: PromptArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Runs the command.
pub(crate) fn run(mut args: RunArgs) -> anyhow::Result<()> {
    let interrupts = Interrupts::watch()?;
    let effective = args.effective()?;
    if args.job.is_wanted() {
        args.refuse_in_a_job()?;
        args.job.raw = args.prompt.raw;
        return batch::run(&args.job, &effective, &interrupts);
    }
    let form = args.output.form()?;
    let text = args.prompt.text()?;
    let purpose = if args.output.choices > 1 { Purpose::Job } else { Purpose::OnePerson };
    let (runtime, info) = start::engine(&effective, purpose)?;
    let mut request = effective.request(args.prompt.prompt(&effective, &info, text)?, &info);
    request.choices = args.output.choices as usize;
    request.logprobs = args.output.logprobs.map(usize::from);
    let prompt = args.told(&effective, &request)?;
    args.keep.restore(&runtime)?;
    let asked = request.prompt.clone();
    let generation = submit(&runtime, request, &effective)?;
    if let Some(text) = prompt.as_ref().filter(|_| args.output.echo && form == Form::Text) {
        show::print_text(text)?;
    }
    interrupts.answering(generation.cancel_handle());
    let finished = show::stream(generation.blocking(), form)?;
    interrupts.idle(exit::INTERRUPTED);
    let echoed = prompt.as_deref().filter(|_| args.output.echo);
    show::end(&finished, form, echoed, args.output.choices > 1)?;
    if effective.settings.chat.show_timings == Some(true) {
        ui::note(&start::speeds(&finished.usage, &finished.timings, finished.choices.len()));
    }
    args.keep.save(&runtime, || args.to_keep(asked, prompt, &finished))?;
    let calls = finished.message().is_some_and(|message| !message.tool_calls.is_empty());
    if let Some(remark) = answer::remark(&finished, info.sequence_limit).filter(|_| !calls) {
        ui::note(&remark);
    }
    if finished.reason.is_complete() {
        // The process ends now, and the system takes everything back at once; to take down model and context one by one takes
        // longer. An answer that was cut short may still be computed, which must not go on at the exit.
        let _stays = std::mem::ManuallyDrop::new(runtime);
    }
    match finished.reason {
        FinishReason::Cancelled => Err(Ended(exit::INTERRUPTED).into()),
        reason => answer::completed(reason),
    }
}

fn submit(runtime: &Runtime, request: Request, effective: &Effective) -> anyhow::Result<Generation> {
    runtime.submit(request).map_err(|rejected| match rejected {
        Rejected::EmptyPrompt => {
            ui::note(&format!("error: {rejected}"));
            Ended(NOTHING_TO_START_FROM).into()
        }
        rejected => effective.refused(rejected),
    })
}

impl RunArgs {
    fn effective(&self) -> anyhow::Result<Effective> {
        let settings = self.settings.clone();
        let settings = if self.prompt.escapes.are_off() { settings.without_escapes() } else { settings };
        let mut effective = settings.resolve()?;
        if self.prompt.raw
            && let Some(flag) = effective.flag_of(&["chat.system", "chat.system_file"])
        {
            bail!("{flag} is told to the model by its chat template, which --raw leaves out; drop one of the two");
        }
        if self.output.choices > 1 {
            effective.settings.batch.max_sequences = self.output.choices;
        }
        Ok(effective)
    }

    /// What is about one answer says nothing about many.
    fn refuse_in_a_job(&self) -> anyhow::Result<()> {
        let keep = self.keep.is_given().then_some("--prompt-cache");
        let tools = self.prompt.has_tools().then_some("--tools");
        match self.output.given().or(keep).or(tools) {
            Some(flag) => {
                bail!("{flag} is for a single prompt; leave it out, as the records of --prompt-file are JSON")
            }
            None => Ok(()),
        }
    }

    /// The prompt as the model gets it, where somebody wants to see it; its tokens are shown.
    fn told(&self, effective: &Effective, request: &Request) -> anyhow::Result<Option<String>> {
        if !(self.output.echo || self.output.verbose_prompt || self.keep.keeps_answer()) {
            return Ok(None);
        }
        let text = prompted::text(effective, request)?;
        if self.output.verbose_prompt {
            ui::note(&prompted::tokens(effective, &text)?);
        }
        Ok(Some(text))
    }

    /// The prompt whose beginning is kept.
    fn to_keep(&self, asked: Prompt, text: Option<String>, finished: &Finished) -> Prompt {
        match text {
            Some(text) if self.keep.keeps_answer() => Prompt::Text(text + finished.text()),
            _ => asked,
        }
    }
}
