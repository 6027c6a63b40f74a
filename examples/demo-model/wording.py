"""How people word a question: greetings around it, short forms, lower case, ways to ask for a named thing."""

import re

from grammar import fill, upper_first

BEFORE = [
    "", "", "", "", "", "", "", "Please tell me: ", "Tell me, ", "Hey, ", "Hi, ", "Hello, ", "Quick question: ",
    "Question: ", "I have a question. ", "I want to know: ", "So, ", "And ", "Ok, ", "Can you tell me: ", "Now: ",
    "One more: ", "Next question: ", "Do you know this? ", "Hi! ", "Hello! ", "Okay. ", "Well, ", "By the way, ",
    "Thanks. ", "Good. ", "Cool, ", "Please answer: ",
]
AFTER = [
    "", "", "", "", "", "", "", " Please.", " Thanks!", " I forgot.", " Do you know?", " Can you tell me?",
    " I need to know.", " Tell me.",
]


def wrap(rng, question):
    """A question with a greeting or the like before it, now and then with something after it."""
    before = rng.choice(BEFORE)
    if before.endswith((", ", ": ", "And ")) and question.split()[0] in {
        "What", "Which", "How", "Who", "Where", "Why", "When", "Is", "Can", "Name", "List",
    }:
        question = question[0].lower() + question[1:]
    return before + question + (rng.choice(AFTER) if rng.random() < 0.4 else "")


def casual(rng, text):
    """Type like people do: lower case, no full stop, short forms, a "please" now and then."""
    r = rng.random
    if r() < 0.3:
        text = re.sub(r"\b([Ww]hat|[Ww]ho|[Ww]here) is\b", r"\1's", text)
    if r() < 0.08:
        text = text.replace("'", "")
    if r() < 0.3:
        text = text.rstrip(".?!")
    if r() < 0.05:
        text = text + rng.choice(["??", "!", "!!", " ?", " :)", "..."])
    return text


def ask(rng, question, answer, wrapped=True):
    """A list of one turn, the question worded as people do."""
    question = wrap(rng, question) if wrapped and rng.random() < 0.5 else question
    question = casual(rng, question)
    return [(question.lower() if rng.random() < 0.3 else question, answer)]


def indirect(rng, thing, verb="is"):
    """A question about a thing that is named, such as "the capital of France"."""
    return fill(
        rng,
        f"What {verb} {thing}?|What {verb} {thing}?|What {verb} {thing}?|Tell me {thing}.|Can you tell me {thing}?|"
        f"Do you know {thing}?|Name {thing}.|I want to know {thing}.|Can you tell me what {thing} {verb}?|"
        f"Do you know what {thing} {verb}?|I would like to know what {thing} {verb}.|"
        f"What would you say {verb} {thing}?|{upper_first(thing)}?|{upper_first(thing)} {verb} ...|"
        f"Please give me {thing}.|Say {thing}.|I need {thing}.|Let me know {thing}.|"
        f"[Tell me what|What exactly] {verb} {thing}?|I am looking for {thing}.",
    )
