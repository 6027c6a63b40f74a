#include "chat_limits.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace lrs::limits {

using namespace jinja;

static constexpr uint64_t max_seconds = 10;
static constexpr uint64_t free_steps = 500'000;
static constexpr uint64_t max_made_bytes = 2ull * 1024 * 1024 * 1024;
static constexpr uint64_t max_estimate_bytes = 256ull * 1024 * 1024;
static constexpr uint64_t max_value_nodes = 4'000'000;
static constexpr size_t max_value_depth = 256;
static constexpr size_t max_call_depth = 256;
static constexpr size_t max_tokens_per_block = 10'000;
static constexpr size_t max_blocks = 10'000;
static constexpr size_t max_key_bytes = 4096;

static thread_local budget * active = nullptr;

static std::time_t seconds_now() {
    using namespace std::chrono;
    return duration_cast<seconds>(steady_clock::now().time_since_epoch()).count();
}

budget::budget(uint64_t work, std::time_t now) :
    now(now), outer(active), steps_left(free_steps + work), bytes_left(max_made_bytes),
    deadline(seconds_now() + static_cast<std::time_t>(max_seconds)) {
    active = this;
}

budget::~budget() {
    active = outer;
}

budget & budget::current() {
    if (active == nullptr) {
        throw std::logic_error("a guarded template ran outside of the calls that set its limits");
    }
    return *active;
}

void budget::spend(uint64_t steps) {
    if (steps > steps_left) {
        throw exceeded{"the template takes more loop steps and macro calls than any real one; it may be endless"};
    }
    steps_left -= steps;
    if (seconds_now() > deadline) {
        throw exceeded{"the template takes longer than " + std::to_string(max_seconds) + " seconds"};
    }
}

void budget::charge(uint64_t bytes) {
    if (bytes > max_string_bytes || bytes > bytes_left) {
        throw exceeded{"the template makes more text than fits in memory"};
    }
    bytes_left -= bytes;
}

void budget::enter() {
    spend(1);
    if (++depth > max_call_depth) {
        throw exceeded{"macros of the template call each other more than " + std::to_string(max_call_depth) + " deep"};
    }
}

bool holds_values(const value & val) {
    return val && (!val->val_arr.empty() || !val->val_obj.empty());
}

// How much a value would be if written out, and how deep: shared parts count each time, cycles count as endless.
// Reads the fields of all types alike, because this runs often and a cast per value would be most of the cost.
static void measure(const value & val, size_t depth, uint64_t & nodes, uint64_t & bytes) {
    if (!val) {
        return;
    }
    if (depth > max_value_depth || ++nodes > max_value_nodes) {
        throw exceeded{"a value that the template builds nests too deep, is too large, or holds itself"};
    }
    for (const auto & item : val->val_arr) {
        measure(item, depth + 1, nodes, bytes);
    }
    for (const auto & pair : val->val_obj) {
        measure(pair.first, depth + 1, nodes, bytes);
        measure(pair.second, depth + 1, nodes, bytes);
    }
    bytes += val->val_str.length();
    if (bytes > max_estimate_bytes) {
        throw exceeded{"a value that the template builds holds more text than fits in memory"};
    }
}

value measured(value val) {
    const auto * kwarg = cast_val<value_kwarg>(val);
    const value & plain = kwarg != nullptr ? kwarg->val : val;
    if (holds_values(plain)) {
        uint64_t nodes = 0;
        uint64_t bytes = 0;
        measure(plain, 0, nodes, bytes);
    }
    return val;
}

uint64_t text_length(const value & val) {
    return val && is_val<value_string>(val) ? val->val_str.length() : 0;
}

// Which built-in functions can make much out of little, or divide.
bool is_sized(const std::string & name) {
    static const std::vector<std::string> names = {"replace",    "join",   "indent", "slice",      "tojson", "split",
                                                   "rsplit",     "string", "format", "selectattr", "select", "reject",
                                                   "rejectattr", "map",    "append", "safe"};
    for (const auto & known : names) {
        if (known == name) {
            return true;
        }
    }
    return false;
}

// Checks a call of a built-in function: `input` is what stands before the dot or the bar.
void check_builtin(const std::string & name, const value & input, const std::vector<value> & args) {
    if (!is_sized(name)) {
        return;
    }
    uint64_t longest = 0;
    for (const auto & given : args) {
        const auto * kwarg = cast_val<value_kwarg>(given);
        const value & arg = kwarg != nullptr ? kwarg->val : given;
        longest = std::max<uint64_t>(longest, text_length(arg));
        if (is_val<value_int>(arg)) {
            const int64_t number = arg->as_int();
            if (number > max_int_argument || number < -max_int_argument) {
                throw exceeded{"'" + name + "' is called with the number " + std::to_string(number)};
            }
            longest = std::max<uint64_t>(longest, static_cast<uint64_t>(number < 0 ? 0 : number));
        }
        if (is_val<value_string>(arg) && arg->val_str.str() == "divisibleby") {
            throw exceeded{"the test 'divisibleby' inside '" + name + "' could divide by zero"};
        }
    }
    uint64_t nodes = 0;
    uint64_t bytes = 0;
    measure(input, 0, nodes, bytes);
    uint64_t pieces = 0; // how often at most an argument is written out
    if (name == "replace" || name == "indent" || name == "format") {
        pieces = bytes + 1;
    } else if (name == "join") {
        pieces = nodes;
    } else if (name == "tojson") {
        pieces = nodes * 8;
    } else {
        return;
    }
    if (pieces > max_estimate_bytes / (longest + 1)) {
        throw exceeded{"'" + name + "' would make more text than fits in memory"};
    }
    budget::current().charge(bytes);
}

void check_tokens(const lexer_result & lexed) {
    size_t in_block = 0;
    size_t blocks = 0;
    for (const auto & tok : lexed.tokens) {
        in_block++;
        if (tok.t == token::open_statement || tok.t == token::open_expression) {
            in_block = 0;
            blocks++;
        }
        if (in_block > max_tokens_per_block || blocks > max_blocks) {
            throw exceeded{"the template is larger than any real one"};
        }
    }
}

size_t bracket_depth(const char * text, size_t len) {
    size_t depth = 0;
    size_t deepest = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '[' || text[i] == '{') {
            deepest = std::max(deepest, ++depth);
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

// The true depth: brackets inside strings do not count, because any text may be quoted in a message.
static size_t json_depth(const std::string & text) {
    size_t depth = 0;
    size_t deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

void check_depth(const char * what, const std::string & text) {
    const size_t depth = json_depth(text);
    if (depth > max_json_depth) {
        throw exceeded{std::string(what) + " nests " + std::to_string(depth) + " levels deep; at most " +
                       std::to_string(max_json_depth) + " are taken"};
    }
}

void check_keys(const char * what, const common_json & json) {
    if (json.is_object()) {
        for (const auto & [key, val] : json.items()) {
            if (key.size() > max_key_bytes) {
                throw exceeded{std::string(what) + " has a key of " + std::to_string(key.size()) + " bytes"};
            }
            check_keys(what, val);
        }
    } else if (json.is_array()) {
        for (const auto & item : json) {
            check_keys(what, item);
        }
    }
}

} // namespace lrs::limits
