//! `llama-cli template render`: exactly the prompt that the model would get.

use anyhow::bail;
use clap::Args;
use llama_core::chat::{ChatGrammar, GrammarTrigger, RenderedPrompt};
use llama_core::{AddSpecial, Specials};
use serde_json::{Value, json};

use super::conversation::ConversationArgs;
use super::source::{Loaded, TemplateSource};
use crate::ui;

/// Print exactly the prompt that the model would get.
///
/// Nothing is added to it, unless stdout is a terminal, where it gets a line end.
#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// Print JSON: the prompt, and what belongs to it
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    conversation: ConversationArgs,

    #[command(flatten)]
    source: TemplateSource,
}

/// Runs the command.
pub(super) fn run(args: &RenderArgs) -> anyhow::Result<()> {
    if args.conversation.messages.is_none() {
        bail!("there is no conversation; give --messages FILE, or --messages - for stdin");
    }
    let loaded = args.source.load()?;
    let rendered = loaded.template.render(&args.conversation.request(&loaded.effective)?)?;
    if args.json {
        ui::result(&format!("{:#}\n", described(&rendered, &loaded)?))?;
        return Ok(());
    }
    ui::result(&rendered.prompt)?;
    if ui::stdout_is_terminal() && !rendered.prompt.ends_with('\n') {
        ui::result("\n")?;
    }
    Ok(())
}

fn described(rendered: &RenderedPrompt, loaded: &Loaded) -> anyhow::Result<Value> {
    let tokens = match &loaded.model {
        Some(model) => {
            Some(model.vocab().tokenize_with(&rendered.prompt, Specials::Parse, AddSpecial::AsModelWants)?.len())
        }
        None => None,
    };
    let caps = loaded.template.caps();
    Ok(json!({
        "prompt": rendered.prompt,
        "tokens": tokens,
        "generation_prompt": rendered.generation_prompt,
        "format": rendered.format,
        "stops": rendered.stops,
        "preserved_tokens": rendered.preserved_tokens,
        "supports_thinking": rendered.supports_thinking,
        "thinking_start": rendered.thinking_start,
        "thinking_ends": rendered.thinking_ends,
        "grammar": rendered.grammar.as_ref().map(grammar),
        "template_is_explicit": loaded.template.is_explicit(),
        "caps": {
            "tools": caps.tools,
            "tool_calls": caps.tool_calls,
            "parallel_tool_calls": caps.parallel_tool_calls,
            "system_role": caps.system_role,
            "preserve_reasoning": caps.preserve_reasoning,
            "reasoning_effort": caps.reasoning_effort,
            "typed_content": caps.typed_content,
        },
    }))
}

fn grammar(grammar: &ChatGrammar) -> Value {
    json!({
        "gbnf": grammar.gbnf,
        "lazy": grammar.lazy,
        "triggers": grammar.triggers.iter().map(GrammarTrigger::to_pattern).collect::<Vec<_>>(),
        "covers_generation_prompt": grammar.covers_generation_prompt,
    })
}
