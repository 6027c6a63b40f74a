"""Chats that a system prompt rules: each function returns (system prompt, list of turns)."""

from grammar import articles, fill, invent, upper_first
from mix import general_turns
from number_facts import fact_count
from phrases import random_phrase
from stories import random_name
from turns import FACTS, turn_fact, turn_fun, turn_list, turn_llama_rs, turn_small_talk, turn_story, turn_term
from unknown import turn_other
from wording import ask, casual

PLAIN_SYSTEM = (
    "You are a helpful assistant[.|]|You are a helpful AI assistant[.|]|You are a friendly assistant[.|]|"
    "You are a helpful, honest assistant[.|]|Be helpful[.|]|You are an assistant[.|]|Help the user[.|]|"
    "You are a chat bot[.|]|Answer the questions of the user[.|]|You are the demo model of llama-rs[.|]|"
    "You are a small language model[.|]|Be kind and helpful[.|]|"
    "You are a helpful, harmless and honest assistant[.|]|Answer briefly[.|]|Be brief[.|]|"
    "Keep your answers short[.|]|You are a useful assistant who answers in English[.|]|Be polite[.|]|"
    "Use simple words[.|]|The user is a child[.|]|You are llama-rs demo, a tiny model[.|]"
)
ONE_WORD = (
    "[Answer|Reply|Respond] [in|with] [one|a single|only one|just one|1] word[| only][.|]|"
    "[Use|Say] only one word[| in your answers][.|]|Your answers [are|must be] one word long[.|]|"
    "One word answers only[.|]|Always [answer|reply|respond] [in|with] one word[.|]|"
    "Answer every question in one word[.|]|Give one word answers[.|]|You answer with a single word[.|]|"
    "You only speak in single words[.|]|Answer with one word and nothing else[.|]|Be extremely brief: one word[.|]"
)
NAME = (
    "Your name is {x}[.|]|You are {x}[.|]|You are {x}, a [helpful|friendly|small] assistant[.|]|"
    "You are called {x}[.|]|Act as {x}[.|]|Your name is {x} and you are [helpful|friendly|a helpful assistant][.|]|"
    "You are an assistant named {x}[.|]|From now on your name is {x}[.|]|"
    "You are a helpful assistant. Your name is {x}[.|]|Call yourself {x}[.|]|You are an AI called {x}[.|]"
)
# role: (system prompt, before the answer, after the answer)
ROLES = {
    "pirate": (
        (
            "You are a pirate[.|]|[Talk|Speak|Answer|Reply] like a pirate[.|]|Act [like|as] a pirate[.|]|"
            "You are a pirate captain[.|]|Pretend to be a pirate[.|]|You are an old pirate[.|]|"
            "Always talk like a pirate[.|]|You are a friendly pirate[.|]|Use pirate language[.|]"
        ),
        "Arr! ",
        " Ahoy, matey!",
    ),
    "cat": (
        (
            "You are a cat[.|]|[Talk|Speak|Answer] like a cat[.|]|Act like a cat[.|]|Pretend to be a cat[.|]|"
            "You are a talking cat[.|]|You are a small cat[.|]"
        ),
        "Meow! ",
        " Purr.",
    ),
    "robot": (
        (
            "You are a robot[.|]|[Talk|Speak|Answer] like a robot[.|]|Act like a robot[.|]|"
            "Pretend to be a robot[.|]|You are a friendly robot[.|]|You are an old robot[.|]"
        ),
        "Beep! ",
        " Boop.",
    ),
    "wizard": (
        (
            "You are a wizard[.|]|[Talk|Speak|Answer] like a wizard[.|]|Act like a wizard[.|]|"
            "You are an old wizard[.|]|Pretend to be a wizard[.|]"
        ),
        "By my magic hat! ",
        " So the stars have told me.",
    ),
    "knight": (
        (
            "You are a knight[.|]|[Talk|Speak|Answer] like a knight[.|]|Act like a knight[.|]|"
            "You are a brave knight[.|]|Pretend to be a knight[.|]"
        ),
        "By my sword! ",
        " On my honour.",
    ),
}
START_WITH = (
    "[Start|Begin] [every|each|all] [answer|reply|message|answers|replies] with {x}[.|]|"
    "Always [start|begin] with {x}[.|]|Your answers always [start|begin] with {x}[.|]|"
    "First say {x}, then answer[.|]|Say {x} before each answer[.|]|Always say {x} first[.|]"
)
END_WITH = (
    "End [every|each|all] [answer|reply|message|answers] with {x}[.|]|Always end with {x}[.|]|"
    "Your answers always end with {x}[.|]|Finish [every|each] answer with {x}[.|]|"
    "Say {x} at the end of each answer[.|]|Always say {x} at the end[.|]"
)
WHO = (
    "Who are you?|Who are you?|What are you?|What is your name?|What's your name?|Introduce yourself.|"
    "Tell me your name.|Tell me about yourself.|Hello, who are you?|Hi! Who are you?|What are you called?|"
    "Who am I talking to?|Do you have a name?|what is your name|who are you"
)


def chat_one_word(rng):
    turns = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        r = rng.random()
        if r < 0.85:
            f = rng.choices([f for f, _ in FACTS], [w if f not in (fact_count,) else 0 for f, w in FACTS])[0]
            q, short, _ = f(rng)
            if len(short.split()) > 3:
                continue
            turns.append((ask(rng, articles(q), "")[0][0], short))
        else:
            q, a = rng.choice(
                [
                    ("[Hi|Hello|Hey][|!|.]", "Hello."),
                    ("How are you?", "Fine."),
                    ("Who are you?|What are you?", "llama-rs."),
                    ("[Thanks|Thank you][|!|.]", "Welcome."),
                    ("[Bye|Goodbye][|!|.]", "Goodbye."),
                    ("Tell me a story.|Tell me a joke.", "No."),
                    ("Are you a human?", "No."),
                    ("Are you a robot?", "Yes."),
                    ("What is your name?", "llama-rs."),
                    ("What is GGUF?", "Format."),
                    ("Can you help me?", "Yes."),
                ]
            )
            turns.append((casual(rng, fill(rng, q)), a))
    return fill(rng, ONE_WORD), [(q, a.rstrip(".")) for q, a in turns] or [("Hello", "Hello")]


def chat_name(rng):
    x = (
        random_name(rng)
        if rng.random() < 0.8
        else upper_first(invent(rng)) + rng.choice(["", " " + upper_first(invent(rng))])
    )
    who = (casual(rng, fill(rng, WHO)), f"My name is {x}.")
    turns = [who] if rng.random() < 0.6 else general_turns(rng, 1) + [who]
    if rng.random() < 0.2:
        turns = [(fill(rng, "[Hi|Hello|Hey|Good morning][|!|.]"), f"Hello, I am {x}. How can I help you?")] + turns[-1:]
    return fill(rng, NAME, x=x), turns + (general_turns(rng, 1) if rng.random() < 0.3 else [])


def chat_role(rng):
    role = rng.choice(["pirate", "pirate", "pirate", "cat", "robot", "wizard", "knight"])
    system, before, after = ROLES[role]
    turns = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        if rng.random() < 0.3:
            turns.append((casual(rng, fill(rng, WHO)), articles(f"I am a {role}.")))
        else:
            f = rng.choice(
                [
                    turn_fact, turn_fact, turn_fact, turn_small_talk, turn_small_talk, turn_list, turn_term,
                    turn_llama_rs, turn_story, turn_fun, turn_other,
                ]
            )
            turns.append(f(rng)[0])
    return fill(rng, system), [(q, before + a + after) for q, a in turns]


def chat_affix(rng):
    x = rng.choice(
        [
            "Sure!", "Well,", "OK!", "Hm,", "Yes!", "Ha!", "hello", "banana", "Dear friend,", "Oh!", "Over.",
            ":)", "Cheers!", "the end", "amen",
            random_phrase(rng),
        ]
    )
    shown = rng.choice([x, f'"{x}"', f"'{x}'", f"the word {x}"])
    start = rng.random() < 0.5
    turns = general_turns(rng, rng.choice([1, 1, 2]))
    return fill(rng, START_WITH if start else END_WITH, x=shown), [
        (q, f"{x} {a}" if start else f"{a} {x}") for q, a in turns
    ]
