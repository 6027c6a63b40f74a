// Model, adapter and vocabulary.
#include "guard.h"

#include <cerrno>
#include <cstdio>
#include <memory>

namespace {

struct close_file {
    void operator()(FILE * file) const { std::fclose(file); }
};

using file_ptr = std::unique_ptr<FILE, close_file>;

// The image as a file. Where the system can read memory as one, nothing is written; elsewhere it is a temporary file.
file_ptr file_of(const void * data, size_t len) {
#ifdef __linux__
    // Only read from, which the mode says: the cast takes nothing away.
    return file_ptr(fmemopen(const_cast<void *>(data), len, "rb"));
#else
    file_ptr file(std::tmpfile());
    if (file && (std::fwrite(data, 1, len, file.get()) != len || std::fflush(file.get()) != 0 ||
                 std::fseek(file.get(), 0, SEEK_SET) != 0)) {
        file.reset();
    }
    return file;
#endif
}

} // namespace

int32_t lrs_model_load(const char ** paths, size_t n_paths, llama_model_params params, llama_model ** out) {
    return lrs::guard([&] {
        llama_model * model = n_paths == 1 ? llama_model_load_from_file(paths[0], params)
                                           : llama_model_load_from_splits(paths, n_paths, params);
        if (!model) {
            return LRS_NULL;
        }
        *out = model;
        return LRS_OK;
    });
}

int32_t lrs_model_load_bytes(const void * data, size_t len, llama_model_params params, llama_model ** out) {
    return lrs::guard([&] {
        const file_ptr file = file_of(data, len);
        if (!file) {
            return LRS_IO;
        }
        llama_model * model = llama_model_load_from_file_ptr(file.get(), params);
        if (!model) {
            return LRS_NULL;
        }
        *out = model;
        return LRS_OK;
    });
}

int32_t lrs_adapter_lora_load(llama_model * model, const char * path, llama_adapter_lora ** out) {
    return lrs::guard([&] {
        llama_adapter_lora * adapter = llama_adapter_lora_init(model, path);
        if (!adapter) {
            return LRS_NULL;
        }
        *out = adapter;
        return LRS_OK;
    });
}

int32_t lrs_tokenize(
    const llama_vocab * vocab,
    const char * text,
    int32_t text_len,
    llama_token * tokens,
    int32_t n_tokens_max,
    bool add_special,
    bool parse_special,
    int32_t * out) {
    return lrs::guard([&] {
        *out = llama_tokenize(vocab, text, text_len, tokens, n_tokens_max, add_special, parse_special);
        return LRS_OK;
    });
}

int32_t lrs_token_to_piece(
    const llama_vocab * vocab, llama_token token, char * buf, int32_t len, bool special, int32_t * out) {
    return lrs::guard([&] {
        *out = llama_token_to_piece(vocab, token, buf, len, 0, special);
        return LRS_OK;
    });
}

int32_t lrs_detokenize(
    const llama_vocab * vocab,
    const llama_token * tokens,
    int32_t n_tokens,
    char * text,
    int32_t text_len_max,
    bool remove_special,
    bool unparse_special,
    int32_t * out) {
    return lrs::guard([&] {
        *out = llama_detokenize(vocab, tokens, n_tokens, text, text_len_max, remove_special, unparse_special);
        return LRS_OK;
    });
}
