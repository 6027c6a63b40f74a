// The C face of everything in llama.cpp that can throw, plus what upstream offers in C++ only.
//
// Rules of every function here:
// - It returns LRS_OK, LRS_THROWN (lrs_last_error() says why) or a status named at the function. No exception leaves it.
// - Arguments are not checked for what C cannot know; llama-core checks them first.
// - Out parameters are written only when LRS_OK is returned, unless the function says otherwise.
#pragma once

#include "llama.h"

#ifdef __cplusplus
extern "C" {
#endif

enum lrs_status {
    LRS_OK = 0,
    LRS_THROWN = -1,
    // A model, context, adapter or sampler came back null: the log of the call says why.
    LRS_NULL = -2,
    // The logits of a row hold a value that no model means: NaN, or 1e8 and more.
    LRS_BAD_LOGITS = -3,
    // Every candidate of a sampler is banned.
    LRS_NO_CANDIDATE = -4,
    // A file could not be opened, written or read back; errno says why.
    LRS_IO = -5,
};

// Why the last LRS_THROWN of this thread happened. Valid until the next lrs_ call of this thread.
const char * lrs_last_error(void);
// Frees a string that a function here returned through a `char **`.
void lrs_string_free(char * text);

// memory.cpp

// Bytes of main memory that programs can still take without swapping; 0 where the system does not tell.
uint64_t lrs_available_memory(void);

// model.cpp

int32_t lrs_model_load(const char ** paths, size_t n_paths, struct llama_model_params params, struct llama_model ** out);
// Upstream reads models from files only: where the system cannot read memory as one, the image is written to a temporary file.
int32_t lrs_model_load_bytes(const void * data, size_t len, struct llama_model_params params, struct llama_model ** out);
int32_t lrs_adapter_lora_load(struct llama_model * model, const char * path, struct llama_adapter_lora ** out);

int32_t lrs_tokenize(
    const struct llama_vocab * vocab,
    const char * text,
    int32_t text_len,
    llama_token * tokens,
    int32_t n_tokens_max,
    bool add_special,
    bool parse_special,
    int32_t * out);
int32_t lrs_token_to_piece(
    const struct llama_vocab * vocab, llama_token token, char * buf, int32_t len, bool special, int32_t * out);
int32_t lrs_detokenize(
    const struct llama_vocab * vocab,
    const llama_token * tokens,
    int32_t n_tokens,
    char * text,
    int32_t text_len_max,
    bool remove_special,
    bool unparse_special,
    int32_t * out);

// context.cpp

int32_t lrs_context_new(struct llama_model * model, struct llama_context_params params, struct llama_context ** out);
// `*out` is llama_decode's own code, see llama.h.
int32_t lrs_decode(struct llama_context * ctx, struct llama_batch batch, int32_t * out);
int32_t lrs_encode(struct llama_context * ctx, struct llama_batch batch, int32_t * out);
int32_t lrs_set_adapters_lora(
    struct llama_context * ctx, struct llama_adapter_lora ** adapters, size_t n_adapters, float * scales, int32_t * out);
int32_t lrs_set_adapter_cvec(
    struct llama_context * ctx, const float * data, size_t len, int32_t n_embd, int32_t il_start, int32_t il_end, int32_t * out);

int32_t lrs_memory_clear(struct llama_context * ctx, bool data);
int32_t lrs_memory_seq_rm(struct llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, bool * out);
int32_t lrs_memory_seq_cp(struct llama_context * ctx, llama_seq_id src, llama_seq_id dst, llama_pos p0, llama_pos p1);
int32_t lrs_memory_seq_add(struct llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, llama_pos delta);
int32_t lrs_memory_seq_div(struct llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, int32_t divisor);

int32_t lrs_state_seq_size(struct llama_context * ctx, llama_seq_id seq, uint32_t flags, size_t * out);
int32_t lrs_state_seq_get(
    struct llama_context * ctx, uint8_t * dst, size_t size, llama_seq_id seq, uint32_t flags, size_t * out);
int32_t lrs_state_seq_set(
    struct llama_context * ctx, const uint8_t * src, size_t size, llama_seq_id seq, uint32_t flags, size_t * out);

// What one buffer type of one device holds, in bytes.
struct lrs_memory_use {
    ggml_backend_dev_t device; // NULL for host memory that belongs to no device
    bool host;
    size_t model;
    size_t context;
    size_t compute;
};
// Writes at most `cap` entries and the true number to `*n`.
int32_t lrs_memory_breakdown(const struct llama_context * ctx, struct lrs_memory_use * out, size_t cap, size_t * n);

// sampler.cpp

// A sampler chain with the candidates it works on and the biases that come before its first stage. Grammars are not
// here: llama-core matches them itself and passes the tokens they allow.
struct lrs_sampler;

struct lrs_sampler_params {
    int32_t n_vocab;
    // The chain would choose the largest logit whatever its stages are: it is not asked.
    bool greedy;
    // Added to the logits before the chain; each token at most once, in ascending order. -INFINITY bans a token.
    const struct llama_logit_bias * biases;
    size_t n_biases;
};

// Takes ownership of `chain` (also on failure).
int32_t lrs_sampler_new(struct llama_sampler * chain, struct lrs_sampler_params params, struct lrs_sampler ** out);
void lrs_sampler_free(struct lrs_sampler * sampler);
int32_t lrs_sampler_clone(const struct lrs_sampler * sampler, struct lrs_sampler ** out);
int32_t lrs_sampler_reset(struct lrs_sampler * sampler);
// Chooses a token by `n_vocab` logits. `allowed` is NULL, or one bit per token (bit `id % 32` of word `id / 32`): tokens
// without a bit are banned. Does not accept the token. LRS_BAD_LOGITS, LRS_NO_CANDIDATE.
int32_t lrs_sampler_sample(
    struct lrs_sampler * sampler, const float * logits, const uint32_t * allowed, llama_token * out);
// Chooses among the given candidates; `data`, `size` and `selected` are as the chain left them, `data` within the array
// that came in. LRS_BAD_LOGITS, LRS_NO_CANDIDATE.
int32_t lrs_sampler_apply(struct lrs_sampler * sampler, llama_token_data_array * candidates, llama_token * out);
// Tells every stage that `token` was chosen.
int32_t lrs_sampler_accept(struct lrs_sampler * sampler, llama_token token);

// Stages that can throw while being built. `*out` is never NULL when LRS_OK is returned.
int32_t lrs_sampler_init_dry(
    const struct llama_vocab * vocab,
    float multiplier,
    float base,
    int32_t allowed_length,
    int32_t penalty_last_n,
    const char ** breakers,
    size_t n_breakers,
    struct llama_sampler ** out);
int32_t lrs_sampler_init_infill(const struct llama_vocab * vocab, struct llama_sampler ** out);

#ifdef __cplusplus
}
#endif

#include "chat.h"
