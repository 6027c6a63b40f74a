//! Chat templates: from messages to a prompt, and from what the model writes back to a message.
//!
//! Both directions are llama.cpp's own (its template engine and its parsers for the tool-call formats of the model
//! families), so a model behaves here as it does in llama.cpp's programs. Templates come with models and are therefore
//! data from strangers: loops, recursion, sizes and time are bounded, see [`ChatError::Limit`].
//!
//! Nothing here needs a context, and nothing here samples: [`RenderedPrompt`] carries the grammar and the stop strings
//! that the sampling side needs.
//!
//! ```
//! use llama_core::chat::{ChatRequest, ChatTemplate, Message};
//!
//! let template = ChatTemplate::from_source("{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}\
//!     {% if add_generation_prompt %}<assistant>{% endif %}", "<s>", "</s>")?;
//! let rendered = template.render(&ChatRequest::new([Message::user("Hi")]))?;
//! assert_eq!(rendered.prompt, "<user>Hi</s><assistant>");
//! let answer = rendered.parser()?.parse("Hello!")?;
//! assert_eq!(answer.content, "Hello!");
//! # Ok::<(), llama_core::chat::ChatError>(())
//! ```

mod error;
mod message;
mod native;
mod parser;
mod rendered;
mod request;
mod stream;
mod template;
mod tool;

pub use error::{ChatError, Feature};
pub use message::{AssistantMessage, Content, Message, Role, TextPart};
pub use parser::ChatParser;
pub use rendered::{ChatGrammar, GrammarTrigger, RenderedPrompt};
pub use request::{ChatRequest, Continuation, Reasoning, ResponseFormat};
pub use stream::{ChatDelta, ChatStream};
pub use template::{ChatTemplate, TemplateCaps, schema_to_grammar};
pub use tool::{Tool, ToolCall, ToolChoice};
