"""What arrives at the desk, and when the loop gets to know."""

from __future__ import annotations

from typing import Any

from engine.runs.commands import Command
from engine.train.desk import Flags, LiveDesk


class Letters:
    """An inbox whose letters all lie there at the first look."""

    def __init__(self, *verbs: str) -> None:
        self.commands = [Command(str(number), verb, {}) for number, verb in enumerate(verbs)]

    def poll(self) -> list[Command]:
        found, self.commands = self.commands, []
        return found

    def unfit(self) -> list[Any]:
        return []


def desk(*verbs: str) -> LiveDesk:
    return LiveDesk(Letters(*verbs), Flags(), None)  # type: ignore[arg-type]


def test_a_pause_and_its_end_that_arrive_together_are_heard_one_after_the_other() -> None:
    here = desk("pause", "resume", "pause", "stop")
    seen = []
    for _ in range(5):
        answers = [record.type for record in here.listen(0)]
        seen.append((len(answers), here.wishes.pause, here.wishes.stop))
    assert seen == [(1, True, None), (1, False, None), (1, True, None), (1, True, "stopped"), (0, True, "stopped")]


def test_nothing_is_left_unanswered_at_the_end() -> None:
    here = desk("pause", "resume", "pause", "checkpoint")
    assert [record.type for record in here.close(0)] == [*["command_accepted"] * 3, "command_refused"]
