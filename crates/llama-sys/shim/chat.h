// Chat templates and the parsing of what a model writes: JSON in, JSON out over upstream's common/chat.h.
//
// Templates come with models, so they are data from strangers: every call here works under the limits of chat_limits.h.
// Rendering and deep inputs recurse: call everything but lrs_chat_parser_parse() of flat text on a stack of
// LRS_CHAT_STACK bytes. Objects are immutable once made: any thread may use them, also several at once.
#pragma once

#include "shim.h"

// Bytes of stack that the limits here are made for. Little of it is touched in ordinary use.
#define LRS_CHAT_STACK (256u * 1024 * 1024)
// A template or an input is beyond a limit; lrs_last_error() says which.
#define LRS_CHAT_LIMIT (-20)
// The source is no valid template.
#define LRS_CHAT_BAD_TEMPLATE (-21)
// An argument is not the JSON that the function asks for.
#define LRS_CHAT_BAD_INPUT (-22)
// The text does not follow the format that the parser was made for.
#define LRS_CHAT_MISMATCH (-23)

#ifdef __cplusplus
extern "C" {
#endif

struct lrs_chat_templates;
struct lrs_chat_parser;

// `source` replaces the template of the model; without either, plain ChatML is used. `bos` and `eos` are only read when
// there is no model. All but `out` may be NULL. Also returns LRS_CHAT_BAD_TEMPLATE and LRS_CHAT_LIMIT.
int32_t lrs_chat_templates_init(
    const struct llama_model * model,
    const char * source,
    const char * bos,
    const char * eos,
    struct lrs_chat_templates ** out);
void lrs_chat_templates_free(struct lrs_chat_templates * templates);

// {source, tool_use_source, explicit, caps: {name: bool}}
int32_t lrs_chat_templates_info(const struct lrs_chat_templates * templates, char ** out_json);

// Renders. Also returns LRS_CHAT_BAD_INPUT and LRS_CHAT_LIMIT. `inputs_json`, every key but messages optional:
//   messages, tools: as in OpenAI's chat completions;  tool_choice: "auto" | "required" | "none"
//   parallel_tool_calls, add_generation_prompt, enable_thinking: bool
//   reasoning_format: "none" | "auto" | "deepseek" | "deepseek-legacy"
//   json_schema: a schema;  grammar: GBNF;  chat_template_kwargs: {name: any};  now: Unix seconds
//   continue_final_message: true | "content" | "reasoning_content"
// Result: {prompt, format, grammar, grammar_lazy, grammar_triggers: [{type, value}], preserved_tokens, additional_stops,
//   generation_prompt, supports_thinking, thinking_start_tag, thinking_end_tags, parser}; `parser` goes as it is to
//   lrs_chat_parser_init().
int32_t lrs_chat_apply(const struct lrs_chat_templates * templates, const char * inputs_json, char ** out_json);

// `parser_json` is the `parser` of lrs_chat_apply(). Also returns LRS_CHAT_BAD_INPUT.
int32_t lrs_chat_parser_init(const char * parser_json, struct lrs_chat_parser ** out);
void lrs_chat_parser_free(struct lrs_chat_parser * parser);

// Splits what a model has written (whole, or so far when `partial`) into
// {role, content, reasoning_content, tool_calls: [{id, name, arguments}]}.
// Bytes that are not UTF-8 become U+FFFD. Also returns LRS_CHAT_MISMATCH and LRS_CHAT_LIMIT.
int32_t lrs_chat_parser_parse(
    const struct lrs_chat_parser * parser, const char * text, size_t len, bool partial, char ** out_json);

// How deep the brackets of `text` nest, counted without regard to quotes, so never too low.
// Up to LRS_CHAT_FLAT_DEPTH, lrs_chat_parser_parse() needs no more stack than any thread has.
size_t lrs_chat_text_depth(const char * text, size_t len);
#define LRS_CHAT_FLAT_DEPTH 16

// Also returns LRS_CHAT_BAD_INPUT and LRS_CHAT_LIMIT.
int32_t lrs_json_schema_to_grammar(const char * schema_json, char ** out_gbnf);

#ifdef __cplusplus
}
#endif
