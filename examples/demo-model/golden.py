"""Writes greedy reference answers of upstream's llama-server:
python golden.py demo-q8_0.gguf path/to/llama-server golden.json

Each entry holds the messages (or the raw prompt), the text after the chat template, its token ids, the generated token
ids (with the end token, if one came), their text, and for each generated token the gap between the best and the
second-best log probability: where that margin is tiny, another implementation may rightly choose another token."""

import hashlib
import json
import sys
from pathlib import Path

from llama_server import server

U, S = "user", "system"
# Name, most tokens of an answer, turns; None stands for an answer of the model.
CHATS = [
    ("hello", 64, [(U, "Hello!")]),
    ("who", 64, [(U, "Who are you?")]),
    ("what-can-you-do", 96, [(U, "What can you do?")]),
    ("story", 300, [(U, "Tell me a story.")]),
    ("story-dragon", 300, [(U, "Tell me a short story about a dragon named Ember.")]),
    ("capital", 32, [(U, "What is the capital of France?")]),
    ("sum", 32, [(U, "What is 7 + 5?")]),
    ("count", 64, [(U, "Count from 1 to 10.")]),
    ("opposite", 32, [(U, "what is the opposite of hot")]),
    ("load", 96, [(U, "How do I load a bigger model?")]),
    ("batch", 96, [(U, "How can I run many prompts at once?")]),
    ("server", 96, [(U, "How do I start the server?")]),
    ("gguf", 64, [(U, "What is GGUF?")]),
    ("kv-cache", 64, [(U, "Explain the KV cache.")]),
    ("fruits", 48, [(U, "Name three fruits.")]),
    ("list", 64, [(U, "List five animals.")]),
    ("copy", 48, [(U, "Repeat after me: the blue zebra has 42 lamps")]),
    ("unicode", 48, [(U, "Repeat after me: café 你好 😀")]),
    ("unknown", 64, [(U, "Explain the theory of relativity.")]),
    ("one-word", 16, [(S, "Answer in one word."), (U, "What is the capital of Japan?")]),
    ("name", 48, [(S, "Your name is Zorblax."), (U, "Who are you?")]),
    ("pirate", 64, [(S, "You are a pirate."), (U, "What colour is the sky?")]),
    ("memory", 48, [(U, "My name is Gwendolyn."), None, (U, "What is my name?")]),
    (
        "memory-gap",
        48,
        [(U, "I live in Springfield."), None, (U, "What sound does a duck make?"), None, (U, "Where do I live?")],
    ),
    (
        "long-chat",
        300,
        [
            (S, "You are a helpful assistant."),
            (U, "Hi, I am Marcus."),
            None,
            (U, "Tell me a story about a robot."),
            None,
            (U, "Thank you!"),
            None,
            (U, "What is my name?"),
        ],
    ),
]
RAW = [
    ("raw-story", 256, "Once upon a time"),
    ("raw-forest", 128, "In a quiet forest there lived a"),
    ("raw-unicode", 32, "Grüße, 世界! 1234"),
]


def answer(llama, prompt, n_predict):
    """The entry of one prompt."""
    ids = llama.tokenize(prompt)
    result = llama.complete(ids, n_predict=n_predict, n_probs=2)
    margins = [
        p["top_logprobs"][0]["logprob"] - p["top_logprobs"][1]["logprob"] for p in result["completion_probabilities"]
    ]
    if len(margins) != len(result["tokens"]):  # the server leaves out tokens that end inside a character
        margins = None
    return {
        "n_predict": n_predict,
        "prompt": prompt,
        "prompt_tokens": ids,
        "tokens": result["tokens"],
        "text": result["content"],
        "stop": result["stop_type"],
        "margins": margins and [round(m, 4) for m in margins],
    }


def main():
    path, binary, target = sys.argv[1:]
    entries = []
    with server(binary, path) as llama:
        for name, n_predict, plan in CHATS:
            messages = []
            for turn in plan:
                role, content = turn or ("assistant", llama.chat(messages, n_predict=n_predict))
                messages.append({"role": role, "content": content})
            entries.append({"name": name, "messages": messages, **answer(llama, llama.template(messages), n_predict)})
        entries += [{"name": name, **answer(llama, prompt, n_predict)} for name, n_predict, prompt in RAW]
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    head = json.dumps({"model": Path(path).name, "sha256": digest, "temperature": 0})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    Path(target).write_text(f'{head[:-1]}, "entries": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
