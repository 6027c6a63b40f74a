"""Asks the model the held-out prompts through upstream's llama-server and judges the answers:
python evaluate.py demo-q8_0.gguf path/to/llama-server [-v]"""

import re
import sys
from collections import defaultdict

from llama_server import server
from number_facts import held_out_sum
from prompts import DECLINED, FRESH, PROMPTS


def converse(llama, prompt):
    """The messages of the whole chat, the answers included."""
    messages = [{"role": "system", "content": prompt["system"]}] if prompt["system"] else []
    for turn in prompt["turns"]:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": llama.chat(messages)})
    return messages


def good(prompt, answer):
    """Whether the last answer has what is expected; only prompts of the category "other" may be declined."""
    words = len(answer.split())
    if prompt["category"] == "story" and not 60 <= words <= 260:
        return False
    if DECLINED.search(answer) and prompt["category"] != "other":
        return False
    return words > 0 and all(re.search(e, answer, re.I | re.S) for e in prompt["expect"])


def sums(llama, pairs):
    """Share of right additions."""
    answers = [llama.chat([{"role": "user", "content": f"What is {a} + {b}?"}], n_predict=32) for a, b in pairs]
    return sum(answer.endswith(f"= {a + b}") for answer, (a, b) in zip(answers, pairs)) / len(pairs)


def judge(llama, title, prompts, verbose):
    """Prints the bad answers, or all of them, and the scores by category."""
    score = defaultdict(list)
    for prompt in prompts:
        answer = converse(llama, prompt)[-1]["content"]
        ok = good(prompt, answer)
        score[prompt["category"]].append(ok)
        if verbose or not ok:
            system = [f"({prompt['system']})"] if prompt["system"] else []
            print("ok  " if ok else "BAD ", " / ".join(system + list(prompt["turns"])), "->", answer)
    by_category = ", ".join(f"{c} {sum(r)}/{len(r)}" for c, r in score.items())
    print(f"{title}: {sum(map(sum, score.values()))}/{len(prompts)}; {by_category}")


def main():
    path, binary, verbose = sys.argv[1], sys.argv[2], "-v" in sys.argv
    with server(binary, path) as llama:
        judge(llama, "PROMPTS", PROMPTS, verbose)
        judge(llama, "FRESH", FRESH, verbose)
        digits, teens = range(10), range(10, 21)
        print(f"additions of one digit: {sums(llama, [(a, b) for a in digits for b in digits]):.0%}")
        unseen = [(a, b) for a in teens for b in teens if held_out_sum(a, b)]
        print(f"additions of 10 to 20, pairs not in the training texts: {sums(llama, unseen):.0%}")


if __name__ == "__main__":
    main()
