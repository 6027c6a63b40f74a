"""Short children's stories: one opening, one plot and one ending, with many ways to say each sentence."""

import random
from pathlib import Path

from grammar import articles, fill, invent, plural, upper_first
from story_frame import ENDINGS, HABITS, OPENINGS, WHEN
from story_words import (
    ANIMALS, ASKED_PLACES, BOYS, COLOURS, ELDERS, FOODS, GIRLS, HOBBIES, ITEMS, MOODS, OBJECTS, OTHER_NAMES,
    PEOPLE, PET_NAMES, PLACES, PRONOUNS, SPOTS, TRAITS, WEATHER,
)


def read_plots(text):
    """Theme: its sentences, each a list of alternatives. plots.txt explains its own format."""
    plots = {}
    for line in text.splitlines():
        if line.startswith("= "):
            sentences = plots[line[2:]] = []
        elif line.startswith(" "):
            sentences[-1] += " " + line.strip()
        elif line and not line.startswith("#"):
            sentences.append(line)
    return {theme: [sentence.split(" | ") for sentence in sentences] for theme, sentences in plots.items()}


PLOTS = read_plots(Path(__file__).with_name("plots.txt").read_text(encoding="utf-8"))


def random_name(rng, sex=None):
    """A name, now and then a made-up one; `sex` is "he", "she" or None for any."""
    if rng.random() < 0.1:
        return upper_first(invent(rng))
    return rng.choice(
        {"he": BOYS + PET_NAMES, "she": GIRLS + PET_NAMES}.get(sex, BOYS + GIRLS + PET_NAMES + OTHER_NAMES)
    )


def hero(rng, kind=None, name=None):
    """(kind, name, pronoun): names, kinds and pronouns that go together."""
    sex = None
    for pronoun, names in (("he", BOYS), ("she", GIRLS)):
        if name and name.title() in names:
            sex = pronoun
    if kind is None:
        pool = rng.choice([ANIMALS, ANIMALS, OBJECTS, PEOPLE[sex or rng.choice(["he", "she"])]])
        kind = rng.choice(pool).replace("_", " ")
    for pronoun in ("he", "she"):
        if kind in PEOPLE[pronoun] and not (sex is None and kind in PEOPLE["he"] and kind in PEOPLE["she"]):
            sex = pronoun
    sex = sex or rng.choice(["he", "she"])
    return kind, name or random_name(rng, sex), sex


def story(rng, kind=None, name=None, theme=None, trait=None, place=None, friend=None, opening=None):
    """Returns the text and the main facts, so that questions about it can be asked."""
    kind, name, sex = hero(rng, kind, name)
    he, him, his = PRONOUNS[sex]
    fkind = friend or rng.choice(ANIMALS)
    while fkind == kind and not friend:
        fkind = rng.choice(ANIMALS)
    F, G = random_name(rng), random_name(rng)
    while F == name:
        F = random_name(rng)
    while G in (name, F):
        G = random_name(rng)
    theme = theme or rng.choice(list(PLOTS))
    place = place or rng.choice(PLACES)
    elder = rng.choice(ELDERS)
    spot, spot2 = rng.sample(SPOTS, 2)
    weather = rng.choice(["snowy", "cold"] if "snow" in theme else WEATHER)
    when = fill(rng, WHEN, weather=weather)
    slots = dict(
        H=name,
        F=F,
        G=G,
        kind=kind,
        fkind=fkind,
        gkind=rng.choice(ANIMALS),
        a_fkind=f"a {fkind}",
        he=he,
        him=him,
        his=his,
        He=he.title(),
        His=his.title(),
        trait=trait or rng.choice(TRAITS),
        mood=trait or rng.choice(MOODS),
        place=place,
        Place=upper_first(place),
        hobby=rng.choice(HOBBIES),
        item=rng.choice(ITEMS),
        food=rng.choice(FOODS),
        spot=spot,
        spot2=spot2,
        elder=elder,
        elder2=elder.split()[-1],
        colour=rng.choice(COLOURS),
        weather=weather,
        When=when,
        When_low=when[0].lower() + when[1:],
        a_pots=rng.choice(["three pots", "some pots", "a box full of pots"]),
    )
    parts = [opening or rng.choice(OPENINGS), rng.choice(HABITS)]
    parts += [rng.choice(line) for line in PLOTS[theme]]
    parts.append(rng.choice(ENDINGS))
    text = articles(" ".join(fill(rng, p, **slots) for p in parts if p))
    return text, dict(slots, theme=theme)


def document(rng):
    """A plain text without chat marks: one to three stories about the same hero."""
    text, facts = story(rng)
    parts = [text]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        again = fill(
            rng,
            "[The next day|A week later|Some time later|In the next summer|Not long after that], {H} had another "
            "adventure.|[The next day|A few days later|One week later], {H} the {kind} woke up early.",
            **facts,
        )
        parts.append(story(rng, facts["kind"], facts["H"], opening=again)[0])
    return "\n\n".join(parts)


def request(rng):
    """A wish for a story and the story."""
    r, kw = rng.random(), {}
    start = (
        "[[Please |Can you |Could you |Would you |Will you |][tell|write|give|read|make|invent] me |[I want|I "
        "would like|I'd like] [to hear |to read |]|[Please |Can you |Could you |][make up|write|tell|invent|create|"
        "make|think up|narrate|share|compose] |[Do you know|Have you got|Can you think of] |[Let's hear|How about|"
        "Now tell me] |My [son|daughter|child|little girl|little boy] [wants|would like|asks for] [to hear |]|[I "
        "am|We are] in the mood for |It is bedtime. [Tell me|We need] |I need |]"
    )
    a_story = (
        "[a|a|a short|a little|a nice|a bedtime|a fun|a good|one|some] [story|story|story|tale|fairy tale|story "
        "for [kids|children|my son|my daughter|bedtime]]"
    )
    if r < 0.25:
        ask = start + a_story + "[| please|, please|!]"
    elif r < 0.38:
        kw["theme"] = rng.choice(list(PLOTS))
        ask = start + a_story + f" about {kw['theme']}"
    else:
        kind, name, _ = hero(rng)
        if rng.random() < 0.12:
            kind = invent(rng)
        kw["kind"] = kind
        about = rng.choice(
            [
                "about a {kind}", "about a {kind}", "with a {kind}", "of a {kind}", "about {kinds}",
                "where a {kind} is the hero", "with a {kind} in it", "in which there is a {kind}",
                "that has a {kind} in it",
            ]
        )
        mode = rng.random()
        if mode < 0.25:
            kw["name"] = name
            about = rng.choice(
                [
                    "about a {kind} [named|called] {name}", "about {name} the {kind}",
                    "about a {kind}. [The name is|Its name is|Call it] {name}",
                    "about a {kind} whose name is {name}", "about {name}, a {kind}", "with {name} the {kind}",
                    "about a {trait} {kind} called {name}",
                ]
            )
            kw["trait"] = rng.choice(TRAITS) if "{trait}" in about else None
        elif mode < 0.4:
            kw["trait"] = rng.choice(TRAITS)
            about = "about a {trait} {kind}"
        elif mode < 0.5:
            asked = rng.choice(list(ASKED_PLACES))
            kw["place"] = ASKED_PLACES[asked]
            about = "about a {kind} " + asked
        elif mode < 0.6:
            kw["friend"] = rng.choice(ANIMALS)
            about = rng.choice(
                ["about a {kind} and a {friend}", "with a {kind} and a {friend}", "about the {kind} and the {friend}"]
            )
        elif mode < 0.68:
            kw = {"name": name, "kind": None}
            about = "about [someone named|somebody called|a hero named|a character called|] {name}"
        about = articles(fill(rng, about, **dict({"kinds": plural(kw.get("kind") or "")}, **kw)))
        ask = rng.choice([start + a_story, start + a_story, "[story|tale|short story]"]) + " " + about
    ask = fill(rng, ask)
    question = ask.startswith(("Can", "Could", "Would", "Will", "Do you", "Have", "How about"))
    ask = upper_first(ask.strip()) + ("" if ask[-1] in "!" else "?" if question else ".")
    text, facts = story(rng, **kw)
    return ask, text, facts


if __name__ == "__main__":
    rng = random.Random(1)
    for _ in range(5):
        ask, text, _ = request(rng)
        print(">", ask, "\n", text, f"\n({len(text.split())} words)\n")
    print(document(rng))
