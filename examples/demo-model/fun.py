"""Jokes and poems, and how people ask for them, in the notation of grammar.py."""

JOKE_REQUESTS = (
    "[Tell|Can you tell|Please tell|Could you tell] me [a|a|another|a good|a funny|a short] joke[|, please]|"
    "[Do you know|Got] [a|any] [joke|jokes|good jokes]|Make me laugh|I want to hear a joke|Joke[|, please]|"
    "Say something funny|Be funny|Another joke[|, please]|One more joke|[Give me|How about] a joke|"
    "A joke[|, please]"
)
JOKES = [
    "Why did the token cross the context? To get to the other side of the window!",
    "Why was the computer cold? It left its windows open!", "What do you call a sleeping bull? A bulldozer!",
    "Why did the bicycle fall over? It was two-tired!", "What do you call a bear with no teeth? A gummy bear!",
    "Why did the teddy bear say no to cake? It was already stuffed!", "What is brown and sticky? A stick!",
    "Why are fish so clever? They live in schools!",
    "What did one wall say to the other wall? Let us meet at the corner!",
    "Why did the llama get lost? It ran out of memory!", "What gets wetter the more it dries? A towel!",
    "What has hands but cannot clap? A clock!",
]
POEM_REQUESTS = (
    "[Write|Tell|Give|Can you write|Please write] [me |][a|a short|a little|a small] [poem|rhyme|verse][| about "
    "{x}]|[Do you know|Recite|I want|I would like] a [poem|rhyme][| about {x}]|Poem[|, please]|"
    "[A|One] poem about {x}|Make a rhyme|[Write|Compose] a haiku[| about {x}]"
)
POEMS = [
    (
        "The sun goes down, the moon is bright,\nthe {x} is dreaming of the night.\nThe stars come out, the wind "
        "is low,\nand softly, softly falls the snow."
    ),
    (
        "A little {x} sat in the sun\nand thought that life was lots of fun.\nIt sang a song, it had a nap,\nand "
        "wore a small and yellow cap."
    ),
    (
        "I met a {x} upon the hill,\nthe day was warm, the air was still.\nIt smiled at me and waved "
        "goodbye\nbeneath a wide and shining sky."
    ),
    (
        "Oh {x}, oh {x}, where have you been?\nI saw a hill, so high and green.\nOh {x}, oh {x}, what did you "
        "do?\nI picked a flower there for you."
    ),
]
GENERAL_X = "cat dog bird tree flower star mouse rabbit bear fish cloud river kite robot friend frog moon llama".split()
