"""A tiny text grammar: "[Hello|Hi], {name}!" picks one alternative and fills the slots."""

import random
import re

INNER = re.compile(r"\[([^\[\]]*)\]")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO]|un(?!i)|um|ug|up|us(?!e)|ul)(?!one\b|once\b|euro)")
ONSETS = """
    b c d f g h j k l m n p r s t v w y z b d k l m n p r s t ch sh th br dr fl gr kl st tr pr sl sw gw qu ph
""".split()
VOWELS = "a e i o u a e i o u ai oo ee ia y ou au ie".split()
CODAS = [
    "", "", "", "", "n", "l", "r", "s", "t", "k", "m", "x", "nd", "ck", "ll", "ng", "rt", "ss", "lyn", "rd", "sh",
    "th",
]
IRREGULAR = {
    "mouse": "mice", "sheep": "sheep", "wolf": "wolves", "fish": "fish", "deer": "deer", "goose": "geese",
    "leaf": "leaves", "goldfish": "goldfish", "snowman": "snowmen", "fisherman": "fishermen",
}


def fill(rng: random.Random, text: str, **slots) -> str:
    """Expand every [a|b|c], innermost first; a "|" outside brackets separates whole alternatives."""
    text = f"[{text}]"
    while "[" in text:
        text = INNER.sub(lambda m: rng.choice(m[1].split("|")), text)
    return text.format(**slots) if "{" in text else text


def articles(text: str) -> str:
    """ "a owl" -> "an owl" """
    return ARTICLE.sub(r"\1n ", text)


def upper_first(text: str) -> str:
    """The text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def join(items: list[str], last: str = "and") -> str:
    """ ["a", "b", "c"] -> "a, b and c" """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def plural(word: str) -> str:
    """The plural of an English noun that the texts use."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return IRREGULAR.get(word, word + "s")


def invent(rng: random.Random) -> str:
    """A made-up word, so that the model learns to copy what it has never seen."""
    word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS[:9]) for _ in range(rng.randint(1, 3)))
    return rng.choice(["", "", "", "a", "e", "o", "i"]) + word + rng.choice(CODAS)
