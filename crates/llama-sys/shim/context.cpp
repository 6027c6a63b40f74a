// Context: decoding, memory, state, adapters in use.
#include "guard.h"

#include "llama-ext.h"

int32_t lrs_context_new(llama_model * model, llama_context_params params, llama_context ** out) {
    return lrs::guard([&] {
        llama_context * ctx = llama_init_from_model(model, params);
        if (!ctx) {
            return LRS_NULL;
        }
        *out = ctx;
        return LRS_OK;
    });
}

int32_t lrs_decode(llama_context * ctx, llama_batch batch, int32_t * out) {
    return lrs::guard([&] {
        *out = llama_decode(ctx, batch);
        return LRS_OK;
    });
}

int32_t lrs_encode(llama_context * ctx, llama_batch batch, int32_t * out) {
    return lrs::guard([&] {
        *out = llama_encode(ctx, batch);
        return LRS_OK;
    });
}

int32_t lrs_set_adapters_lora(
    llama_context * ctx, llama_adapter_lora ** adapters, size_t n_adapters, float * scales, int32_t * out) {
    return lrs::guard([&] {
        *out = llama_set_adapters_lora(ctx, adapters, n_adapters, scales);
        return LRS_OK;
    });
}

int32_t lrs_set_adapter_cvec(
    llama_context * ctx, const float * data, size_t len, int32_t n_embd, int32_t il_start, int32_t il_end, int32_t * out) {
    return lrs::guard([&] {
        *out = llama_set_adapter_cvec(ctx, data, len, n_embd, il_start, il_end);
        return LRS_OK;
    });
}

int32_t lrs_memory_clear(llama_context * ctx, bool data) {
    return lrs::guard([&] {
        llama_memory_clear(llama_get_memory(ctx), data);
        return LRS_OK;
    });
}

int32_t lrs_memory_seq_rm(llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, bool * out) {
    return lrs::guard([&] {
        *out = llama_memory_seq_rm(llama_get_memory(ctx), seq, p0, p1);
        return LRS_OK;
    });
}

int32_t lrs_memory_seq_cp(llama_context * ctx, llama_seq_id src, llama_seq_id dst, llama_pos p0, llama_pos p1) {
    return lrs::guard([&] {
        llama_memory_seq_cp(llama_get_memory(ctx), src, dst, p0, p1);
        return LRS_OK;
    });
}

int32_t lrs_memory_seq_add(llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, llama_pos delta) {
    return lrs::guard([&] {
        llama_memory_seq_add(llama_get_memory(ctx), seq, p0, p1, delta);
        return LRS_OK;
    });
}

int32_t lrs_memory_seq_div(llama_context * ctx, llama_seq_id seq, llama_pos p0, llama_pos p1, int32_t divisor) {
    return lrs::guard([&] {
        llama_memory_seq_div(llama_get_memory(ctx), seq, p0, p1, divisor);
        return LRS_OK;
    });
}

int32_t lrs_state_seq_size(llama_context * ctx, llama_seq_id seq, uint32_t flags, size_t * out) {
    return lrs::guard([&] {
        *out = llama_state_seq_get_size_ext(ctx, seq, flags);
        return LRS_OK;
    });
}

int32_t lrs_state_seq_get(llama_context * ctx, uint8_t * dst, size_t size, llama_seq_id seq, uint32_t flags, size_t * out) {
    return lrs::guard([&] {
        *out = llama_state_seq_get_data_ext(ctx, dst, size, seq, flags);
        return LRS_OK;
    });
}

int32_t lrs_state_seq_set(
    llama_context * ctx, const uint8_t * src, size_t size, llama_seq_id seq, uint32_t flags, size_t * out) {
    return lrs::guard([&] {
        *out = llama_state_seq_set_data_ext(ctx, src, size, seq, flags);
        return LRS_OK;
    });
}

int32_t lrs_memory_breakdown(const llama_context * ctx, lrs_memory_use * out, size_t cap, size_t * n) {
    return lrs::guard([&] {
        const llama_memory_breakdown breakdown = llama_get_memory_breakdown(ctx);
        size_t i = 0;
        for (const auto & [buft, use] : breakdown) {
            if (i < cap) {
                const bool host = ggml_backend_buft_is_host(buft);
                out[i] = { ggml_backend_buft_get_device(buft), host, use.model, use.context, use.compute };
            }
            i++;
        }
        *n = i;
        return LRS_OK;
    });
}
