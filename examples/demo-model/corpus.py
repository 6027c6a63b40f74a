"""Seeded generator of the training texts. Run it to see some samples: python corpus.py 20"""

import random
import sys

from grammar import fill
from mix import general_turns
from stories import document
from system_prompts import PLAIN_SYSTEM, chat_affix, chat_name, chat_one_word, chat_role


def chat(rng):
    """A chat of one or several subjects, or one that a system prompt rules."""
    r = rng.random()
    if r < 0.05:
        system, turns = chat_one_word(rng)
    elif r < 0.09:
        system, turns = chat_name(rng)
    elif r < 0.12:
        system, turns = chat_role(rng)
    elif r < 0.145:
        system, turns = chat_affix(rng)
    else:
        system = fill(rng, PLAIN_SYSTEM) if rng.random() < 0.25 else None
        turns = general_turns(rng, rng.choices([1, 2, 3, 4, 6], [50, 22, 14, 9, 5])[0])
    messages = [{"role": "system", "content": system}] if system else []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def documents(seed):
    """Endless: dicts with a "text" (plain story) or "messages" (a chat). The same seed gives the same documents."""
    rng = random.Random(seed)
    while True:
        yield {"text": document(rng)} if rng.random() < 0.04 else chat(rng)


def render(messages):
    """The same text as the ChatML template in the GGUF file."""
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)


if __name__ == "__main__":
    for _, doc in zip(range(int(sys.argv[1]) if len(sys.argv) > 1 else 10), documents(7)):
        print(doc["text"] if "text" in doc else render(doc["messages"]), end="\n---\n")
