#include "chat_memo.h"

#include "chat_limits.h"

#include "chat-auto-parser.h"
#include "json.h"

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace lrs {

namespace {

constexpr size_t max_entries = 16;
constexpr size_t max_bytes = 4 * 1024 * 1024;
constexpr size_t max_entry_bytes = 1024 * 1024;

// Which code upstream uses is decided by the source alone.
bool is_generic(const common_chat_template & tmpl) {
    autoparser::generation_params params;
    params.messages = common_json::array();
    params.messages.push_back({{"role", "user"}, {"content", "x"}});
    params.add_generation_prompt = true;
    try {
        return !common_chat_try_specialized_template(tmpl, tmpl.source(), params).has_value();
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception &) {
        return false;
    } catch (const limits::exceeded &) {
        return false;
    }
}

// Lengths go first, so that no two lists of parts look alike.
void add(std::string & key, const std::string & part) {
    key += std::to_string(part.size());
    key += ':';
    key += part;
}

std::string key_of(const common_chat_templates_inputs & inputs, const std::string & generation_prompt) {
    std::string key;
    add(key, generation_prompt);
    add(key, inputs.json_schema);
    add(key, std::to_string(static_cast<int>(inputs.tool_choice)));
    add(key, std::to_string(static_cast<int>(inputs.reasoning_format)));
    key += inputs.parallel_tool_calls ? 'p' : '-';
    key += inputs.enable_thinking ? 't' : '-';
    key += inputs.add_generation_prompt ? 'g' : '-';
    for (const auto & tool : inputs.tools) {
        add(key, tool.name);
        add(key, tool.description);
        add(key, tool.parameters);
    }
    return key;
}

} // namespace

chat_memo::chat_memo(const common_chat_template & tmpl, const common_chat_template * tool_use) :
    generic(is_generic(tmpl)), generic_tool_use(tool_use == nullptr ? generic : is_generic(*tool_use)) {}

bool chat_memo::covers(const common_chat_templates_inputs & inputs) const {
    if (inputs.continue_final_message != COMMON_CHAT_CONTINUATION_NONE || !inputs.grammar.empty()) {
        return false;
    }
    return inputs.tools.empty() ? generic : generic_tool_use;
}

common_chat_params chat_memo::apply(
    const common_chat_templates * templates,
    const common_chat_templates_inputs & inputs,
    uint64_t work,
    std::time_t now) {
    std::optional<common_chat_params> plain;
    std::string key;
    if (covers(inputs)) {
        auto only_prompt = inputs;
        only_prompt.force_pure_content = true;
        limits::budget budget(work, now);
        try {
            plain = common_chat_templates_apply(templates, only_prompt);
            key = key_of(inputs, plain->generation_prompt);
            common_chat_params known;
            if (find(key, known)) {
                known.prompt = std::move(plain->prompt);
                return known;
            }
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception &) {
            plain.reset(); // the whole rendering fails too, in words of its own
        }
    }
    limits::budget budget(work, now);
    auto params = common_chat_templates_apply(templates, inputs);
    if (plain && plain->prompt == params.prompt && plain->generation_prompt == params.generation_prompt) {
        keep(key, params);
    }
    return params;
}

bool chat_memo::find(const std::string & key, common_chat_params & out) {
    const std::lock_guard<std::mutex> held(lock);
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const entry & entry) { return entry.key == key; });
    if (found == entries.end()) {
        return false;
    }
    std::rotate(entries.begin(), found, found + 1);
    out = entries.front().params;
    return true;
}

void chat_memo::keep(const std::string & key, common_chat_params params) {
    params.prompt.clear();
    const size_t size = key.size() + params.parser.size() + params.grammar.size() + 1024;
    if (size > max_entry_bytes) {
        return;
    }
    const std::lock_guard<std::mutex> held(lock);
    // Another thread may have found out the same.
    if (std::any_of(entries.begin(), entries.end(), [&](const entry & entry) { return entry.key == key; })) {
        return;
    }
    while (!entries.empty() && (entries.size() >= max_entries || bytes + size > max_bytes)) {
        bytes -= entries.back().bytes;
        entries.pop_back();
    }
    entries.insert(entries.begin(), entry{key, std::move(params), size});
    bytes += size;
}

} // namespace lrs
