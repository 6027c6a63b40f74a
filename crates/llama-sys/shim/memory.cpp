// Memory of the machine: ggml's CPU backend says that all of it is free.
#include "shim.h"

#if defined(__linux__)
#    include <cinttypes>
#    include <cstdio>
#elif defined(__APPLE__)
#    include <mach/mach.h>
#    include <unistd.h>
#elif defined(_WIN32)
#    include <windows.h>
#endif

uint64_t lrs_available_memory(void) {
#if defined(__linux__)
    uint64_t available = 0;
    if (FILE * file = std::fopen("/proc/meminfo", "re")) {
        char line[128];
        while (std::fgets(line, sizeof(line), file)) {
            uint64_t kib = 0;
            if (std::sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1) {
                available = kib * 1024;
                break;
            }
        }
        std::fclose(file);
    }
    return available;
#elif defined(__APPLE__)
    vm_statistics64_data_t stats;
    mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
    if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&stats), &count) != KERN_SUCCESS) {
        return 0;
    }
    const uint64_t pages = uint64_t(stats.free_count) + stats.inactive_count + stats.purgeable_count;
    return pages * uint64_t(sysconf(_SC_PAGESIZE));
#elif defined(_WIN32)
    MEMORYSTATUSEX status;
    status.dwLength = sizeof(status);
    return GlobalMemoryStatusEx(&status) ? status.ullAvailPhys : 0;
#else
    return 0;
#endif
}
