"""Turns in which the user tells something about himself or herself and asks for it later."""

from facts import COUNTRIES, LISTS
from grammar import articles, fill, invent, plural, upper_first
from phrases import WORDS
from stories import random_name
from story_words import ANIMALS, BOYS, GIRLS, PET_NAMES
from turns import turn_fact, turn_fun, turn_list, turn_llama_rs, turn_small_talk
from wording import casual

FOODS = (
    "pizza pasta soup rice bread cheese apples chocolate pancakes salad bananas cake cookies fish eggs noodles "
    "potatoes honey".split()
)
CITIES = [
    c for c, _ in COUNTRIES.values()
] + "Hamburg Milan Boston Lyon Porto Bristol Leeds Chicago Sydney Mumbai Osaka Toronto".split()
THINGS_TOLD = {
    "name": (
        lambda r: random_name(r) if r.random() < 0.6 else upper_first(invent(r)),
        (
            "My name is {x}[.|!|]|I am {x}[.|!|]|I'm {x}[.|!|]|Call me {x}[.|]|You can call me {x}[.|]|"
            "People call me {x}[.|]|My name's {x}[.|]|Hi, I am {x}[.|!|]|Hello, my name is {x}[.|!|]|"
            "Hi! I'm {x}[.|]|{x} is my name[.|]|They call me {x}[.|]|Hey, {x} here[.|!|]|Please call me {x}[.|]|"
            "I am called {x}[.|]|Hello! My name is {x}[.|]"
        ),
        "Nice to meet you, {x}!|Hello, {x}! Nice to meet you.|Hi {x}! How can I help you?",
        (
            "What is my name?|What is my name?|Do you [remember|know] my name?|Who am I?|What am I called?|"
            "Can you tell me my name?|Tell me my name.|What did I say my name was?|Say my name.|How am I called?|"
            "Do you [remember|know] what I am called?|Remember my name?|What do people call me?|"
            "Do you remember who I am?|So what is my name?|And my name is?|What was my name[| again]?|"
            "Do you still know my name?|You know my name, right?"
        ),
        "Your name is {x}.",
    ),
    "colour": (
        lambda r: r.choice(
            LISTS["colour"] + ["gold", "silver", "beige", "violet", "cyan", "lime", invent(r), r.choice(WORDS)]
        ),
        (
            "My favourite [colour|color] is {x}[.|]|I like the [colour|color] {x}[.|]|"
            "{X} is my favourite [colour|color][.|]|I love {x}. It is my favourite [colour|color][.|]|"
            "My favorite color is {x}[.|]|The [colour|color] I like [best|most] is {x}[.|]"
        ),
        "{X} is a beautiful colour!|I like {x} too.",
        (
            "What is my favourite [colour|color]?|Which [colour|color] do I like[| best| most]?|"
            "What [colour|color] do I like[| best| most]?|Do you [remember|know] my favourite [colour|color]?|"
            "Tell me my favourite [colour|color].|What's my favorite color?|My favourite [colour|color] is ...|"
            "What was my favourite [colour|color]?"
        ),
        "Your favourite colour is {x}.",
    ),
    "food": (
        lambda r: r.choice(FOODS + [invent(r), r.choice(WORDS), r.choice(WORDS)]),
        (
            "My favourite food is {x}[.|]|I love to eat {x}[.|]|I like {x} [best|most of all][.|]|"
            "{X} is my favourite food[.|]|My favorite food is {x}[.|]|I love {x}[.|!|]|"
            "The food I like best is {x}[.|]"
        ),
        "{X}! That sounds tasty.|I cannot eat, but {x} must be good.",
        (
            "What is my favourite food?|What do I like to eat?|Which food do I like[| best]?|"
            "Do you [remember|know] my favourite food?|What's my favorite food?|What food do I [like|love]?|"
            "Tell me my favourite food."
        ),
        "Your favourite food is {x}.",
    ),
    "animal": (
        lambda r: r.choice(ANIMALS),
        (
            "My favourite animal is the {x}[.|]|The {x} is my favourite animal[.|]|"
            "I like {xs} [best|most of all][.|]|My favorite animal is the {x}[.|]|"
            "The animal I like best is the {x}[.|]"
        ),
        "The {x} is a wonderful animal!|I like {xs} too.",
        (
            "What is my favourite animal?|Which animal do I like[| best| most]?|"
            "Do you [remember|know] my favourite animal?|What's my favorite animal?|What animal do I like[| best]?"
        ),
        "Your favourite animal is the {x}.",
    ),
    "city": (
        lambda r: upper_first(invent(r)) if r.random() < 0.4 else r.choice(CITIES),
        (
            "I live in {x}[.|]|My home is in {x}[.|]|I am from {x}[.|]|I come from {x}[.|]|My home town is {x}[.|]|"
            "I'm from {x}[.|]|I am living in {x}[.|]"
        ),
        "{x} sounds like a nice place to live.|I have never been to {x}, but it sounds nice.",
        (
            "Where do I live?|Where am I from?|Where is my home?|Do you [remember|know] where I live?|"
            "In which city do I live?|Where do I come from?|Which city am I from?|What is my home town?|"
            "Tell me where I live."
        ),
        "You live in {x}.",
    ),
    "age": (
        lambda r: str(r.randint(4, 90)),
        "I am {x} years old[.|]|I'm {x} years old[.|]|My age is {x}[.|]|I am {x}[.|]|I just turned {x}[.|!|]",
        "{x} is a fine age!|{x} years! That is a good age.",
        "How old am I?|What is my age?|Do you [remember|know] how old I am?|Tell me my age.|What's my age?",
        "You are {x} years old.",
    ),
    "pet": (
        lambda r: r.choice(PET_NAMES + BOYS[:8] + GIRLS[:8]) if r.random() < 0.7 else upper_first(invent(r)),
        (
            "My {p} is called {x}[.|]|I have a {p} named {x}[.|]|My {p}'s name is {x}[.|]|"
            "I have a {p}. [His|Her|Its] name is {x}[.|]|The name of my {p} is {x}[.|]|I have a {p} called {x}[.|]|"
            "[I have|I've got] a {p}, [his|her|its] name is {x}[.|]|I have a {p} and its name is {x}[.|]|"
            "I have a {p}, [he|she|it] is called {x}[.|]"
        ),
        "{x} is a lovely name for a {p}!|Say hello to {x} from me!",
        (
            "What is [the name of my {p}|my {p}'s name|my {p} called]?|Do you [remember|know] the name of my {p}?|"
            "How is my {p} called?|What is my {p} named?|What's my {p}'s name?|Who is my {p}?|"
            "Tell me the name of my {p}."
        ),
        "Your {p} is called {x}.",
    ),
    "job": (
        lambda r: r.choice(LISTS["job"]),
        "I am a {x}[.|]|I work as a {x}[.|]|My job is {x}[.|]|I'm a {x} by trade[.|]|By profession I am a {x}[.|]",
        "Being a {x} is a good job!|A {x}! That must be interesting.",
        (
            "What is my job?|What do I do[| for a living]?|What do I work as?|Do you [remember|know] my job?|"
            "What's my profession?|Which job do I have?|Tell me my job."
        ),
        "You are a {x}.",
    ),
}


def told(rng, kind):
    """(statement, reply, question, answer) about one thing that the user tells."""
    value, say, reply, question, answer = THINGS_TOLD[kind]
    x = value(rng)
    low = rng.random() < 0.25
    x = x.lower() if low else x
    slots = dict(
        x=x,
        X=x if low and rng.random() < 0.5 else upper_first(x),
        xs=plural(x),
        p=rng.choice(
            ["dog", "cat", "rabbit", "horse", "hamster", "parrot", "fish", "bird", "brother", "sister", "friend"]
        ),
    )
    texts = [articles(fill(rng, t, **slots)) for t in (say, reply, question, answer)]
    if low:
        texts[0], texts[2] = texts[0].lower(), texts[2].lower()
    return texts


def turn_memory(rng):
    """Tell one to three things, maybe talk about something else, then ask for them."""
    kinds = rng.sample(list(THINGS_TOLD), rng.choice([1, 1, 2, 2, 3]))
    if "name" not in kinds and rng.random() < 0.5:
        kinds[0] = "name"
    turns, questions = [], []
    told_facts = [told(rng, kind) for kind in kinds]
    if len(told_facts) == 2 and rng.random() < 0.3:
        (s1, r1, *_), (s2, r2, *_) = told_facts
        turns.append((s1.rstrip(".!") + rng.choice([" and ", ". ", ", and "]) + s2, r1))
        questions = told_facts
    else:
        for f in told_facts:
            turns.append((f[0], f[1]))
            questions.append(f)
    if len(questions) == 1 and rng.random() < 0.12:
        statement, _, question, answer = questions[0]
        return [(f"{statement.rstrip('.!')}. {question}", answer)]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        turns += rng.choice([turn_fact, turn_fact, turn_small_talk, turn_list, turn_fun, turn_llama_rs])(rng)
    rng.shuffle(questions)
    for _, _, question, answer in questions[: rng.randint(1, len(questions))]:
        turns.append((casual(rng, question), answer))
    return turns


UNTOLD = {
    "name": "your name",
    "colour": "your favourite colour",
    "food": "your favourite food",
    "animal": "your favourite animal",
    "city": "where you live",
    "age": "your age",
    "job": "your job",
    "pet": None,
}


def turn_untold(rng):
    kind = rng.choice([k for k in UNTOLD if UNTOLD[k]])
    question = casual(rng, fill(rng, THINGS_TOLD[kind][3]))
    return [(question.lower() if rng.random() < 0.25 else question, f"You have not told me {UNTOLD[kind]} yet.")]
