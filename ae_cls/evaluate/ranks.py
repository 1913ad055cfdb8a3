"""Places among several methods, shared by those that cannot be told apart."""

from collections.abc import Mapping, Sequence

from ae_cls.evaluate.claims import claims
from ae_cls.evaluate.paired import Comparison


def shared_ranks(
    names: Sequence[str], comparisons: Mapping[tuple[str, str], Comparison]
) -> dict[str, int]:
    """One more than the number of methods that are shown to be better, for each name.

    Args:
        names: of the methods.
        comparisons: of each pair of them, one way round; the first less the second. Claims are
            adjusted for the number of pairs.
    """
    beaten = dict.fromkeys(names, 0)
    said = zip(comparisons, claims(list(comparisons.values())), strict=True)
    for (first, second), claim in said:
        if claim.word == "helps":
            beaten[second] += 1
        elif claim.word == "hurts":
            beaten[first] += 1
    return {name: 1 + count for name, count in beaten.items()}
