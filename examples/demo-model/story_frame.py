"""The sentences before and after the plot of a story, in the notation of grammar.py."""

OPENINGS = [
    "[Once upon a time|Long ago|Once], [there was|there lived] a {trait} {kind} [named|called] {H}. "
    "{He} lived {place}.",
    "[Once upon a time|Long ago|Many years ago], a {trait} {kind} [named|called] {H} lived {place}.",
    "{H} was a {trait} {kind} who lived {place}.",
    "There was once a {trait} {kind} [named|called] {H} who lived {place}.",
    "{Place}[, there| there] lived a {trait} {kind}. {His} name was {H}.",
    "Once upon a time there was a {kind} whose name was {H}. {H} was very {mood} and lived {place}.",
]
HABITS = [
    "{He} loved to {hobby} [every day|in the morning|after lunch|when the sun was shining|with {his} friends].",
    "Every [morning|evening|day], {he} liked to {hobby}.",
    "More than anything, {H} loved to {hobby}.",
    "[Everyone|Everybody] knew that {H} liked to {hobby}.",
    "",
]
WHEN = "[One {weather} [morning|day|afternoon]|One day|One morning|One {weather} day|Then, one day]"

ENDINGS = [
    "And they lived happily ever after.", "From that day on, they were the best of friends.", "The end.",
    "That night, {H} fell asleep with a smile.", "And {H} never forgot that day.", "It was the best day of {his} life.",
    "{H} went home tired but happy.", "And if you listen carefully, you can still hear them laugh.",
    "Since then, {H} has told this story to everyone who wants to hear it.", "", "", "",
]
