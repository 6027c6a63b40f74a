// Keeps a template from taking the process down: endless loops and recursion, strings and lists without end, values that
// hold themselves, a division by zero. Upstream's engine has no such limits.
//
// Upstream's syntax tree is public, so the checks are put into the tree: limits::install() replaces or wraps the few kinds
// of node that can do harm by nodes of ours that check and then do what upstream's node does.
#pragma once

#include "json.h"

#include "jinja/lexer.h"
#include "jinja/runtime.h"

#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

namespace lrs::limits {

// Not a std::exception: upstream swallows those while it probes what a template can do.
struct exceeded {
    std::string what;
};

// What one call may use. One exists per call, on the thread that makes it.
class budget {
  public:
    // `work` scales with the size of the input, so that long conversations pass. `now` is what strftime_now tells.
    budget(uint64_t work, std::time_t now);
    ~budget();
    budget(const budget &) = delete;
    budget & operator=(const budget &) = delete;

    static budget & current();

    // Counts steps; throws `exceeded` past the limit or after the time limit.
    void spend(uint64_t steps);
    // Counts bytes that the template makes.
    void charge(uint64_t bytes);
    void enter();
    void leave() { depth--; }

    std::time_t now;

  private:
    budget * outer;
    uint64_t steps_left;
    uint64_t bytes_left;
    std::time_t deadline;
    uint32_t depth = 0;
};

constexpr uint64_t max_string_bytes = 64ull * 1024 * 1024;
constexpr int64_t max_int_argument = 1'000'000;
constexpr size_t max_tree_depth = 256;
constexpr size_t max_source_bytes = 1024 * 1024;
constexpr size_t max_json_depth = 128;
constexpr size_t max_text_depth = 4096;

// Throws `exceeded` for sources whose parsing would recurse too deep.
void check_tokens(const jinja::lexer_result & lexed);
// Puts the checks into the tree. Throws `exceeded` for a tree that nests too deep.
void install(jinja::program & program);
// How deep brackets nest, quotes ignored.
size_t bracket_depth(const char * text, size_t len);
// Throws `exceeded` when JSON text nests too deep. Parsing it is harmless, walking it is not.
void check_depth(const char * what, const std::string & text);
// Throws `exceeded` when a key is longer than any name needs to be: upstream runs a recursing regex over keys.
void check_keys(const char * what, const common_json & json);

// For the checking nodes.

uint64_t text_length(const jinja::value & val);
bool holds_values(const jinja::value & val);
// Gives `val` back; throws `exceeded` when it nests too deep, is too large or holds itself.
jinja::value measured(jinja::value val);
// Which built-in functions can make much out of little, or divide.
bool is_sized(const std::string & name);
// Checks a call of a built-in function: `input` is what stands before the dot or the bar.
void check_builtin(const std::string & name, const jinja::value & input, const std::vector<jinja::value> & args);

} // namespace lrs::limits
