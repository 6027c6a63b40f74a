"""Names, animals, places and other words of the stories."""

GIRLS = """
    Anna Mia Lily Emma Rosie Clara Nora Ella Sophie Lucy Maya Zoe Ruby Daisy Molly Hazel Ivy Luna Tilly
    Poppy Alice Bella Greta Hanna Ida Julia Kate Lena Mary Nina Olga Paula Rita Sara Tina Vera Wendy Eva
    Jane Lisa
""".split()

BOYS = """
    Tom Ben Max Leo Sam Jack Finn Oscar Theo Hugo Felix Milo Toby Charlie Jasper Otto Peter Paul Nick Louis
    Adam Bruno Carl David Erik Frank George Henry Ivan Jonas Kevin Liam Mark Noah Oliver Philip Robin Simon
    Tim Will
""".split()

OTHER_NAMES = """
    Aisha Ahmed Aiko Akira Alejandro Amara Amir Anders Angela Anton Arjun Astrid Aurora Bao Beatrice Bjorn
    Carlos Carmen Catherine Chen Chloe Diego Dmitri Elena Elif Emil Esther Fatima Felicity Fernando Freya
    Gabriel Georgia Giulia Gustav Hassan Helena Hiroshi Ingrid Isabella Jamal Javier Jessica Joao Johannes
    Jorge Katarina Kenji Khalid Kofi Lars Leila Lorenzo Lucia Magnus Malik Margaret Maria Mateo Matthew Mei
    Miguel Mohammed Nadia Naomi Natasha Nia Nikolai Omar Pablo Patricia Pedro Penelope Rachel Rafael Rajesh
    Rebecca Ricardo Rosalind Samira Samuel Sanjay Sebastian Sergei Sofia Stefan Svetlana Tariq Thomas Tomas
    Valentina Victor Vikram William Yara Yusuf Yuki Zainab
""".split()

PET_NAMES = """
    Pip Bubbles Fluffy Button Pepper Biscuit Ginger Nibbles Sunny Patch Whiskers Coco Snowy Rusty Dot Waffle
    Pickle Muffin Bramble Cookie Sparkle Pebble Twig Mossy Honey Spot Smudge Fern Acorn Maple Dusty Ziggy
""".split()

ANIMALS = """
    rabbit fox bear mouse cat dog owl duck frog squirrel hedgehog pig lamb goat horse pony cow hen penguin
    turtle elephant lion tiger monkey giraffe zebra wolf deer badger beaver otter seal whale dolphin crab
    snail bee ant butterfly ladybird sparrow robin crow swan goose parrot mole kitten puppy dragon unicorn
    spider fish kangaroo koala panda donkey camel bat hamster shark octopus dinosaur snake crocodile
""".split()

# Pronoun: people it may stand for.
PEOPLE = {
    "he": (
        "boy king prince baker farmer fisherman gardener wizard knight painter sailor pirate miller "
        "giant grandfather"
    ).split(),
    "she": (
        "girl queen princess baker farmer gardener witch painter sailor fairy dancer teacher doctor "
        "grandmother mermaid"
    ).split(),
}

# An underscore stands for a space.
OBJECTS = """
    robot train boat kite cloud star snowman teapot lantern clock leaf toy tree car balloon book chair
    candle pencil button shoe hat drum spoon raindrop snowflake tractor bus rocket spaceship ghost monster
    pumpkin teddy_bear scarecrow lighthouse windmill ball doll key stone
""".split()

TRAITS = """
    kind brave shy curious clever cheerful gentle lazy playful quiet friendly sleepy busy hungry happy
    lonely young little small tiny funny polite careful proud
""".split()

# Traits that fit after "was very".
MOODS = "kind brave shy curious clever cheerful gentle playful friendly small".split()

PLACES = [
    "in a quiet forest", "by the sea", "on a green hill", "in a small village", "near a wide river",
    "at the edge of a big city", "under an old bridge", "on a little farm", "in a cosy house",
    "beside a blue lake", "in a sunny valley", "on a tiny island", "behind a tall mountain",
    "next to an old mill", "in a garden full of flowers", "at the end of a long road", "in a warm cave",
    "near the old castle", "on the top of a hill", "in a busy town",
]

# How a user names a place: how the story names it.
ASKED_PLACES = {
    "in a castle": "in a castle", "in the forest": "in the forest", "at the beach": "at the beach",
    "in space": "in space", "on the moon": "on the moon", "on a farm": "on a farm",
    "in the jungle": "in the jungle", "in the city": "in the city", "at school": "near a school",
    "in the desert": "in the desert", "on an island": "on an island", "in the snow": "in the snow",
    "under the sea": "under the sea", "in the mountains": "in the mountains",
    "in the garden": "in the garden",
}

HOBBIES = [
    "sing songs", "paint pictures", "bake cakes", "collect shiny stones", "read books", "count the stars",
    "dance in the rain", "play hide and seek", "build small boats", "grow flowers", "listen to the wind",
    "draw maps", "fly kites", "jump in puddles", "tell jokes", "look for shells", "cook soup",
    "play the drum", "watch the clouds", "climb hills", "pick berries", "play ball",
]

ITEMS = [
    "red ball", "blue scarf", "silver bell", "golden key", "little drum", "green hat", "wooden boat",
    "yellow kite", "old map", "warm blanket", "shiny whistle", "paper crown", "tiny lamp",
    "striped umbrella", "wooden flute", "picture book",
]

FOODS = [
    "apples", "bread", "berries", "cookies", "nuts", "soup", "pancakes", "honey cake", "carrots", "cheese",
    "pears", "cherries",
]

SPOTS = [
    "under the old oak", "behind the barn", "near the well", "beside the pond", "under the bridge",
    "behind the big rock", "in the tall grass", "next to the gate", "under a bush", "behind the mill",
]

ELDERS = [
    "wise old owl", "old turtle", "friendly old farmer", "wise grandmother", "old fisherman",
    "kind old bear", "old gardener", "wise old crow", "friendly baker", "old sailor",
]

COLOURS = "red blue green yellow golden silver purple orange pink white".split()

WEATHER = "sunny rainy windy cold warm foggy bright cloudy snowy quiet".split()

# Pronoun: the forms for he, him and his.
PRONOUNS = {
    "he": ("he", "him", "his"),
    "she": ("she", "her", "her"),
}
