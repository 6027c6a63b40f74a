// The chat functions: upstream's common/chat.h with JSON on both sides, under the limits of chat_limits.h.

#include "chat.h"

#include "chat_limits.h"
#include "chat_memo.h"
#include "guard.h"

// Upstream's header: by its plain name, ours would be found.
#include "jinja/../chat.h"
#include "json-schema-to-grammar.h"
#include "json.h"
#include "log.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

// Upstream keeps the definition of this type in its chat.cpp. It is repeated here, word for word in its layout, because
// the limits have to be installed in the two syntax trees. `templates_layout_agrees` checks it at every init.
struct common_chat_templates {
    bool add_bos;
    bool add_eos;
    bool has_explicit_template;
    std::unique_ptr<common_chat_template> template_default;
    std::unique_ptr<common_chat_template> template_tool_use;
};

struct lrs_chat_templates {
    common_chat_templates_ptr inner;
    bool stand_in; // nobody gave a template
    std::unique_ptr<lrs::chat_memo> memo;
};

struct lrs_chat_parser {
    common_chat_parser_params params;
};

namespace {

using lrs::limits::exceeded;

constexpr std::time_t last_printable_second = 253402300799; // the end of the year 9999: later dates have no struct tm

// A condition that has a status of its own, see chat.h.
struct refused {
    int32_t status;
    std::string why;
};

template <typename Body> int32_t guard(Body && body) noexcept {
    return lrs::guard([&]() -> int32_t {
        try {
            body();
            return LRS_OK;
        } catch (const exceeded & limit) {
            lrs::remember(limit.what.c_str());
            return LRS_CHAT_LIMIT;
        } catch (const refused & refusal) {
            lrs::remember(refusal.why.c_str());
            return refusal.status;
        }
    });
}

// Upstream's chat code writes warnings to stderr through a logger of its own, which no callback reaches.
void quiet() {
    static const bool once = [] {
        common_log_set_verbosity_thold(-1);
        return true;
    }();
    (void) once;
}

char * to_c(const std::string & text) {
    auto * copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (copy == nullptr) {
        throw std::bad_alloc();
    }
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

common_json read(const char * what, const char * text) {
    const std::string owned(text);
    lrs::limits::check_depth(what, owned);
    auto json = common_json::parse(owned);
    lrs::limits::check_keys(what, json);
    return json;
}

// Runs `body`, which reads an argument, and reports its errors as the caller's.
template <typename Body> auto reading(Body && body) {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception & error) {
        throw refused{LRS_CHAT_BAD_INPUT, error.what()};
    }
}

// Runs upstream's probes of the template once under the limits. Upstream then repeats the same probes without them.
void probe(const std::string & source) {
    if (source.size() > lrs::limits::max_source_bytes) {
        throw exceeded{"the template has " + std::to_string(source.size()) + " bytes; at most " +
                       std::to_string(lrs::limits::max_source_bytes) + " are taken"};
    }
    jinja::program program;
    try {
        const jinja::lexer_result lexed = jinja::lexer().tokenize(source);
        lrs::limits::check_tokens(lexed);
        program = jinja::parse_from_tokens(lexed);
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception & error) {
        throw refused{LRS_CHAT_BAD_TEMPLATE, error.what()};
    }
    lrs::limits::install(program);
    jinja::caps_get(program);
}

bool templates_layout_agrees(const common_chat_templates & templates) {
    return templates.template_default != nullptr &&
           common_chat_templates_source(&templates) == templates.template_default->src &&
           common_chat_templates_was_explicit(&templates) == templates.has_explicit_template;
}

common_chat_templates_ptr make(const llama_model * model, const char * source, const char * bos, const char * eos) {
    std::string override_source = source != nullptr ? source : "";
    if (override_source.empty() && model == nullptr) {
        override_source = "chatml"; // upstream's name for its default
    }
    lrs::limits::budget limits(0, std::time(nullptr));
    if (!override_source.empty() && override_source != "chatml") {
        probe(override_source);
    } else if (model != nullptr) {
        for (const char * name : {static_cast<const char *>(nullptr), "tool_use"}) {
            const char * own = llama_model_chat_template(model, name);
            if (own != nullptr) {
                probe(own);
            }
        }
    }
    auto templates = common_chat_templates_init(
        model, override_source, bos != nullptr ? bos : "", eos != nullptr ? eos : "");
    if (!templates_layout_agrees(*templates)) {
        throw std::runtime_error("this build of llama.cpp lays out its chat templates in an unknown way");
    }
    for (auto * tmpl : {templates->template_default.get(), templates->template_tool_use.get()}) {
        if (tmpl != nullptr) {
            lrs::limits::install(tmpl->prog);
        }
    }
    return templates;
}

std::time_t now_of(const common_json & inputs) {
    if (!inputs.contains("now") || inputs.at("now").is_null()) {
        return std::time(nullptr);
    }
    const auto now = inputs.at("now").get<long long>();
    if (now < 0 || now > last_printable_second) {
        throw std::invalid_argument("'now' is not a time between the years 1970 and 9999");
    }
    return static_cast<std::time_t>(now);
}

std::string local_date(std::time_t now, const char * format) {
    const std::tm * parts = std::localtime(&now);
    char text[64];
    if (parts == nullptr || std::strftime(text, sizeof(text), format, parts) == 0) {
        throw std::runtime_error("the time cannot be written as a date");
    }
    return text;
}

// The object with `key` in `inputs`, or null.
common_json part(const common_json & inputs, const std::string & key) {
    return inputs.contains(key) ? inputs.at(key) : common_json();
}

// Upstream reads some texts as JSON, whose depth the check of the whole request does not see.
void check_embedded_json(const common_chat_msg & message) {
    for (const auto & call : message.tool_calls) {
        lrs::limits::check_depth("the arguments of a tool call", call.arguments);
    }
    if (message.role == "tool" && !common_json::parse_no_throw(message.content).is_discarded()) {
        lrs::limits::check_depth("the result of a tool", message.content);
    }
}

common_chat_templates_inputs read_inputs(const common_json & inputs, std::time_t now) {
    if (!inputs.is_object()) {
        throw std::invalid_argument("the inputs are not a JSON object");
    }
    common_chat_templates_inputs out;
    out.messages = common_chat_msgs_parse_oaicompat(inputs.at("messages"));
    out.tools = common_chat_tools_parse_oaicompat(part(inputs, "tools"));
    for (const auto & message : out.messages) {
        check_embedded_json(message);
    }
    for (const auto & tool : out.tools) {
        const auto schema = common_json::parse(tool.parameters);
        if (tool.name.empty() || !schema.is_object()) {
            throw std::invalid_argument("a tool needs a name, and a JSON schema object as its parameters");
        }
    }
    out.tool_choice = common_chat_tool_choice_parse_oaicompat(inputs.value("tool_choice", "auto"));
    out.parallel_tool_calls = inputs.value("parallel_tool_calls", false);
    out.add_generation_prompt = inputs.value("add_generation_prompt", true);
    out.enable_thinking = inputs.value("enable_thinking", true);
    out.reasoning_format = common_reasoning_format_from_name(inputs.value("reasoning_format", "auto"));
    out.continue_final_message = common_chat_continuation_parse(part(inputs, "continue_final_message"));
    out.grammar = inputs.value("grammar", "");
    const auto schema = part(inputs, "json_schema");
    out.json_schema = schema.is_null() ? "" : schema.dump();
    out.now = std::chrono::system_clock::from_time_t(now);
    if (inputs.contains("now")) {
        out.chat_template_kwargs["datetime"] = common_json(local_date(now, "%b %d %Y")).dump();
        out.chat_template_kwargs["date_string"] = common_json(local_date(now, "%d %b %Y")).dump();
    }
    const auto args = part(inputs, "chat_template_kwargs");
    for (const auto & [name, val] : args.items()) {
        out.chat_template_kwargs[name] = val.dump();
    }
    return out;
}

const char * trigger_name(common_grammar_trigger_type type) {
    switch (type) {
        case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:        return "token";
        case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:         return "word";
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:      return "pattern";
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL: return "pattern_full";
    }
    return "unknown";
}

common_json rendered_json(const common_chat_params & params, const common_chat_templates_inputs & inputs) {
    auto triggers = common_json::array();
    for (const auto & trigger : params.grammar_triggers) {
        triggers.push_back({{"type", trigger_name(trigger.type)}, {"value", trigger.value}});
    }
    const common_json parser = {
        {"format", static_cast<int>(params.format)},
        {"reasoning_format", common_reasoning_format_name(inputs.reasoning_format)},
        {"generation_prompt", params.generation_prompt},
        {"is_continuation", inputs.continue_final_message != COMMON_CHAT_CONTINUATION_NONE},
        {"parse_tool_calls", !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE},
        {"arena", params.parser},
    };
    return {
        {"prompt", params.prompt},
        {"format", common_chat_format_name(params.format)},
        {"grammar", params.grammar},
        {"grammar_lazy", params.grammar_lazy},
        {"grammar_triggers", triggers},
        {"preserved_tokens", params.preserved_tokens},
        {"additional_stops", params.additional_stops},
        {"generation_prompt", params.generation_prompt},
        {"supports_thinking", params.supports_thinking},
        {"thinking_start_tag", params.thinking_start_tag},
        {"thinking_end_tags", params.thinking_end_tags},
        {"parser", parser},
    };
}

common_chat_parser_params read_parser(const common_json & json) {
    common_chat_parser_params params;
    const int format = json.at("format").get<int>();
    if (format < 0 || format >= COMMON_CHAT_FORMAT_COUNT) {
        throw std::invalid_argument("unknown chat format " + std::to_string(format));
    }
    params.format = static_cast<common_chat_format>(format);
    params.reasoning_format = common_reasoning_format_from_name(json.value("reasoning_format", "none"));
    params.generation_prompt = json.value("generation_prompt", "");
    params.is_continuation = json.value("is_continuation", false);
    params.parse_tool_calls = json.value("parse_tool_calls", true);
    const std::string arena = json.value("arena", "");
    if (!arena.empty()) {
        params.parser.load(arena);
    }
    return params;
}

common_json message_json(const common_chat_msg & message) {
    auto calls = common_json::array();
    for (const auto & call : message.tool_calls) {
        calls.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
    }
    return {
        {"role", message.role},
        {"content", message.content.empty() ? message.render_content("\n") : message.content},
        {"reasoning_content", message.reasoning_content},
        {"tool_calls", calls},
    };
}

} // namespace

int32_t lrs_chat_templates_init(
    const llama_model * model, const char * source, const char * bos, const char * eos, lrs_chat_templates ** out) {
    return guard([&] {
        quiet();
        const bool stand_in = model == nullptr && source == nullptr;
        auto inner = make(model, source, bos, eos);
        lrs::limits::budget limits(0, std::time(nullptr));
        auto memo = std::make_unique<lrs::chat_memo>(*inner->template_default, inner->template_tool_use.get());
        *out = new lrs_chat_templates{std::move(inner), stand_in, std::move(memo)};
    });
}

void lrs_chat_templates_free(lrs_chat_templates * templates) {
    delete templates;
}

int32_t lrs_chat_templates_info(const lrs_chat_templates * templates, char ** out_json) {
    return guard([&] {
        const common_json info = {
            {"source", common_chat_templates_source(templates->inner.get())},
            {"tool_use_source", common_chat_templates_source(templates->inner.get(), "tool_use")},
            {"explicit", !templates->stand_in && common_chat_templates_was_explicit(templates->inner.get())},
            {"caps", common_chat_templates_get_caps(templates->inner.get())},
        };
        *out_json = to_c(info.dump_safe());
    });
}

int32_t lrs_chat_apply(const lrs_chat_templates * templates, const char * inputs_json, char ** out_json) {
    return guard([&] {
        quiet();
        std::time_t now = 0;
        const auto inputs = reading([&] {
            const auto json = read("the request", inputs_json);
            now = now_of(json);
            return read_inputs(json, now);
        });
        const uint64_t work = 2000 * static_cast<uint64_t>(inputs.messages.size() + inputs.tools.size());
        const auto params = templates->memo->apply(templates->inner.get(), inputs, work, now);
        *out_json = to_c(rendered_json(params, inputs).dump_safe());
    });
}

int32_t lrs_chat_parser_init(const char * parser_json, lrs_chat_parser ** out) {
    return guard([&] {
        quiet();
        *out = new lrs_chat_parser{reading([&] { return read_parser(common_json::parse(parser_json)); })};
    });
}

void lrs_chat_parser_free(lrs_chat_parser * parser) {
    delete parser;
}

int32_t lrs_chat_parser_parse(
    const lrs_chat_parser * parser, const char * text, size_t len, bool partial, char ** out_json) {
    return guard([&] {
        const size_t depth = lrs::limits::bracket_depth(text, len);
        if (depth > lrs::limits::max_text_depth) {
            throw exceeded{"the text nests brackets " + std::to_string(depth) + " deep; at most " +
                           std::to_string(lrs::limits::max_text_depth) + " are taken"};
        }
        common_chat_msg message;
        try {
            message = common_chat_parse(std::string(text, len), partial, parser->params);
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception & error) {
            throw refused{LRS_CHAT_MISMATCH, error.what()};
        }
        *out_json = to_c(message_json(message).dump_safe());
    });
}

size_t lrs_chat_text_depth(const char * text, size_t len) {
    return lrs::limits::bracket_depth(text, len);
}

int32_t lrs_json_schema_to_grammar(const char * schema_json, char ** out_gbnf) {
    return guard([&] {
        quiet();
        const auto schema = reading([&] { return read("the schema", schema_json); });
        *out_gbnf = to_c(reading([&] { return json_schema_to_grammar(schema, /* force_gbnf= */ true); }));
    });
}
