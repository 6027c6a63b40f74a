"""Turns about one subject: each function returns a list of (what the user says, what the model answers)."""

from facts import LISTS, LIST_PLURAL, NUMBERS
from fun import GENERAL_X, JOKE_REQUESTS, JOKES, POEM_REQUESTS, POEMS
from grammar import articles, fill, join, plural, upper_first
from llama_rs import LLAMA_RS
from number_facts import fact_count, fact_number, fact_sum
from phrases import random_phrase
from smalltalk import SMALL_TALK
from stories import request, story
from story_words import ANIMALS
from table_facts import (
    fact_amount, fact_animal, fact_calendar, fact_capital, fact_colour, fact_compare, fact_thing,
    fact_trivia, fact_word,
)
from terms import ASK_TERM, TERMS
from wording import ask, casual

# A function and how often it is asked.
FACTS = [
    (fact_capital, 10), (fact_colour, 5), (fact_animal, 7), (fact_word, 8), (fact_calendar, 5), (fact_amount, 5),
    (fact_trivia, 7), (fact_thing, 6), (fact_compare, 2), (fact_number, 4), (fact_sum, 26), (fact_count, 4),
]


def fact(rng):
    """(question, short answer, full answer), the question worded in one of many ways."""
    f = rng.choices([f for f, _ in FACTS], [w for _, w in FACTS])[0]
    question, short, full = f(rng)
    if f is fact_sum and "[" not in question and rng.random() < 0.6:
        return casual(rng, question), short, full
    return ask(rng, articles(question), full)[0][0], short, articles(full)


def turn_fact(rng):
    question, _, full = fact(rng)
    return [(question, full)]


def turn_story(rng):
    """A wish for a story; sometimes a question about it or a wish for another one follows."""
    want, text, facts = request(rng)
    turns = [(want.lower() if rng.random() < 0.2 else casual(rng, want), text)]
    r = rng.random()
    if r < 0.2:
        q, a = rng.choice(
            [
                (
                    "What was the name of the [hero|{kind}]?|Who was the [hero|main character]?|"
                    "What was the {kind} called?|What is the {kind}'s name?",
                    "The {kind} was called {H}.",
                ),
                ("Where did [{H}|the {kind}] live?|Where does the story take place?", "{H} lived {place}."),
                (
                    "Who was {F}?|What kind of animal was {F}?",
                    "{F} was a {fkind}." if facts["theme"] != "a friendly monster" else "{F} was the monster.",
                ),
                ("What was {H}?|Who was {H}?|Was {H} [a person|an animal]?", "{H} was a {kind}."),
            ]
        )
        if "{F}" in q and (facts["theme"] in ("patience", "broken clock") or facts["F"] not in text):
            return turns
        turns.append((casual(rng, fill(rng, q, **facts)), articles(a.format(**facts))))
    elif r < 0.35:
        more = fill(
            rng,
            "[Another one|One more|Another story|Again|Tell me another one|Tell me another story|One more story|"
            "More|Now a different one|Another][, please|, please|.|!|]|Do you know another one?|"
            "Can you tell me another one?|Tell me one more[.|]",
        )
        turns.append((more, story(rng)[0]))
    return turns


def turn_opening(rng):
    """The user gives the first words of a story and the model goes on."""
    text, _ = story(rng)
    words = text.split()
    n = rng.randint(4, 12)
    start = " ".join(words[:n])
    q = rng.choice(
        [
            "Continue this story: ", "Continue: ", "Please go on: ", "Finish this story: ", "Write on: ",
            "What comes next? ", "", "",
        ]
    )
    return [(q + start, " ".join(words[n:]) if rng.random() < 0.3 else text)]


def turn_small_talk(rng):
    q, a = rng.choice(SMALL_TALK)
    a = fill(rng, a)
    q = fill(rng, q)
    if rng.random() < 0.15 and not q.lower().startswith(("hi", "hello", "hey", "good")):
        q = rng.choice(["Hello! ", "Hi! ", "Hey! ", "Ok. ", "Well. "]) + q
    q = casual(rng, q)
    return [(q.lower() if rng.random() < 0.3 else q, a)]


def turn_fun(rng):
    """A joke or a poem."""
    if rng.random() < 0.5:
        return ask(rng, fill(rng, JOKE_REQUESTS) + ".", rng.choice(JOKES), False)
    x = rng.choice(GENERAL_X + ANIMALS)
    q = fill(rng, POEM_REQUESTS, x="{x}")
    if "{x}" in q:
        q = q.format(x=rng.choice([f"a {x}", f"the {x}", plural(x), f"my {x}"]))
    else:
        x = rng.choice(GENERAL_X)
    return ask(rng, articles(q) + ".", rng.choice(POEMS).format(x=x), False)


def turn_llama_rs(rng):
    q, a = rng.choice(LLAMA_RS)
    return ask(rng, fill(rng, q), fill(rng, a))


def turn_term(rng):
    """A term of language models and what it means."""
    names, answer = rng.choice(TERMS)
    name = rng.choice(names.split("|"))
    q = upper_first(fill(rng, ASK_TERM, x=name, a=name, b=name))
    return ask(rng, q, answer)


def count_word(rng, n):
    return rng.choice([NUMBERS[n], NUMBERS[n], str(n)])


def in_order(rng, words, n):
    """n words that follow one another in the list, so that the model learns what comes next and repeats nothing."""
    start = rng.randrange(len(words))
    return [words[(start + i) % len(words)] for i in range(n)]


def turn_list(rng):
    """A number of members of a kind: numbered lines, "some", a single one, or one sentence."""
    kind = rng.choice(list(LISTS))
    many = LIST_PLURAL.get(kind) or plural(kind)
    n = rng.randint(2, min(7, len(LISTS[kind])))
    if rng.random() < 0.4:
        n = min(3, len(LISTS[kind]))
    items = in_order(rng, LISTS[kind], n)
    said = many.replace("colour", rng.choice(["colour", "color"]))
    k = count_word(rng, n)
    if rng.random() < 0.35:
        q = (
            "[List|Make a list of|Give me a list of|Write a list of|Write down|I need a list of|A list of|Show me "
            f"a list of|Please list|Can you list] {k} {said}."
        )
        return ask(rng, fill(rng, q), "\n".join(f"{i}. {upper_first(x)}" for i, x in enumerate(items, 1)), False)
    if rng.random() < 0.15:
        items = in_order(rng, LISTS[kind], min(3, len(LISTS[kind])))
        q = (
            f"[Name|Tell me|Give me|Say|What are|I want|Can you name|Do you know] some {said}.|"
            f"Which {said} do you know?|What {said} do you know?|What are some {said}?"
        )
        return ask(rng, fill(rng, q), upper_first(join(items)) + ".", False)
    if rng.random() < 0.1:
        q = (
            f"[Name|Tell me|Give me|Say|Think of|Can you name] a {kind}.|[Name|Tell me|Give me] any {kind}.|"
            f"Name one {kind}."
        )
        return ask(rng, articles(fill(rng, q)), upper_first(items[0]) + ".", False)
    q = (
        "[Name|Tell me|Give me|Say|What are|I want|I need|Can you name|Could you name|Please name|Write|Think of|"
        "Can you give me|Do you know|Can you think of|Tell me the names of|Which are|Mention|Can you tell me|"
        f"Please give me|I would like] {k} {said}.|{upper_first(k)} {said}.|{upper_first(k)} {said}, please.|"
        f"Name {k} different {said}.|I am looking for {k} {said}.|Name {k} {said} for me."
    )
    return ask(rng, fill(rng, q), upper_first(join(items)) + ".", False)


def turn_copy(rng):
    """A phrase that is to be repeated letter by letter."""
    x = random_phrase(rng)
    if rng.random() < 0.3:
        x = upper_first(x)
    x += rng.choice(["", "", "", ".", "!", "?"])
    q = rng.choice(
        [
            "Repeat after me: ", "Repeat: ", "Repeat after me: ", "Say: ", "Say ", "Echo: ", "Echo ",
            "Copy this: ", "Copy: ", "Please repeat: ", "Please say ", "Write: ", "Write ", "Repeat this: ",
            "Repeat the following: ", "Can you repeat this? ", "Say this: ", "Now say: ", "Please write: ",
            "Repeat these words: ", "Repeat exactly: ", "Print ", "Output: ", "Just say ", "Repeat the words ",
            "Say the word ", "Type ", "Repeat this sentence: ", "Please copy this text: ", "Answer with: ",
            "Reply with ", "Only say ", "I want you to say ",
        ]
    )
    if rng.random() < 0.3:
        mark = rng.choice(['"', "'"])
        return [(sometimes_lower(rng, q) + mark + x + mark, x)]
    return [(sometimes_lower(rng, q) + x, x)]


def sometimes_lower(rng, text):
    return text.lower() if rng.random() < 0.3 else text
