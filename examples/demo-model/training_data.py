"""Generated texts as token ids: the tokenizer, which tokens count for the loss, and batches."""

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import documents, render
from prompts import PROMPTS

END, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TOKENIZER_SEED, TOKENIZER_TEXTS = 0, 30_000
SORTED_TOGETHER = 4000  # texts; more give less padding, fewer give a better mix


def letters(text):
    """The text without case, spaces and marks, so that a prompt is found in any spelling."""
    return "".join(c for c in text.lower() if c.isalnum())


def texts(seed):
    """Generated documents as plain text; whatever contains a held-out prompt is left out."""
    held_out = {letters(p["turns"][0]) for p in PROMPTS if len(p["turns"]) == 1 and not p["system"]}
    for doc in documents(seed):
        if "text" in doc:
            yield doc["text"] + END
        elif not any(letters(m["content"]) in held_out for m in doc["messages"] if m["role"] == "user"):
            yield render(doc["messages"])


def train_tokenizer(path, vocab_size):
    """Learns the merges from generated texts and saves the tokenizer at `path`."""
    tok = Tokenizer(models.BPE())
    # Digits are kept apart while learning the merges, so that numbers are always read digit by digit.
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, IM_START, IM_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator((t for _, t in zip(range(TOKENIZER_TEXTS), texts(TOKENIZER_SEED))), trainer)
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(False)  # the same as pre-tokenizer "gpt-2" of llama.cpp
    tok.save(path)
    return tok


def encode(tok, seed, n_tokens, n_ctx):
    """At least n_tokens tokens as a list of (token ids, loss mask); only answers and plain texts count for the loss."""
    start, stop, answer = tok.token_to_id(IM_START), tok.token_to_id(IM_END), tok.encode("assistant").ids
    docs, total, source = [], 0, texts(seed)
    while total < n_tokens:
        for enc in tok.encode_batch([next(source) for _ in range(1000)]):
            ids = enc.ids[:n_ctx]
            mask, counts = np.zeros(len(ids), bool), ids[0] != start
            for i, token in enumerate(ids):
                mask[i] = counts
                if token == stop:
                    counts = False
                elif ids[i - len(answer) : i] == answer and ids[i - len(answer) - 1] == start:
                    counts = True
            docs.append((np.array(ids, np.int16), mask))
            total += len(ids)
    return docs


def batches(docs, rng, size):
    """(inputs, targets, loss mask) of at most `size` padded tokens, in an order that `rng` decides.

    The texts of a batch are of similar length, so that little padding is needed; every text starts at position 0."""
    docs = docs[:]
    rng.shuffle(docs)
    for i in range(0, len(docs), SORTED_TOGETHER):
        chunk, group, groups = sorted(docs[i : i + SORTED_TOGETHER], key=lambda doc: len(doc[0])), [], []
        for doc in chunk:
            if group and (len(group) + 1) * len(doc[0]) > size:
                groups.append(group)
                group = []
            group.append(doc)
        groups.append(group)
        rng.shuffle(groups)
        yield from map(padded, groups)


def padded(group):
    """One batch of texts that are sorted by length."""
    x = torch.zeros(len(group), len(group[-1][0]), dtype=torch.long)
    m = torch.zeros_like(x, dtype=torch.bool)
    for row, (ids, mask) in enumerate(group):
        x[row, : len(ids)] = torch.from_numpy(ids.astype(np.int64))
        m[row, : len(ids)] = torch.from_numpy(mask)
    return x[:, :-1], x[:, 1:], m[:, 1:]
