"""How many runs of a study there are at a time, where nobody says so."""

from dataclasses import dataclass
from typing import final

from ae_cls.jobs.launch import Launch, Local, cores
from ae_cls.study.facts import Facts
from ae_cls.study.request import Request, group_of

_AT_ONCE = 2
# What two runs at a time, each on half the cores, get done over one after another on all of them:
# fine-tuning goes at 1,450 images/s on one thread and at 1,950 on two (AVX2; batches of 256).
_GAIN = 1.4


@final
@dataclass(frozen=True)
class AtOnce:
    """Where runs are carried out, and what that means for the time they take.

    Attributes:
        launch: where, and how many at a time.
        gain: what is got done in a second, over one run after another.
        slower: how much longer one run takes than alone.
    """

    launch: Launch
    gain: float = 1.0
    slower: float = 1.0


def at_once(launch: Launch, request: Request, facts: Facts) -> AtOnce:
    """Two runs at a time on a processor, where no word says where or on how many threads.

    Most runs of a study are short, and much of each is on one core.
    """
    keys = {group_of(word) for word in request.words}
    is_free = isinstance(launch, Local) and not keys & {"launch", "threads"}
    if not is_free or facts.device != "cpu" or cores() < _AT_ONCE:
        return AtOnce(launch)
    return AtOnce(launch.with_jobs(_AT_ONCE), _GAIN, _AT_ONCE / _GAIN)
