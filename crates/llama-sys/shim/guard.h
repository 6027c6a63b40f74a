// The one place where C++ exceptions end.
#pragma once

#include "shim.h"

#include <exception>

namespace lrs {

// Remembers why a call failed, for lrs_last_error(). Never throws, never allocates.
void remember(const char * message) noexcept;

// Runs `body`, which returns a status, and turns any exception into LRS_THROWN.
template <typename Body> int32_t guard(Body && body) noexcept {
    try {
        return body();
    } catch (const std::exception & error) {
        remember(error.what());
    } catch (...) {
        remember("an exception that carries no message");
    }
    return LRS_THROWN;
}

} // namespace lrs
