"""Compares the next-token log probabilities of the PyTorch model with those of upstream's llama-server:
python check_logits.py build demo-f16.gguf path/to/llama-server"""

import sys

import torch
from tokenizers import Tokenizer

from llama_server import server
from model import load

TEXTS = [
    "Once upon a time",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    (
        "<|im_start|>system\nYou are a pirate.<|im_end|>\n"
        "<|im_start|>user\nhi, I am Ana, 12 years old<|im_end|>\n<|im_start|>assistant\nArr! "
    ),
    (
        "A longer text, with numbers such as 1234 and 5,678.90, and with ünïcödé: 你好 😀.\n\n"
        "  Two spaces and a\ttab. "
    )
    * 6,
]
LIMITS = {"f16": 0.03, "q8_0": 0.5}  # largest difference allowed, by type


def main():
    build, path, binary = sys.argv[1:]
    model, tok, worst = load(f"{build}/model.pt"), Tokenizer.from_file(f"{build}/tokenizer.json"), 0.0
    limit = next(limit for kind, limit in LIMITS.items() if kind in path)
    with server(binary, path) as llama:
        for text in TEXTS:
            ids = tok.encode(text).ids
            assert ids == llama.tokenize(text), "the tokenizers differ"
            with torch.no_grad():
                ours = torch.log_softmax(model(torch.tensor([ids]))[0, -1], -1)
            probs = llama.complete(ids, n_predict=1, n_probs=len(ours))["completion_probabilities"][0]["top_logprobs"]
            diff = max(abs(ours[p["id"]].item() - p["logprob"]) for p in probs if p["logprob"] > -20)
            print(f"{len(ids)} tokens: largest difference {diff:.4f} over {len(probs)} log probabilities")
            worst = max(worst, diff)
    sys.exit(f"differs by more than {limit}" if worst > limit else 0)


if __name__ == "__main__":
    main()
