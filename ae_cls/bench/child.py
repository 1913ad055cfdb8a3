"""One measurement in a process of its own, so that no contender finds what another left behind.

`python -m ae_cls.bench.child` reads what to measure from standard input and writes JSON.
"""

import json
import subprocess
import sys
import time
from typing import Any, Literal

from pydantic import TypeAdapter

from ae_cls.bench.contenders import Contender
from ae_cls.errors import TrainingError
from ae_cls.experiment.benchmark import Benchmark

Task = Literal["speed", "race"]


def measured(benchmark: Benchmark, contender: Contender, task: Task) -> Any:
    """What `speed` or `race` gives, from a new process.

    Raises:
        TrainingError: that process failed; with the end of what it said.
    """
    # The clock is the system's: it goes on in the new process, whose start counts.
    started = time.monotonic()
    request = [benchmark.model_dump(mode="json"), contender.model_dump(mode="json"), task, started]
    done = subprocess.run(
        [sys.executable, "-m", "ae_cls.bench.child"],
        input=json.dumps(request), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise TrainingError(
            "a measurement failed",
            where=contender.title(benchmark),
            why="\n".join(done.stderr.strip().splitlines()[-5:]) or f"exit {done.returncode}",
        )
    return json.loads(done.stdout)


def main() -> None:
    """Measure what standard input asks for."""
    # Here: the parent, which only waits, needs none of it.
    from ae_cls.bench.race import race
    from ae_cls.bench.speed import speed

    plain_benchmark, plain_contender, task, started = json.load(sys.stdin)
    benchmark = TypeAdapter(Benchmark).validate_json(json.dumps(plain_benchmark))
    contender = TypeAdapter(Contender).validate_json(json.dumps(plain_contender))
    found = speed(benchmark, contender) if task == "speed" else race(benchmark, contender, started)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
