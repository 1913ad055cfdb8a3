"""What the processes of a run do that are not the first: their share of each stage it calls for."""

import copy
import json
import os
from pathlib import Path

from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import Classification
from ae_cls.experiment.read import read_run
from ae_cls.processes.follower import calls_of_the_leader, fall_silent, leave_signals_to
from ae_cls.processes.launch import launched
from ae_cls.processes.rendezvous import world_of
from ae_cls.run.data import prepare
from ae_cls.run.stages import Pretrain, Trained, stages_after_pretraining
from ae_cls.saved.encoder_run import read_encoder_run


def is_another(description: CommonKeys) -> bool:
    """Whether this is a process of several that is not the first; then its work is done, too.

    Raises:
        TrainingError: another process ended before its time.
    """
    launch = launched(os.environ)
    if launch is None or launch.world.is_first:
        return False
    fall_silent()
    leave_signals_to(None)
    if isinstance(description, Classification):
        description = read_encoder_run(Path(description.encoder)).experiment(description)
    take_part(description.model_dump_json())
    return True


def take_part(text: str) -> None:
    """Take part in the stages that the first process calls by their titles, until it has no more.

    Args:
        text: the description of the run as JSON.

    Raises:
        TrainingError: another process ended before its time.
    """
    description = read_run(json.loads(text))
    data, world = prepare(description), world_of(description.devices)
    # The first process's weights are copied into it before each stage that reads them.
    trained = Trained(copy.deepcopy(data.network), "")
    stages = [Pretrain(description, data), *stages_after_pretraining(description, data, trained)]
    by_title = {stage.title: stage for stage in stages}
    with calls_of_the_leader(data.compute.device, description.fixed_threads) as titles:
        for title in titles:
            by_title[title].take_part(world)
