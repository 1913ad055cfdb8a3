"""Who this process is, by what its launcher has set."""

import pytest
import torch

from ae_cls import compute
from ae_cls.errors import UsageError
from ae_cls.processes import launch, rendezvous
from ae_cls.processes.launch import card_of, cores_of, first_host, launched
from ae_cls.processes.world import ALONE, World

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node7", "MASTER_PORT": "29500",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "7", "SLURM_LOCALID": "0", "SLURM_NODEID": "2",
    "SLURM_STEP_TASKS_PER_NODE": "3,2(x2)", "SLURM_STEP_NODELIST": "gpu[007-008,11]",
    "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_CPUS_PER_TASK": "6",
}  # fmt: skip


def test_torchrun_is_recognised():
    found = launched(TORCHRUN)
    assert found is not None
    assert found.world == World(rank=5, size=8, local_rank=1, local_size=4)
    assert (found.host, found.port) == ("node7", 29500)


def test_a_step_of_slurm_is_recognised():
    found = launched(SRUN)
    assert found is not None
    assert found.world == World(rank=5, size=7, local_rank=0, local_size=2)
    assert found.host == "gpu007"
    assert cores_of(found, found.world) == 6


def test_torchrun_inside_of_a_step_counts():
    found = launched(SRUN | TORCHRUN)
    assert found is not None and found.world.size == 8


def test_steps_of_slurm_do_not_meet_at_one_port():
    first, second = launched(SRUN), launched(SRUN | {"SLURM_STEP_ID": "1"})
    assert first is not None and second is not None
    assert first.port != second.port
    assert 1024 < first.port < 32768


def test_a_batch_script_of_slurm_stands_alone():
    # It has the variables of the job, and of a process, but is no step.
    script = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "1"}
    assert launched(script) is None


@pytest.mark.parametrize(
    "alone",
    [{}, TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"},
     SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}],
)  # fmt: skip
def test_one_process_stands_alone(alone):
    assert launched(alone) is None


@pytest.mark.parametrize(
    ("nodes", "host"),
    [("one", "one"), ("a1,b2", "a1"), ("node[007-009,12],other", "node007"), ("r[1,3]c4", "r1c4"),
     ("cn-0-[10-12]", "cn-0-10")],
)  # fmt: skip
def test_the_first_host_of_a_list(nodes, host):
    assert first_host(nodes) == host


@pytest.mark.parametrize("name", ["MASTER_ADDR", "MASTER_PORT"])
def test_what_a_launcher_has_not_set_is_named(name):
    given = {key: value for key, value in TORCHRUN.items() if key != name}
    with pytest.raises(UsageError, match=name):
        launched(given)


@pytest.mark.parametrize(
    "wrong", [{"RANK": "8"}, {"LOCAL_RANK": "4"}, {"RANK": "-1"}, {"WORLD_SIZE": "many"}]
)
def test_variables_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        launched(TORCHRUN | wrong)


def test_devices_and_a_launcher_must_not_contradict_each_other(monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert rendezvous.world_of(1) == rendezvous.world_of(8) == World(5, 8, 1, 4)
    with pytest.raises(UsageError, match="devices=2"):
        rendezvous.world_of(2)


def test_devices_alone_make_a_world():
    assert rendezvous.world_of(1) == ALONE
    assert rendezvous.world_of(3) == World(0, 3, 0, 3)


def test_each_process_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(launch, "_cores_of_machine", lambda: 7)
    assert cores_of(None, World(0, 2, 0, 2)) == 3
    assert cores_of(None, World(0, 16, 0, 16)) == 1


@pytest.mark.parametrize(("device", "fix"), [("cuda", "devices=2"), ("cuda:1", "devices")])
def test_more_processes_than_cards_are_refused(monkeypatch, device, fix):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="3 processes need a card each") as refused:
        compute.resolve(device, "fp32", World(0, 3, 0, 3))
    assert fix in refused.value.fix


def test_a_card_that_srun_shows_alone_is_taken():
    found = launched(SRUN | {"SLURM_LOCALID": "1"})
    assert found is not None
    assert card_of(found, found.world, cards=1) == 0
    assert card_of(found, found.world, cards=2) == 1
    by_torchrun = launched(TORCHRUN)
    assert by_torchrun is not None
    assert card_of(by_torchrun, by_torchrun.world, cards=1) is None


def test_each_process_takes_its_own_card(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    found = compute.resolve("auto", "fp32", World(5, 8, 1, 4))
    assert found.device == torch.device("cuda", 1)
    assert taken == [1]
