// Remembers what rendering finds out about a template, so that only the first of many alike renderings takes milliseconds.
//
// For most templates upstream finds out the format of answers by rendering some hundred probes, and makes a parser and a
// grammar from it, anew at every rendering. All of that depends on the template, on what is asked for beside the messages
// (tools, schema, flags), and on the generation prompt; the messages decide the prompt alone. So the prompt and the
// generation prompt are rendered each time, and the rest is kept under the others as its key.
//
// Some families have code of their own upstream, which may look at the messages; those need no probes, and are not kept.
#pragma once

#include "jinja/../chat.h"

#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <vector>

namespace lrs {

class chat_memo {
  public:
    // `tmpl` or, for requests with tools, `tool_use`, which may be null, is rendered. Needs a budget of chat_limits.h.
    chat_memo(const common_chat_template & tmpl, const common_chat_template * tool_use);

    // What common_chat_templates_apply() answers, within the limits for `work` and `now`. Any thread may call it.
    common_chat_params apply(
        const common_chat_templates * templates, const common_chat_templates_inputs & inputs, uint64_t work, std::time_t now);

  private:
    struct entry {
        std::string key;
        common_chat_params params; // without the prompt
        size_t bytes;
    };

    bool covers(const common_chat_templates_inputs & inputs) const;
    bool find(const std::string & key, common_chat_params & out);
    void keep(const std::string & key, common_chat_params params);

    bool generic;          // the template has no code of its own upstream
    bool generic_tool_use; // and neither has the one for tools
    std::mutex lock;
    std::vector<entry> entries; // what was used last comes first
    size_t bytes = 0;
};

} // namespace lrs
