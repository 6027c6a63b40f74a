"""Questions about the tables in facts.py: each function returns (question, short answer, full answer)."""

import re

from facts import (
    AMOUNTS, COLOURS, COUNTRIES, DAYS, DEFINITIONS, EATS, HOMES, LANGUAGES, LEGS, LISTS, MONTHS, OPPOSITE,
    ORDINALS, PARTS, PAST, PLURALS, SEASONS, SIZES, SOUNDS, THINGS, TRIVIA, YOUNG,
)
from grammar import articles, fill, join, plural, upper_first
from wording import indirect


def fact_capital(rng):
    country, (capital, continent) = rng.choice(list(COUNTRIES.items()))
    r = rng.random()
    if r < 0.6:
        q = rng.choice(
            [
                indirect(rng, f"the capital of {country}"),
                indirect(rng, f"the capital city of {country}"),
                fill(
                    rng,
                    f"[Which|What] city is the capital of {country}?|{upper_first(country)}: what is the capital?|"
                    f"Capital of {country}?|Of {country}, what is the capital?|What capital does {country} have?|"
                    f"[Which|What] is the main city of {country}?|What is the name of the capital of {country}?|"
                    f"How is the capital of {country} called?|{upper_first(country)} has which capital?|"
                    f"Where does the government of {country} sit?|"
                    f"What is {country.removeprefix('the ')}'s capital[| city]?|"
                    f"{upper_first(country.removeprefix('the '))} capital?",
                ),
            ]
        )
        return q, capital, f"The capital of {country} is {capital}."
    if r < 0.75:
        cities = [c for c, (cap, _) in COUNTRIES.items() if cap == capital]
        q = fill(
            rng,
            f"[Which country has|What country has] {capital} as its capital?|"
            f"{capital} is the capital of [which|what] country?|In which country is {capital}?|Where is {capital}?|"
            f"What country is {capital} in?|{capital} lies in which country?|"
            f"Which country does {capital} belong to?|Of which country is {capital} the capital?",
        )
        return q, upper_first(cities[0].removeprefix("the ")), f"{capital} is the capital of {cities[0]}."
    if r < 0.93 or country not in LANGUAGES:
        q = fill(
            rng,
            f"[Which|What] continent is {country} in?|On [which|what] continent is {country}?|Where is {country}?|"
            f"In [which|what] part of the world is {country}?|Where can I find {country}?|Where does {country} lie?|"
            f"{upper_first(country)} is on [which|what] continent?",
        )
        return q, continent, f"{upper_first(country)} is in {continent}."
    q = fill(
        rng,
        f"[Which|What] language do [people|they] speak in {country}?|[Which|What] language is spoken in {country}?|"
        f"What is the language of {country}?|What do people in {country} speak?|Language of {country}?",
    )
    return q, LANGUAGES[country], f"People in {country} speak {LANGUAGES[country]}."


def fact_colour(rng):
    thing, colour = rng.choice(list(COLOURS.items()))
    c = rng.choice(["colour", "color"])
    bare = re.sub(r"^(a|an|the) ", "", thing)
    q = fill(
        rng,
        f"[What|Which] {c} is {thing}?|[What|Which] {c} is {thing}?|What is the {c} of {thing}?|"
        f"[What|Which] {c} does {thing} have?|Tell me the {c} of {thing}.|What {c} has {thing}?|"
        f"{upper_first(thing)} has [which|what] {c}?|{upper_first(thing)} is what {c}?|{c.title()} of {thing}?|"
        f"[What|Which] {c} are {plural(bare)}?|Name the {c} of {thing}.|What {c} would you paint {thing}?|"
        f"Do you know the {c} of {thing}?|What {c} [would be|should] {thing}[| be]?",
    )
    return q, upper_first(colour), f"{upper_first(articles(thing))} is {colour}."


def fact_animal(rng):
    kind = rng.choice(["sound", "sound", "young", "home", "eats", "legs"])
    if kind == "sound":
        animal, x = rng.choice(list(SOUNDS.items()))
        q = (
            f"What sound does a {animal} make?|What does a {animal} say?|What noise does a {animal} make?|"
            f"Which sound do {plural(animal)} make?|What do {plural(animal)} say?|How does a {animal} [sound|go]?|"
            f"What does the {animal} say?|What is the sound of a {animal}?|Make the sound of a {animal}.|"
            f"What noise do {plural(animal)} make?|What sound comes from a {animal}?|Imitate a {animal}.|"
            f"Tell me the sound that a {animal} makes.|The {animal} says ..."
        )
        return fill(rng, q), upper_first(x), f"A {animal} says {x}."
    if kind == "young":
        animal, x = rng.choice(list(YOUNG.items()))
        q = (
            f"What is a baby {animal} called?|What do you call a baby {animal}?|What is a young {animal} called?|"
            f"What is the name of a baby {animal}?|What do you call a young {animal}?|"
            f"How do you call a baby {animal}?|What is the baby of a {animal}[| called]?|"
            f"What are baby {plural(animal)} called?|A baby {animal} is called what?|"
            f"What is the word for a baby {animal}?|Baby {animal}?"
        )
        return fill(rng, q), upper_first(x), f"A baby {animal} is called a {x}."
    if kind == "home":
        animal, x = rng.choice(list(HOMES.items()))
        q = (
            f"Where does a {animal} live?|Where do {plural(animal)} live?|Where is the home of a {animal}?|"
            f"What is the home of a {animal}?|Where can I find a {animal}?|"
            f"In what kind of place does a {animal} live?|Where would you find a {animal}?|"
            f"Where do I find {plural(animal)}?"
        )
        return fill(rng, q), upper_first(x), f"A {animal} lives in {x}."
    if kind == "eats":
        animal, x = rng.choice(list(EATS.items()))
        q = (
            f"What does a {animal} eat?|What do {plural(animal)} eat?|What is the food of a {animal}?|"
            f"What do you feed a {animal}?|What do {plural(animal)} like to eat?|"
            f"What is the favourite food of {plural(animal)}?|What should I give my {animal} to eat?|"
            f"What food does a {animal} like?"
        )
        return fill(rng, q), upper_first(x), f"A {animal} eats {x}."
    animal, x = rng.choice(list(LEGS.items()))
    q = (
        f"How many legs does a {animal} have?|"
        f"How many legs do {plural(animal) if animal != 'person' else 'people'} have?|How many legs has a {animal}?|"
        f"What is the number of legs of a {animal}?|How many legs are on a {animal}?|Count the legs of a {animal}."
    )
    return fill(rng, q), upper_first(x), f"A {animal} has {x} legs."


def fact_word(rng):
    def w(word):
        return rng.choice([word, word, f'"{word}"'])

    kind = rng.choice(["opposite", "opposite", "plural", "past"])
    if kind == "opposite":
        a, b = rng.choice(list(OPPOSITE.items()))
        q = (
            f"What is the opposite of {w(a)}?|What is the opposite of {w(a)}?|The opposite of {w(a)} is what?|"
            f"Opposite of {w(a)}?|Tell me the opposite of {w(a)}.|[Name|Give me] the opposite of {w(a)}.|"
            f"What word is the opposite of {w(a)}?|Which word means the opposite of {w(a)}?|"
            f"What is the antonym of {w(a)}?|Antonym of {w(a)}?|If it is not {a}, it is ...|"
            f"Can you give me the opposite of {w(a)}?|What is the contrary of {w(a)}?|What's the reverse of {w(a)}?|"
            f"Not {a} but ..."
        )
        return fill(rng, q), upper_first(b), f"The opposite of {a} is {b}."
    if kind == "plural":
        a, b = rng.choice(list(PLURALS.items()))
        q = (
            f"What is the plural of {w(a)}?|What is the plural of {w(a)}?|Plural of {w(a)}?|"
            f"Tell me the plural of {w(a)}.|What is the plural form of {w(a)}?|"
            f"How do you write the plural of {w(a)}?|One {a}, two ...|What do you call more than one {a}?|"
            f"What is the plural for {w(a)}?|Give me the plural of {w(a)}.|How do you say {w(a)} in the plural?|"
            f"What comes next: one {a}, two ...?"
        )
        return fill(rng, q), upper_first(b), f"The plural of {a} is {b}."
    a, b = rng.choice(list(PAST.items()))
    q = (
        f"What is the past tense of {w(a)}?|Past tense of {w(a)}?|What is the past of {w(a)}?|"
        f"Put {w(a)} into the past tense.|What is the past form of {w(a)}?|How do you say {w(a)} in the past?|"
        f"Today I {a}, yesterday I ...|Tell me the past tense of {w(a)}."
    )
    return fill(rng, q), upper_first(b), f"The past tense of {a} is {b}."


def fact_calendar(rng):
    seq, unit = rng.choice([(DAYS, "day"), (DAYS, "day"), (MONTHS, "month"), (MONTHS, "month"), (SEASONS, "season")])
    i, n = rng.randrange(len(seq)), len(seq)
    x = seq[i]
    r = rng.random()
    if r < 0.35:
        y = seq[(i + 1) % n]
        q = (
            f"[What|Which] {unit} comes after {x}?|[What|Which] {unit} follows {x}?|What comes after {x}?|"
            f"What is the {unit} after {x}?|What is the next {unit} after {x}?|After {x} comes which {unit}?|"
            f"{x} is followed by what?|Which {unit} is right after {x}?"
        )
        return fill(rng, q), upper_first(y), f"After {x} comes {y}."
    if r < 0.65:
        y = seq[(i - 1) % n]
        q = (
            f"[What|Which] {unit} comes before {x}?|What comes before {x}?|What is the {unit} before {x}?|"
            f"Which {unit} is right before {x}?|Before {x} comes which {unit}?|What {unit} do we have before {x}?"
        )
        return fill(rng, q), upper_first(y), f"Before {x} comes {y}."
    if r < 0.85 or unit == "season":
        q = (
            "[Name|List|Tell me|What are|Say|Can you name|Give me|Write] [all |][the "
            f"]{'days of the week' if unit == 'day' else 'months of the year' if unit == 'month' else 'seasons'}[.|"
            f"?]|What are the names of the {unit}s?"
        )
        return fill(rng, q), join([upper_first(s) for s in seq]), f"The {unit}s are {join(seq)}."
    which = f"{ORDINALS[i]} {unit} of the {'week' if unit == 'day' else 'year'}"
    return indirect(rng, f"the {which}"), x, f"The {which} is {x}."


def fact_amount(rng):
    if rng.random() < 0.65:
        what, where, n = rng.choice(AMOUNTS)
        q = (
            f"How many {what} are [there |]in {where}?|How many {what} does {where} have?|"
            f"How many {what} has {where}?|What is the number of {what} in {where}?|"
            f"Tell me how many {what} {where} has.|{upper_first(where)} has how many {what}?|"
            f"Number of {what} in {where}?"
        )
        return fill(rng, q), n, f"There are {n} {what} in {where}."
    what, whose, n = rng.choice(PARTS)
    q = (
        f"How many {what} does {whose} have?|How many {what} has {whose}?|{upper_first(whose)} has how many {what}?|"
        f"What is the number of {what} of {whose}?|How many {what} are there on {whose}?"
    )
    return (
        fill(rng, q),
        upper_first(n),
        f"{upper_first(whose)} has {n} {what if n not in ('one',) else what.removesuffix('s')}.",
    )


def fact_trivia(rng):
    q, short, full = rng.choice(TRIVIA)
    return fill(rng, q), short, full


def fact_thing(rng):
    r = rng.random()
    if r < 0.35:
        use, thing = rng.choice(list(THINGS.items()))
        q = (
            f"What do you use to {use}?|What do I need to {use}?|With what do you {use}?|What can I use to {use}?|"
            f"Which thing helps you to {use}?|I want to {use}. What do I need?|What is used to {use}?|"
            f"What tool do I need to {use}?"
        )
        return fill(rng, q), upper_first(re.sub(r"^(a|an) ", "", thing)), f"You use {thing} to {use}."
    if r < 0.7:
        what, text = rng.choice(list(DEFINITIONS.items()))
        q = (
            f"What is {what}?|What is {what}?|What is {what}?|Explain what {what} is.|Tell me what {what} is.|"
            f"What do you know about {what}?|Can you explain what {what} is?|"
            f"What does the word {re.sub(r'^(a|an|the) ', '', what)} mean?|Describe {what}.|Define {what}.|"
            f"Do you know what {what} is?"
        )
        return fill(rng, q), upper_first(text.split()[-1]), f"{upper_first(what)} is {text}."
    kind = rng.choice(
        [
            "fruit", "vegetable", "animal", "bird", "insect", "flower", "tree", "drink", "sport",
            "musical instrument", "tool", "vehicle", "job", "shape", "planet", "country", "city", "colour",
            "month", "day", "metal",
        ]
    )
    x = rng.choice(LISTS[kind])
    name = x if kind in ("planet", "country", "city", "colour", "month", "day", "metal", "sport", "drink") else f"a {x}"
    if rng.random() < 0.5:
        q = (
            f"What is {name}?|What kind of thing is {name}?|Is {name} a {kind}?|Tell me what {name} is.|"
            f"What sort of thing is {name}?"
        )
        q = fill(rng, q)
        full = f"{upper_first(name)} is a {kind}."
        return (
            articles(q),
            "Yes" if q.startswith("Is ") else upper_first(kind),
            articles(
                ("Yes, " + (name if q.startswith("Is ") else "") + f" is a {kind}.") if q.startswith("Is ") else full
            ),
        )
    other = rng.choice(
        [
            k
            for k in ("fruit", "vegetable", "animal", "tool", "vehicle", "drink", "country", "month", "colour")
            if x not in LISTS[k] and (k, kind) not in (("animal", "bird"), ("animal", "insect"), ("fruit", "tree"))
        ]
    )
    return articles(f"Is {name} a {other}?"), "No", articles(f"No, {name} is a {kind}.")


def fact_compare(rng):
    i, j = sorted(rng.sample(range(len(SIZES)), 2))
    small, big = f"a {SIZES[i]}", f"a {SIZES[j]}"
    one, two = rng.sample([small, big], 2)
    word, winner, loser = rng.choice([("bigger", big, small), ("larger", big, small), ("smaller", small, big)])
    q = (
        f"[Which|What] is {word}, {one} or {two}?|What is {word}: {one} or {two}?|"
        f"[Which animal|Which one|Who] is {word}, {one} or {two}?"
    )
    return (
        articles(fill(rng, q)),
        upper_first(winner.split()[1]),
        articles(f"{upper_first(winner)} is {word} than {loser}."),
    )
