"""Turns about what the model does not know or cannot do, which it has to decline."""

from grammar import fill, invent, upper_first
from phrases import random_phrase
from wording import ask

TOPICS = (
    "quantum physics|the second world war|the stock market|black holes|photosynthesis|democracy|"
    "the French revolution|relativity|evolution|DNA|cells|philosophy|politics|economics|inflation|tax law|"
    "mortgages|bitcoin|the Roman empire|ancient Egypt|Napoleon|Einstein|Shakespeare's plays|football results|"
    "the Olympic games|the world cup|climate change|nuclear power|electric cars|solar panels|the immune system|"
    "vaccines|diabetes|back pain|headaches|yoga|meditation|weight loss|protein|vitamins|cooking pasta|baking bread|"
    "a recipe for pizza|a recipe for soup|wine|coffee machines|gardening|roses|dog training|cat food|"
    "chess openings|poker|guitar chords|jazz|Mozart|Beethoven|modern art|Picasso|photography|film|the best movies|"
    "good books|novels|Harry Potter|Star Wars|video games|mobile phones|laptops|printers|web design|CSS|HTML|"
    "databases|SQL|Python|Java|C++|JavaScript|Linux|Windows|Docker|Kubernetes|git|regular expressions|"
    "sorting algorithms|binary search|linked lists|operating systems|compilers|networking|TCP|cryptography|"
    "passwords|blockchain|machine translation|robots in industry|space travel|rockets|Mars missions|the big bang|"
    "galaxies|volcanoes|earthquakes|oceans|rivers in Asia|the Amazon|deserts|glaciers|tourism|cheap flights|"
    "hotels in Rome|travel to Japan|visa rules|train tickets|driving|car repair|bicycles|houses|rent|furniture|"
    "interior design|fashion|shoes|make-up|haircuts|weddings|birthday gifts|party ideas|parenting|school|exams|"
    "homework|university|job interviews|a CV|a cover letter|emails|marketing|management|leadership|start-ups|"
    "history|geography|chemistry|biology|algebra|geometry|calculus|statistics|probability|fractions|percentages|"
    "prime numbers|logic|psychology|dreams|love|friendship between nations|religion|ethics|law|human rights|poetry|"
    "grammar rules|Latin|the Chinese language|sign language|linguistics|opera|ballet|architecture|bridges in China|"
    "skyscrapers|steel|plastic|recycling|water supply|energy|magnets|electricity|light|sound waves|thermodynamics|"
    "entropy|string theory|bees and farming|sharks in Australia|dinosaur bones|whales and sonar|birds of prey|"
    "insects in winter|mushrooms|medicine|surgery|dentists|blood pressure|the brain|memory training"
).split("|")
TASKS = (
    "write [a|an] [python|Rust|C|Java|JavaScript] [function|program|script] [that|to] [sorts a list|adds two "
    "numbers|reads a file|downloads a page|prints primes|reverses a string]|"
    "[debug|fix|review|improve|explain] [this|my] [code|program|function|script]|"
    "write [a|an] [essay|article|report|blog post|speech|novel|song|letter|email|review|summary|cover letter] "
    "about {t}|"
    "translate [this|hello|good morning|this text|thank you|the word house] [into|to] [French|German|Spanish|"
    "Chinese|Italian|Latin|Russian]|summarize [this|the] [text|article|book|report]|"
    "solve [the|this] [equation|riddle|puzzle|problem]|what is {m} times {n}|what is {m} divided by {n}|"
    "what is the square root of {m}|multiply {m} by {n}|divide {m} by {n}|{m} * {n}|{m} x {n}|{m} / {n}|"
    "what is {m} percent of {n}|book [a flight|a hotel|a table]|[send|write] an email to my boss|"
    "plan [my trip|a holiday|my week|a party] [to Italy|in Spain|for me|for two]|"
    "play [chess|a game|tic tac toe|a song] with me|"
    "who won [the election|the game yesterday|the world cup in 1998|the Nobel prize|the race]|"
    "who is the [president|king|queen|prime minister|chancellor] of [France|Spain|the United States|England|Norway|"
    "Germany]|"
    "who invented [the telephone|the light bulb|the car|the computer|paper|the radio|the wheel|the internet]|"
    "who discovered [America|penicillin|gravity|radium]|"
    "when [did the war end|was Rome founded|did the Titanic sink|was the internet invented]|"
    "how far is [the moon|the sun|Mars|London from Paris]|how deep is the [sea|ocean]|"
    "how fast is [light|sound|a plane]|how heavy is [a whale|the Earth|a car]|"
    "how tall is [Mount Everest|the Eiffel Tower]|how many people live in [China|London|India|Europe]|"
    "how do I [cook rice|bake bread|fix my car|lose weight|learn German|make money|tie a tie|change a tyre|grow "
    "tomatoes|clean a carpet|sleep better|stop smoking|find a job|build a house|learn to draw]|"
    "what should I [eat|wear|read|watch|buy|cook] [today|tonight|for dinner|this weekend]|"
    "give me [advice|a recipe|a plan|some tips|a workout|a diet|an idea] for {t}|"
    "what is the [population|area|flag|anthem|history|currency|president] of [France|Japan|Peru|Kenya|Canada|"
    "Italy]|compare {t} and {u}|what is the difference between {t} and {u}|"
    "write a [regex|SQL query|shell script] for {t}"
)
ASK_ANY = (
    "What is {t}?|Explain {t}[.| to me.| in detail.| in simple words.]|"
    "Tell me [about|something about|everything about|more about] {t}.|What do you [know|think] about {t}?|"
    "How does {t} work?|Why is {t} [important|so hard|interesting|expensive]?|Who invented {t}?|"
    "I have a question about {t}.|Can you [explain|teach me|help me with|describe] {t}?|Teach me [about |]{t}.|"
    "Give me [a summary of|an overview of|an introduction to|some facts about] {t}.|"
    "What are the [main ideas|rules|risks|benefits] of {t}?|How [can|do] I learn [more about |]{t}?|"
    "What is the [history|future|meaning|best thing] of {t}?|Is {t} [good|bad|true|dangerous|useful]?|"
    "Do you like {t}?|Let us talk about {t}.|I [love|hate|like] {t}. And you?|Discuss {t}.|"
    "Where can I [find|buy|learn] {t}?|{T}?|{T}|Should I [buy|try|learn|study] {t}?|"
    "Do you know [anything|something|much] about {t}?|I need [help|advice|information] [with|on|about] {t}."
)
SORRY = (
    "[I am sorry, but|Sorry,] I am only a tiny demo model and [I do not know much about that|that is too hard for "
    "me|I cannot help with that]. [Try a larger model with -m or --hf.|A larger model can help: load one with -m "
    "or --hf.]"
)


def turn_other(rng):
    """A question or a task that is too hard, an unknown name, or nonsense."""
    r = rng.random()
    t, u = rng.sample(TOPICS, 2)
    if r < 0.5:
        q = fill(rng, ASK_ANY, t=t, T=upper_first(t))
    elif r < 0.85:
        q = fill(rng, TASKS, t=t, u=u, m=rng.randint(2, 99), n=rng.randint(2, 99))
        q = (
            rng.choice(["", "", "", "Please ", "Can you ", "I want you to "]) + q
            if not q.startswith(("wh", "how"))
            else q
        )
        q = upper_first(q) + rng.choice(["?", "."])
    elif r < 0.93:
        x = upper_first(invent(rng))
        q = fill(
            rng,
            f"Who is {x}?|What is {x}?|Where is {x}?|What is a {x.lower()}?|Do you know {x}?|"
            f"What does {x.lower()} mean?|Tell me about {x}.|Who was {x} {upper_first(invent(rng))}?",
        )
        return ask(
            rng,
            q,
            f"I do not know {x if x in q else x.lower()}. I am only a tiny demo model; a larger model, loaded with "
            "-m or --hf, may know it.",
        )
    else:
        q = rng.choice(
            [
                random_phrase(rng),
                " ".join(invent(rng) for _ in range(rng.randint(1, 5))),
                "".join(rng.choice("asdfghjklqwertyuiop") for _ in range(rng.randint(3, 12))),
            ]
        )
        return [
            (
                q,
                (
                    "I am sorry, I do not understand that. I am only a tiny demo model. Please ask me for a story, "
                    "a fact or some help with llama-rs."
                ),
            )
        ]
    return ask(rng, q, fill(rng, SORRY))
