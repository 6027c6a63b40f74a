// Sampling: one chain, the candidates it works on, and a way out of every state upstream's stages do not expect.
//
// Upstream's stages abort on an empty set of candidates, and fall into undefined order or probabilities on NaN, +inf and
// all -inf. So the candidates are checked in the loop that fills them, and the choice is checked after the chain ran.
#include "guard.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

namespace {

// Upstream sorts by `int(6.4 * logit + 64)`, which is undefined far beyond this; no model comes near it.
constexpr float LOGIT_LIMIT = 1e8f;
// No token, and not the one that upstream's adaptive-p takes for "none yet".
constexpr llama_token NOT_A_TOKEN = -2;

struct free_chain {
    void operator()(llama_sampler * chain) const { llama_sampler_free(chain); }
};

using chain_ptr = std::unique_ptr<llama_sampler, free_chain>;

// The largest logit; the first one where several are equal.
struct best {
    float logit = -INFINITY;
    llama_token id = LLAMA_TOKEN_NULL;

    void see(float other, llama_token other_id) {
        if (other > logit) {
            logit = other;
            id = other_id;
        }
    }
};

} // namespace

struct lrs_sampler {
    chain_ptr chain;
    int32_t n_vocab;
    bool greedy;
    std::vector<llama_logit_bias> biases;
    std::vector<llama_token_data> buffer;

    lrs_sampler(chain_ptr && chain, int32_t n_vocab, bool greedy, std::vector<llama_logit_bias> && biases) :
        chain(std::move(chain)), n_vocab(n_vocab), greedy(greedy), biases(std::move(biases)) {}

    bool takes_argmax() const { return greedy && biases.empty(); }

    // Runs the chain over candidates that hold at least one finite logit, `top` being the largest.
    int32_t choose(llama_token_data_array & candidates, const best & top, llama_token * out) {
        if (!greedy) {
            llama_sampler_apply(chain.get(), &candidates);
            const int64_t i = candidates.selected;
            if (i >= 0 && (size_t) i < candidates.size) {
                const llama_token_data & chosen = candidates.data[i];
                // NaN: a stage scaled the best logit to infinity (a dynamic temperature next to zero). -inf: a draw of
                // exactly zero fell on a banned token. Both leave the best candidate as the only sensible answer.
                if (!std::isnan(chosen.p) && chosen.logit != -INFINITY) {
                    *out = chosen.id;
                    return LRS_OK;
                }
            }
        }
        *out = top.id;
        for (size_t i = 0; i < candidates.size; i++) {
            if (candidates.data[i].id == top.id) {
                candidates.selected = (int64_t) i;
                return LRS_OK;
            }
        }
        return LRS_OK;
    }
};

int32_t lrs_sampler_new(llama_sampler * chain, lrs_sampler_params params, lrs_sampler ** out) {
    return lrs::guard([&]() -> int32_t {
        chain_ptr owned(chain);
        std::vector<llama_logit_bias> biases(params.biases, params.biases + params.n_biases);
        *out = new lrs_sampler(std::move(owned), params.n_vocab, params.greedy, std::move(biases));
        return LRS_OK;
    });
}

void lrs_sampler_free(lrs_sampler * sampler) {
    delete sampler;
}

int32_t lrs_sampler_clone(const lrs_sampler * sampler, lrs_sampler ** out) {
    return lrs::guard([&]() -> int32_t {
        chain_ptr chain(llama_sampler_clone(sampler->chain.get()));
        // A cloned adaptive-p remembers the choice it waits for, but not the probabilities it would look that choice
        // up in. Any other token makes it forget; the stages before it are told nothing.
        const int32_t n = llama_sampler_chain_n(chain.get());
        if (n > 0) {
            llama_sampler * last = llama_sampler_chain_get(chain.get(), n - 1);
            if (std::string_view(llama_sampler_name(last)) == "adaptive-p") {
                llama_sampler_accept(last, NOT_A_TOKEN);
            }
        }
        std::vector<llama_logit_bias> biases = sampler->biases;
        *out = new lrs_sampler(std::move(chain), sampler->n_vocab, sampler->greedy, std::move(biases));
        return LRS_OK;
    });
}

int32_t lrs_sampler_reset(lrs_sampler * sampler) {
    return lrs::guard([&]() -> int32_t {
        llama_sampler_reset(sampler->chain.get());
        return LRS_OK;
    });
}

int32_t lrs_sampler_sample(lrs_sampler * sampler, const float * logits, const uint32_t * allowed, llama_token * out) {
    return lrs::guard([&]() -> int32_t {
        const int32_t n_vocab = sampler->n_vocab;
        best top;
        bool usable = true;

        if (sampler->takes_argmax()) {
            for (int32_t id = 0; id < n_vocab; id++) {
                const float logit = logits[id];
                usable &= logit < LOGIT_LIMIT;
                if (!allowed || (allowed[id / 32] >> (id % 32) & 1)) {
                    top.see(logit, id);
                }
            }
            if (!usable) {
                return LRS_BAD_LOGITS;
            }
            if (top.id == LLAMA_TOKEN_NULL) {
                return LRS_NO_CANDIDATE;
            }
            *out = top.id;
            return LRS_OK;
        }

        // Room for every candidate, from the first row on that needs it: with a short list of them none does.
        sampler->buffer.resize(n_vocab);
        llama_token_data * data = sampler->buffer.data();
        for (int32_t id = 0; id < n_vocab; id++) {
            const float logit = logits[id];
            usable &= logit < LOGIT_LIMIT;
            data[id] = { id, logit, 0.0f };
        }
        if (!usable) {
            return LRS_BAD_LOGITS;
        }
        if (allowed) {
            for (int32_t id = 0; id < n_vocab; id++) {
                if (!(allowed[id / 32] >> (id % 32) & 1)) {
                    data[id].logit = -INFINITY;
                }
            }
        }
        for (const llama_logit_bias & bias : sampler->biases) {
            data[bias.token].logit += bias.bias;
        }
        for (int32_t id = 0; id < n_vocab; id++) {
            top.see(data[id].logit, id);
        }
        if (top.id == LLAMA_TOKEN_NULL) {
            return LRS_NO_CANDIDATE;
        }
        llama_token_data_array candidates = { data, (size_t) n_vocab, -1, false };
        return sampler->choose(candidates, top, out);
    });
}

int32_t lrs_sampler_apply(lrs_sampler * sampler, llama_token_data_array * candidates, llama_token * out) {
    return lrs::guard([&]() -> int32_t {
        const auto & biases = sampler->biases;
        best top;
        for (size_t i = 0; i < candidates->size; i++) {
            llama_token_data & candidate = candidates->data[i];
            if (!(candidate.logit < LOGIT_LIMIT)) {
                return LRS_BAD_LOGITS;
            }
            const auto bias = std::lower_bound(
                biases.begin(), biases.end(), candidate.id,
                [](const llama_logit_bias & entry, llama_token id) { return entry.token < id; });
            if (bias != biases.end() && bias->token == candidate.id) {
                candidate.logit += bias->bias;
            }
            top.see(candidate.logit, candidate.id);
        }
        if (top.id == LLAMA_TOKEN_NULL) {
            return LRS_NO_CANDIDATE;
        }
        return sampler->choose(*candidates, top, out);
    });
}

int32_t lrs_sampler_accept(lrs_sampler * sampler, llama_token token) {
    return lrs::guard([&]() -> int32_t {
        llama_sampler_accept(sampler->chain.get(), token);
        return LRS_OK;
    });
}

int32_t lrs_sampler_init_dry(
    const llama_vocab * vocab,
    float multiplier,
    float base,
    int32_t allowed_length,
    int32_t penalty_last_n,
    const char ** breakers,
    size_t n_breakers,
    llama_sampler ** out) {
    return lrs::guard([&]() -> int32_t {
        *out = llama_sampler_init_dry(vocab, multiplier, base, allowed_length, penalty_last_n, breakers, n_breakers);
        return *out ? LRS_OK : LRS_NULL;
    });
}

int32_t lrs_sampler_init_infill(const llama_vocab * vocab, llama_sampler ** out) {
    return lrs::guard([&]() -> int32_t {
        *out = llama_sampler_init_infill(vocab);
        return *out ? LRS_OK : LRS_NULL;
    });
}
