"""What is timed against what."""

from typing import Literal, final

from ae_cls.experiment.benchmark import Benchmark
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.settings import Settings


@final
class Contender(Settings):
    """A network, a loop and a precision."""

    network: Literal["yardstick", "autoencoder"]
    loop: Literal["tutorial", "ae-cls"]
    precision: Literal["fp32", "default"]

    def title(self, benchmark: Benchmark) -> str:
        """For people."""
        network = getattr(benchmark, self.network).name
        return f"{self.loop}: {network}, {self.precision}"

    def pretraining(self, benchmark: Benchmark) -> Pretraining:
        """The `ae-cls pretrain` that it amounts to."""
        shared = Pretraining.model_fields.keys() & Benchmark.model_fields.keys()
        values = {name: getattr(benchmark, name) for name in shared}
        values["autoencoder"] = getattr(benchmark, self.network)
        values["pretrain"] = self.schedule(benchmark)
        if self.precision == "fp32":
            values["precision"] = "fp32"
        return Pretraining(
            **values, store="own", devices=1, checkpoint_seconds=3600.0, figures=False
        )

    def schedule(self, benchmark: Benchmark) -> GradientPretraining:
        """The yardstick keeps its batch size and rate in every loop."""
        if self.network == "autoencoder":
            return benchmark.pretrain
        own = {"batch_size": benchmark.yardstick_batch, "lr": benchmark.yardstick_lr}
        return benchmark.pretrain.model_copy(update=own)


CONTENDERS = (
    Contender(network="yardstick", loop="tutorial", precision="fp32"),
    Contender(network="yardstick", loop="ae-cls", precision="fp32"),
    Contender(network="yardstick", loop="ae-cls", precision="default"),
    Contender(network="autoencoder", loop="ae-cls", precision="default"),
)
"""In the order of the table; the first is what the others are compared with."""
RACERS = (CONTENDERS[0], CONTENDERS[-1])
"""Those of whom it is asked how soon they have a good classifier: the tutorials and our default."""
