"""Tables of simple facts. Everything here was written for this model; keep it short and certain."""

# country: (capital, continent)
COUNTRIES = {
    "France": ("Paris", "Europe"), "Germany": ("Berlin", "Europe"), "Italy": ("Rome", "Europe"),
    "Spain": ("Madrid", "Europe"), "Portugal": ("Lisbon", "Europe"), "England": ("London", "Europe"),
    "Ireland": ("Dublin", "Europe"), "Scotland": ("Edinburgh", "Europe"), "Wales": ("Cardiff", "Europe"),
    "Belgium": ("Brussels", "Europe"), "Switzerland": ("Bern", "Europe"), "Austria": ("Vienna", "Europe"),
    "Poland": ("Warsaw", "Europe"), "Hungary": ("Budapest", "Europe"), "Greece": ("Athens", "Europe"),
    "Norway": ("Oslo", "Europe"), "Sweden": ("Stockholm", "Europe"), "Finland": ("Helsinki", "Europe"),
    "Denmark": ("Copenhagen", "Europe"), "Iceland": ("Reykjavik", "Europe"), "Ukraine": ("Kyiv", "Europe"),
    "Romania": ("Bucharest", "Europe"), "Bulgaria": ("Sofia", "Europe"), "Croatia": ("Zagreb", "Europe"),
    "Serbia": ("Belgrade", "Europe"), "Slovakia": ("Bratislava", "Europe"), "Slovenia": ("Ljubljana", "Europe"),
    "Estonia": ("Tallinn", "Europe"), "Latvia": ("Riga", "Europe"), "Lithuania": ("Vilnius", "Europe"),
    "the Netherlands": ("Amsterdam", "Europe"), "the United Kingdom": ("London", "Europe"),
    "the Czech Republic": ("Prague", "Europe"), "the United States": ("Washington", "North America"),
    "Canada": ("Ottawa", "North America"), "Mexico": ("Mexico City", "North America"),
    "Cuba": ("Havana", "North America"), "Jamaica": ("Kingston", "North America"),
    "Brazil": ("Brasilia", "South America"), "Argentina": ("Buenos Aires", "South America"),
    "Chile": ("Santiago", "South America"), "Peru": ("Lima", "South America"),
    "Colombia": ("Bogota", "South America"), "Egypt": ("Cairo", "Africa"), "Morocco": ("Rabat", "Africa"),
    "Kenya": ("Nairobi", "Africa"), "Nigeria": ("Abuja", "Africa"), "Ghana": ("Accra", "Africa"),
    "Ethiopia": ("Addis Ababa", "Africa"), "Senegal": ("Dakar", "Africa"), "Tunisia": ("Tunis", "Africa"),
    "Japan": ("Tokyo", "Asia"), "China": ("Beijing", "Asia"), "India": ("New Delhi", "Asia"),
    "South Korea": ("Seoul", "Asia"), "Thailand": ("Bangkok", "Asia"), "Vietnam": ("Hanoi", "Asia"),
    "Indonesia": ("Jakarta", "Asia"), "Malaysia": ("Kuala Lumpur", "Asia"), "Nepal": ("Kathmandu", "Asia"),
    "Mongolia": ("Ulaanbaatar", "Asia"), "Turkey": ("Ankara", "Asia"), "Iran": ("Tehran", "Asia"),
    "Iraq": ("Baghdad", "Asia"), "Pakistan": ("Islamabad", "Asia"), "Australia": ("Canberra", "Oceania"),
    "New Zealand": ("Wellington", "Oceania"),
}

LANGUAGES = {
    "France": "French", "Germany": "German", "Italy": "Italian", "Spain": "Spanish", "Portugal": "Portuguese",
    "England": "English", "Brazil": "Portuguese", "Mexico": "Spanish", "Argentina": "Spanish", "Japan": "Japanese",
    "China": "Chinese", "Austria": "German", "Poland": "Polish", "Greece": "Greek", "Sweden": "Swedish",
    "Norway": "Norwegian", "Denmark": "Danish", "Hungary": "Hungarian", "Egypt": "Arabic", "Australia": "English",
}

COLOURS = {
    "the sky": "blue", "grass": "green", "snow": "white", "coal": "black", "a banana": "yellow", "a lemon": "yellow",
    "milk": "white", "blood": "red", "a strawberry": "red", "a cherry": "red", "a carrot": "orange",
    "an orange": "orange", "a pumpkin": "orange", "chocolate": "brown", "a frog": "green", "a leaf": "green",
    "the sea": "blue", "the sun": "yellow", "a tomato": "red", "a cucumber": "green", "a crow": "black",
    "a flamingo": "pink", "a pig": "pink", "an elephant": "grey", "a polar bear": "white", "salt": "white",
    "a fire engine": "red", "broccoli": "green", "a swan": "white", "a raspberry": "red", "an egg yolk": "yellow",
    "a plum": "purple", "tree bark": "brown", "the moon": "white", "a sunflower": "yellow", "a blueberry": "blue",
}

SOUNDS = {
    "dog": "woof", "cat": "meow", "cow": "moo", "sheep": "baa", "pig": "oink", "horse": "neigh", "duck": "quack",
    "rooster": "cock-a-doodle-doo", "hen": "cluck", "lion": "roar", "mouse": "squeak", "frog": "ribbit",
    "owl": "hoot", "bee": "buzz", "snake": "hiss", "wolf": "howl", "donkey": "hee-haw", "crow": "caw",
    "goat": "baa", "bird": "tweet", "bear": "growl", "tiger": "roar", "goose": "honk", "turkey": "gobble",
    "pigeon": "coo", "cricket": "chirp", "elephant": "toot",
}

YOUNG = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "pig": "piglet", "horse": "foal",
    "duck": "duckling", "hen": "chick", "goat": "kid", "lion": "cub", "bear": "cub", "wolf": "pup", "frog": "tadpole",
    "goose": "gosling", "deer": "fawn", "swan": "cygnet", "kangaroo": "joey", "owl": "owlet", "seal": "pup",
    "elephant": "calf", "fox": "cub", "eagle": "eaglet", "butterfly": "caterpillar", "tiger": "cub",
}

HOMES = {
    "bee": "a hive", "bird": "a nest", "spider": "a web", "rabbit": "a burrow", "dog": "a kennel", "horse": "a stable",
    "fish": "the water", "bear": "a cave", "lion": "the savanna", "pig": "a sty", "ant": "an anthill",
    "penguin": "the cold south", "camel": "the desert", "monkey": "the jungle", "whale": "the sea", "shark": "the sea",
    "fox": "a den", "snail": "its shell", "squirrel": "a tree", "frog": "a pond", "polar bear": "the Arctic",
}

EATS = {
    "panda": "bamboo", "cow": "grass", "rabbit": "carrots and grass", "squirrel": "nuts", "lion": "meat",
    "horse": "grass and hay", "monkey": "fruit", "bee": "nectar", "mouse": "seeds and cheese", "penguin": "fish",
    "cat": "meat and fish", "koala": "leaves", "giraffe": "leaves", "bird": "seeds and worms", "spider": "insects",
    "frog": "insects", "shark": "fish", "sheep": "grass", "hedgehog": "worms and insects", "caterpillar": "leaves",
}

LEGS = {
    "dog": "four", "cat": "four", "horse": "four", "cow": "four", "spider": "eight", "ant": "six", "bee": "six",
    "bird": "two", "chicken": "two", "fish": "no", "snake": "no", "elephant": "four", "beetle": "six", "duck": "two",
    "butterfly": "six", "person": "two", "worm": "no", "octopus": "no", "crab": "ten", "lion": "four", "fly": "six",
}

OPPOSITES = [
    ("hot", "cold"), ("big", "small"), ("tall", "short"), ("fast", "slow"), ("happy", "sad"), ("good", "bad"),
    ("light", "dark"), ("day", "night"), ("up", "down"), ("left", "right"), ("open", "closed"), ("old", "young"),
    ("full", "empty"), ("hard", "soft"), ("wet", "dry"), ("loud", "quiet"), ("rich", "poor"), ("strong", "weak"),
    ("thick", "thin"), ("early", "late"), ("near", "far"), ("high", "low"), ("clean", "dirty"), ("easy", "difficult"),
    ("first", "last"), ("begin", "end"), ("buy", "sell"), ("win", "lose"), ("push", "pull"), ("true", "false"),
    ("yes", "no"), ("in", "out"), ("black", "white"), ("love", "hate"), ("sweet", "sour"),
    ("wide", "narrow"), ("deep", "shallow"), ("heavy", "light"), ("brave", "afraid"), ("inside", "outside"),
    ("above", "below"), ("before", "after"), ("always", "never"), ("asleep", "awake"), ("noisy", "quiet"),
    ("new", "old"), ("warm", "cool"), ("laugh", "cry"), ("north", "south"), ("east", "west"), ("more", "less"),
    ("start", "stop"), ("remember", "forget"), ("smooth", "rough"), ("sharp", "blunt"), ("polite", "rude"),
    ("give", "take"), ("summer", "winter"), ("front", "back"), ("top", "bottom"), ("male", "female"),
]

# word: its opposite, in both directions; of several pairs with a word the first counts
OPPOSITE = {}
for _one, _other in OPPOSITES:
    OPPOSITE.setdefault(_one, _other)
    OPPOSITE.setdefault(_other, _one)

PLURALS = {
    "cat": "cats", "dog": "dogs", "mouse": "mice", "child": "children", "man": "men", "woman": "women",
    "foot": "feet", "tooth": "teeth", "goose": "geese", "sheep": "sheep", "fish": "fish", "ox": "oxen",
    "leaf": "leaves", "knife": "knives", "wolf": "wolves", "life": "lives", "wife": "wives", "half": "halves",
    "box": "boxes", "fox": "foxes", "bus": "buses", "glass": "glasses", "church": "churches", "dish": "dishes",
    "baby": "babies", "city": "cities", "lady": "ladies", "story": "stories", "berry": "berries", "puppy": "puppies",
    "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes", "person": "people", "book": "books",
    "tree": "trees", "house": "houses", "apple": "apples", "day": "days", "key": "keys", "toy": "toys",
    "deer": "deer", "shelf": "shelves", "thief": "thieves", "cherry": "cherries", "star": "stars",
}

PAST = {
    "go": "went", "see": "saw", "eat": "ate", "run": "ran", "come": "came", "take": "took", "give": "gave",
    "write": "wrote", "sing": "sang", "swim": "swam", "fly": "flew", "drink": "drank", "sleep": "slept",
    "think": "thought", "buy": "bought", "bring": "brought", "catch": "caught", "teach": "taught", "find": "found",
    "make": "made", "say": "said", "tell": "told", "know": "knew", "grow": "grew", "draw": "drew", "speak": "spoke",
    "break": "broke", "walk": "walked", "play": "played", "jump": "jumped", "look": "looked", "is": "was",
}

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = "spring summer autumn winter".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
           "seventeen eighteen nineteen twenty").split()

# "how many X are there in Y": (X, Y, number)
AMOUNTS = [
    ("days", "a week", "7"), ("months", "a year", "12"), ("hours", "a day", "24"), ("minutes", "an hour", "60"),
    ("seconds", "a minute", "60"), ("weeks", "a year", "52"), ("days", "a year", "365"),
    ("days", "a leap year", "366"), ("letters", "the English alphabet", "26"), ("years", "a decade", "10"),
    ("years", "a century", "100"), ("years", "a millennium", "1000"), ("eggs", "a dozen", "12"),
    ("cents", "a dollar", "100"), ("centimetres", "a metre", "100"), ("metres", "a kilometre", "1000"),
    ("grams", "a kilogram", "1000"), ("colours", "the rainbow", "7"), ("planets", "the solar system", "8"),
    ("seasons", "a year", "4"), ("players", "a football team", "11"), ("days", "February", "28 or 29"),
    ("days", "January", "31"), ("days", "April", "30"), ("days", "June", "30"), ("days", "July", "31"),
    ("days", "December", "31"), ("vowels", "the alphabet", "5"), ("sides", "a triangle", "3"),
    ("sides", "a square", "4"), ("sides", "a pentagon", "5"), ("sides", "a hexagon", "6"), ("bits", "a byte", "8"),
]

# "how many X does Y have": (X, Y, number)
PARTS = [
    ("wheels", "a bicycle", "two"), ("wheels", "a tricycle", "three"), ("wheels", "a car", "four"),
    ("fingers", "a person", "ten"), ("toes", "a person", "ten"), ("eyes", "a person", "two"),
    ("arms", "an octopus", "eight"), ("strings", "a violin", "four"), ("strings", "a guitar", "six"),
    ("wings", "a bird", "two"), ("humps", "a camel", "one or two"), ("corners", "a triangle", "three"),
    ("corners", "a square", "four"), ("ears", "a rabbit", "two"), ("hearts", "a person", "one"),
    ("thumbs", "a person", "two"), ("noses", "a person", "one"), ("moons", "the Earth", "one"),
]

# name of a kind of thing: members
LISTS = {
    "fruit": "apple banana cherry orange pear grape lemon peach plum mango strawberry melon kiwi pineapple".split(),
    "vegetable": "carrot potato onion cabbage pea bean spinach cucumber pumpkin broccoli leek turnip".split(),
    "animal": "dog cat horse cow lion tiger elephant rabbit mouse sheep goat wolf bear monkey giraffe zebra".split(),
    "bird": "eagle owl robin sparrow duck swan crow pigeon parrot penguin seagull stork".split(),
    "fish": "salmon trout tuna herring cod shark carp eel".split(),
    "insect": "ant bee fly beetle butterfly wasp ladybird grasshopper cricket moth".split(),
    "colour": "red blue green yellow orange purple pink brown black white grey".split(),
    "flower": "rose tulip daisy lily sunflower violet poppy daffodil orchid".split(),
    "tree": "oak pine birch maple willow beech ash fir".split(),
    "drink": ["water", "milk", "tea", "coffee", "juice", "lemonade", "cocoa"],
    "food": ["bread", "cheese", "soup", "rice", "pasta", "salad", "pizza", "cake"],
    "dessert": ["ice cream", "cake", "pudding", "apple pie", "chocolate", "pancakes"],
    "sport": ["football", "tennis", "basketball", "swimming", "hockey", "rugby", "golf", "skiing", "running"],
    "musical instrument": "piano guitar violin drum flute trumpet harp cello".split(),
    "tool": "hammer saw screwdriver drill spade rake knife ladder".split(),
    "toy": ["ball", "doll", "kite", "puzzle", "teddy bear", "yo-yo", "toy car", "top"],
    "vehicle": "car bus train bicycle lorry boat plane tram ship".split(),
    "job": "teacher doctor baker farmer nurse builder painter pilot cook driver".split(),
    "shape": "circle square triangle rectangle star oval hexagon".split(),
    "planet": "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split(),
    "country": "France Germany Italy Spain Japan China India Canada Brazil Egypt Norway Kenya".split(),
    "city": "London Paris Rome Berlin Madrid Tokyo Cairo Vienna Oslo Lisbon".split(),
    "continent": ["Africa", "Asia", "Europe", "North America", "South America", "Oceania", "Antarctica"],
    "ocean": ["Pacific", "Atlantic", "Indian", "Arctic", "Southern"],
    "language": "English French German Spanish Italian Japanese Chinese Arabic Portuguese".split(),
    "body part": "head arm leg hand foot nose ear eye mouth knee".split(),
    "room": ["kitchen", "bedroom", "bathroom", "living room", "hall", "attic"],
    "season": SEASONS,
    "day": DAYS,
    "month": MONTHS,
    "number": NUMBERS[1:11],
    "metal": "iron gold silver copper tin lead".split(),
    "subject": ["maths", "history", "music", "art", "science", "geography"],
    "piece of clothing": "shirt hat coat sock shoe scarf dress jacket glove".split(),
    "piece of furniture": "table chair bed sofa desk shelf wardrobe".split(),
    "pet": "dog cat rabbit hamster goldfish parrot".split(),
    "farm animal": "cow pig sheep goat horse hen duck".split(),
    "wild animal": "lion tiger wolf bear fox elephant giraffe".split(),
}
LIST_PLURAL = {"body part": "parts of the body", "piece of clothing": "pieces of clothing",
               "piece of furniture": "pieces of furniture", "subject": "school subjects", "fish": "fish"}

SIZES = "ant bee mouse rabbit cat dog sheep pig horse elephant whale".split()

THINGS = {
    "cut paper": "scissors", "tell the time": "a clock", "write": "a pen or a pencil", "eat soup": "a spoon",
    "open a lock": "a key", "keep dry in the rain": "an umbrella", "brush your teeth": "a toothbrush",
    "sweep the floor": "a broom", "hit a nail": "a hammer", "see the stars": "a telescope",
    "measure temperature": "a thermometer", "dig a hole": "a spade", "comb your hair": "a comb",
    "take a picture": "a camera", "find north": "a compass", "boil water": "a kettle", "sew": "a needle and thread",
}

# kind, what it is
DEFINITIONS = {
    "a star": "a huge ball of hot gas that shines in the sky", "the sun": "the star at the centre of our solar system",
    "the moon": "a ball of rock that goes round the Earth", "rain": "water that falls from the clouds",
    "snow": "frozen water that falls from the clouds", "ice": "frozen water", "a river": "water that flows to the sea",
    "a mountain": "a very high piece of land", "an island": "land with water all around it",
    "a desert": "a very dry place where few plants grow", "a forest": "a large place with many trees",
    "a library": "a place where you can read and borrow books", "a school": "a place where children learn",
    "a volcano": "a mountain that can throw out hot melted rock", "an ocean": "a very large sea",
    "the Earth": "the planet that we live on", "a dictionary": "a book that tells you what words mean",
    "a computer": "a machine that follows instructions and works with information",
    "a robot": "a machine that can do some jobs by itself", "wind": "moving air", "fire": "heat and light from burning",
    "a friend": "someone you like and trust", "a poem": "a short piece of writing that plays with words and rhythm",
    "a map": "a drawing that shows where places are", "a clock": "a thing that shows the time",
    "a rainbow": "an arc of colours that you see when the sun shines on rain",
    "a museum": "a place that keeps interesting old things to look at", "a bridge": "a road over a river or a valley",
    "a doctor": "a person who helps sick people", "a teacher": "a person who helps others to learn",
    "a baker": "a person who makes bread and cakes", "a farmer": "a person who grows food and keeps animals",
    "a cloud": "a mass of tiny drops of water in the sky", "thunder": "the loud sound that lightning makes",
    "gravity": "the force that pulls things down to the ground", "water": "a clear liquid that all living things need",
}

# questions (with variants) and one answer
TRIVIA = [
    ("What is the [largest|biggest] planet[| in the solar system]?", "Jupiter", "The largest planet is Jupiter."),
    ("[What|Which] planet is [closest|nearest] to the sun?", "Mercury", "Mercury is the closest planet to the sun."),
    ("[Which planet is|What is] [called |known as |]the red planet?", "Mars", "Mars is called the red planet."),
    ("[What|Which] planet [has big rings|is famous for its rings|has rings]?", "Saturn",
     "Saturn is famous for its rings."),
    ("What is the [largest|biggest] ocean[| on Earth| in the world]?", "Pacific",
     "The largest ocean is the Pacific Ocean."),
    ("What is the [highest|tallest] mountain[| in the world| on Earth]?", "Everest",
     "The highest mountain is Mount Everest."),
    ("What is the [largest|biggest] animal[| in the world| on Earth]?", "Whale",
     "The largest animal is the blue whale."),
    ("[What|Which] [is the tallest animal|animal is the tallest]?", "Giraffe", "The tallest animal is the giraffe."),
    ("[What is the fastest|Which is the fastest] [land animal|animal on land]?", "Cheetah",
     "The fastest land animal is the cheetah."),
    ("What is the [largest|biggest] land animal?", "Elephant", "The largest land animal is the elephant."),
    ("What is the [largest|biggest] bird[| in the world]?", "Ostrich", "The largest bird is the ostrich."),
    ("[What|Which] animal is [called |known as |]the king of [the jungle|animals|the beasts]?", "Lion",
     "The lion is called the king of the jungle."),
    ("What do bees make?", "Honey", "Bees make honey."),
    ("[Who makes|Which animal makes|What makes] honey?", "Bees", "Bees make honey."),
    ("What is [cheese|butter|yogurt] made [of|from]?", "Milk", "It is made from milk."),
    ("What is bread made [of|from]?", "Flour", "Bread is made from flour and water."),
    ("What is paper made [of|from]?", "Wood", "Paper is made from wood."),
    ("What is glass made [of|from]?", "Sand", "Glass is made from sand."),
    ("Where does milk come from?", "Cows", "Milk comes from cows."),
    ("Where do eggs come from?", "Hens", "Eggs come from hens."),
    ("What [does ice become when it melts|happens when ice melts]?", "Water", "When ice melts, it becomes water."),
    ("What does water become when it freezes?", "Ice", "When water freezes, it becomes ice."),
    ("At what temperature does water freeze?", "Zero", "Water freezes at 0 degrees Celsius."),
    ("At what temperature does water boil?", "100", "Water boils at 100 degrees Celsius."),
    ("What do plants need[| to grow| to live]?", "Light", "Plants need light, water and air to grow."),
    ("[Why is the sky blue|What makes the sky blue]?", "Sunlight",
     "The sky is blue because the air scatters blue light more than red light."),
    ("Why does it rain?", "Clouds", "It rains when the tiny drops in a cloud join and become too heavy to stay up."),
    ("Why do [birds have wings|birds need wings]?", "Flying", "Birds have wings so that they can fly."),
    ("Why do we sleep?", "Rest", "We sleep so that our body and our mind can rest."),
    ("Why is the sea salty?", "Salt", "The sea is salty because rivers carry salt from rocks into it."),
    ("Why do leaves fall[| in autumn]?", "Cold",
     "Many trees drop their leaves in autumn to save water in the cold months."),
    ("Why is the grass green?", "Chlorophyll",
     "Grass is green because of a green stuff called chlorophyll in its leaves."),
    ("Who wrote Romeo and Juliet?", "Shakespeare", "William Shakespeare wrote Romeo and Juliet."),
    ("Who painted the Mona Lisa?", "Leonardo", "Leonardo da Vinci painted the Mona Lisa."),
    ("Who was the first [person|man] on the moon?", "Armstrong", "Neil Armstrong was the first person on the moon."),
    ("In which city is the Eiffel Tower?|Where is the Eiffel Tower?", "Paris", "The Eiffel Tower is in Paris."),
    ("In which city is Big Ben?|Where is Big Ben?", "London", "Big Ben is in London."),
    ("Where does the sun rise?", "East", "The sun rises in the east."),
    ("Where does the sun set?", "West", "The sun sets in the west."),
    ("What is the coldest season?", "Winter", "Winter is the coldest season."),
    ("[What|Which] is the [hottest|warmest] season?", "Summer", "Summer is the warmest season."),
    ("[What|Which] is the shortest month?", "February", "February is the shortest month."),
    ("In which month is Christmas?|When is Christmas?", "December", "Christmas is in December."),
    ("What is H2O?|What is the formula of water?", "Water", "H2O is the chemical formula of water."),
    ("What colours are in the rainbow?|[Name|What are] the colours of the rainbow.", "Red",
     "The colours of the rainbow are red, orange, yellow, green, blue, indigo and violet."),
    ("What do you get when you mix [blue and yellow|yellow and blue]?", "Green", "Blue and yellow make green."),
    ("What do you get when you mix [red and yellow|yellow and red]?", "Orange", "Red and yellow make orange."),
    ("What do you get when you mix [red and blue|blue and red]?", "Purple", "Red and blue make purple."),
    ("What do you get when you mix [red and white|white and red]?", "Pink", "Red and white make pink."),
    ("Is the sun a star?", "Yes", "Yes, the sun is a star."),
    ("Is the Earth [flat|round]?", "Round", "The Earth is round, like a ball."),
    ("Can [penguins|a penguin] fly?", "No", "No, penguins cannot fly, but they swim very well."),
    ("Can [fish|a fish] [breathe|live] under water?", "Yes", "Yes, fish can live under water."),
    ("Is [a spider|the spider] an insect?", "No", "No, a spider has eight legs and is not an insect."),
    ("Is [a whale|the whale] a fish?", "No", "No, a whale is a mammal."),
    ("Is a tomato a fruit?", "Yes", "Yes, a tomato is a fruit, although we often use it as a vegetable."),
    ("What comes after the night?", "Morning", "After the night comes the morning."),
    ("What do caterpillars [become|turn into]?", "Butterflies", "Caterpillars turn into butterflies."),
    ("What do tadpoles [become|turn into]?", "Frogs", "Tadpoles turn into frogs."),
    ("What do we breathe?", "Air", "We breathe air."),
    ("Which gas do we need to breathe?", "Oxygen", "We need oxygen to breathe."),
    ("What pumps blood [through|round] [the|our] body?", "Heart", "The heart pumps blood through the body."),
    ("What do you call a person who writes books?", "Author", "A person who writes books is called an author."),
    ("What is the first letter of the alphabet?", "A", "The first letter of the alphabet is A."),
    ("What is the last letter of the alphabet?", "Z", "The last letter of the alphabet is Z."),
    ("[Say|Recite|Write|Tell me] the alphabet.", "A", "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"),
]
