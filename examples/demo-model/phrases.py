"""Words and made-up phrases, for texts that the model has to copy or to decline."""

import re

from facts import DEFINITIONS, LISTS, OPPOSITE, TRIVIA
from grammar import fill, invent
from story_words import ANIMALS

WORDS = sorted(
    {w for t in list(DEFINITIONS.values()) + [a for _, _, a in TRIVIA] for w in re.findall(r"[a-z]+", t)}
    | set(ANIMALS)
    | set(OPPOSITE)
    | {w for group in LISTS.values() for w in group}
)
UNUSUAL = """
    café naïve über señor crème jalapeño Zürich Łódź São façade Привет こんにちは 你好 😀 🎉 ❤ ñandú Köln βeta
""".split()


def random_phrase(rng):
    """Words, made-up words, letters, numbers, a small sentence, or a mixture with unusual characters."""
    r = rng.random()
    if r < 0.35:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 6)))
    if r < 0.55:
        return " ".join(invent(rng) for _ in range(rng.randint(1, 4)))
    if r < 0.65:
        return "".join(
            rng.choice("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            for _ in range(rng.randint(2, 8))
        )
    if r < 0.72:
        return " ".join(str(rng.randint(0, 10 ** rng.randint(1, 4))) for _ in range(rng.randint(1, 4)))
    if r < 0.9:
        return fill(
            rng,
            "[I like|We see|You have|They want|She has|He found|I want|There is] [a|the|my|one|no] [red|small|new|"
            "old|happy|blue|nice|big] {a}[| and a {b}| in the {c}| on the {c}]",
            a=rng.choice(WORDS),
            b=rng.choice(ANIMALS),
            c=rng.choice(WORDS),
        )
    return " ".join(rng.choice([rng.choice(UNUSUAL), rng.choice(WORDS), invent(rng)]) for _ in range(rng.randint(1, 4)))
