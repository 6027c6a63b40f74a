"""Questions about numbers and letters: each function returns (question, short answer, full answer)."""

from facts import NUMBERS
from grammar import fill, upper_first


def fact_number(rng):
    """The larger of two numbers, neighbours of numbers and letters, numbers as words."""
    r = rng.random()
    if r < 0.25:
        a, b = rng.sample(range(101), 2)
        word, x = rng.choice(
            [("bigger", max(a, b)), ("larger", max(a, b)), ("greater", max(a, b)), ("smaller", min(a, b))]
        )
        q = f"[Which|What] [number |]is {word}, {a} or {b}?|What is {word}: {a} or {b}?|{a} or {b}, which is {word}?"
        return fill(rng, q), str(x), f"{x} is {word} than {a + b - x}."
    if r < 0.45:
        a = rng.randint(1, 99)
        q, x = rng.choice([("after", a + 1), ("before", a - 1)])
        return (
            fill(
                rng,
                f"[What|Which] number comes {q} {a}?|What comes {q} {a}?|What is the number {q} {a}?|"
                f"Which number is right {q} {a}?",
            ),
            str(x),
            f"The number {q} {a} is {x}.",
        )
    if r < 0.55:
        a = rng.randint(0, 20)
        q = (
            f"How do you [write|say|spell] {a} in words?|[Write|Say|Spell] {a} as a word.|What is {a} in words?|"
            f"Write {a} in words."
        )
        return fill(rng, q), upper_first(NUMBERS[a]), f"{a} in words is {NUMBERS[a]}."
    i = rng.randrange(26)
    letters = [chr(65 + k) for k in range(26)]
    q, x = rng.choice([("after", letters[i + 1] if i < 25 else None), ("before", letters[i - 1] if i else None)])
    if x is None:
        return (
            fill(rng, "How many letters are in the alphabet?|How many letters does the alphabet have?"),
            "26",
            "There are 26 letters in the alphabet.",
        )
    return (
        fill(
            rng,
            f"[What|Which] letter comes {q} {letters[i]}?|What is the letter {q} {letters[i]}?|"
            f"What comes {q} {letters[i]} in the alphabet?",
        ),
        x,
        f"The letter {q} {letters[i]} is {x}.",
    )


def held_out_sum(a, b):
    """Whether this pair of two-digit numbers is kept for testing."""
    return a >= 10 and b >= 10 and (a * 31 + b * 17) % 10 == 0


def fact_sum(rng):
    """Sums up to 20 + 20; every tenth pair of two-digit numbers is kept for testing. Larger sums are declined."""
    top = rng.choice([10, 10, 10, 20, 20, 100])
    a, b = rng.randint(0, top), rng.randint(0, top)
    while held_out_sum(a, b):
        a, b = rng.randint(0, top), rng.randint(0, top)
    minus = rng.random() < 0.4
    if minus and a < b:
        a, b = b, a
    x = a - b if minus else a + b
    op, word = ("-", rng.choice(["minus", "take away"])) if minus else ("+", rng.choice(["plus", "plus", "and"]))
    e = rng.choice([f"{a} {op} {b}", f"{a} {op} {b}", f"{a}{op}{b}", f"{a} {word} {b}"])
    q = (
        f"What is {e}?|What is {e}?|What is {e}?|How much is {e}?|{e}|{e}|{e} =|{e}=?|{e} = ?|{e}?|Calculate {e}.|"
        f"Compute {e}.|What does {e} make?|Solve {e}.|Can you tell me what {e} is?|What do you get for {e}?|"
        f"Tell me {e}.|What's the result of {e}?|Work out {e}.|How much does {e} make?"
    )
    if not minus:
        q += f"|What is the sum of {a} and {b}?|Add {a} and {b}.|Add {b} to {a}.|Sum of {a} and {b}?"
    else:
        q += (
            f"|Subtract {b} from {a}.|I have {a} apples and eat {b}. How many are left?|"
            f"What is the difference of {a} and {b}?"
        )
    if max(a, b) > 20:
        return (
            fill(rng, q),
            "Unknown",
            "I can only add and subtract numbers up to 20. A larger model can do more: load one with -m or --hf.",
        )
    return fill(rng, q), str(x), f"{a} {op} {b} = {x}"


def fact_count(rng):
    a, n = rng.choice([1, 1, 1, rng.randint(0, 30)]), rng.randint(3, 11)
    up = rng.random() < 0.65
    seq = [str(x) for x in (range(a, a + n) if up else range(a + n - 1, a - 1, -1))]
    first, last = seq[0], seq[-1]
    start = f" from {first}" if a != 1 or not up or rng.random() < 0.6 else ""
    down = "" if up else rng.choice(["", " down", " backwards"])
    q = (
        f"Count{down}{start} to {last}.|Can you count{down}{start} to {last}?|Please count{down}{start} to {last}.|"
        f"Count for me{down}{start} to {last}.|I want you to count{down}{start} to {last}.|"
        f"Let's count{down}{start} to {last}.|Say the numbers{start or ' from 1'} to {last}.|"
        f"Counting{down}{start} to {last}, please."
    )
    return fill(rng, q), ", ".join(seq), ", ".join(seq)
