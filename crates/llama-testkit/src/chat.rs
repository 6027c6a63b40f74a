//! A chat template of our own in the ChatML manner, with tools, tool results and thoughts.

/// ChatML with tools.
///
/// Tools are listed in the system message as JSON. The assistant thinks in `<think>..</think>`, calls in
/// `<tool_call>{"name": .., "arguments": ..}</tool_call>`, and gets results as user turns in
/// `<tool_response>..</tool_response>`. Honours `add_generation_prompt` and `enable_thinking` (when false, the generation
/// prompt closes an empty thought). Thoughts of earlier turns are dropped, those since the last question kept.
pub const TOOLS: &str = include_str!("../data/tools.jinja");

/// Plain ChatML: each message between `<|im_start|>ROLE` and `<|im_end|>`, nothing else.
pub const PLAIN: &str = include_str!("../data/plain.jinja");
