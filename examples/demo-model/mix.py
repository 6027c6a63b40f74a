"""How often each kind of turn occurs in a chat."""

from memory import turn_memory, turn_untold
from turns import (
    turn_copy, turn_fact, turn_fun, turn_list, turn_llama_rs, turn_opening, turn_small_talk, turn_story,
    turn_term,
)
from unknown import turn_other

TURNS = [
    (turn_fact, 48), (turn_story, 7), (turn_opening, 1), (turn_small_talk, 17), (turn_fun, 4), (turn_llama_rs, 9),
    (turn_term, 8), (turn_list, 10), (turn_copy, 20), (turn_memory, 13), (turn_untold, 1), (turn_other, 8),
]


def general_turns(rng, n):
    """The turns of about n subjects."""
    kinds = rng.choices([f for f, _ in TURNS], [w for _, w in TURNS], k=n)
    if turn_memory in kinds:  # do not say "you have not told me" after it was told
        kinds = [k for k in kinds if k is not turn_untold]
    return [turn for kind in kinds for turn in kind(rng)]
