#include "guard.h"

#include <cstdio>
#include <cstdlib>

// Fixed size, so that remembering cannot fail for want of memory: that may be what went wrong.
static thread_local char last_error[1024] = "";

namespace lrs {

void remember(const char * message) noexcept {
    std::snprintf(last_error, sizeof(last_error), "%s", message);
}

} // namespace lrs

const char * lrs_last_error(void) {
    return last_error;
}

void lrs_string_free(char * text) {
    std::free(text);
}
