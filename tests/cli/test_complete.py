import pytest

from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra


@pytest.fixture
def suggested(ae_cls: AeCls, monkeypatch: pytest.MonkeyPatch):
    """The words that bash is offered behind a line; | is the cursor."""

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line.replace("|", ""))
        monkeypatch.setenv("COMP_POINT", str(line.find("|") if "|" in line else len(line)))
        outcome = ae_cls("-sc", "query=bash")
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("ae-cls ", ["run", "classify", "predict"]),
        ("ae-cls ru", ["run"]),
        ("ae-cls run hea", ["head="]),
        ("ae-cls run seed=1 -m head=", ["head=linear", "head=svm"]),
        ("ae-cls run head=l| seed=1", ["head=linear"]),
        ("ae-cls run lab", ["labels."]),
        ("ae-cls pretrain autoencoder=vae autoencoder.", ["autoencoder.beta="]),
        ("ae-cls run autoencoder/", ["autoencoder/corruption="]),
        (
            "ae-cls run autoencoder.corruption=gaussian autoencoder.corruption.d",
            ["autoencoder.corruption.deviation="],
        ),
        ("ae-cls run --", ["--multirun", "--config-dir", "--cfg"]),
        ("ae-cls predict -", ["--output", "--device"]),
    ],
)  # fmt: skip
def test_bash_is_offered_commands_groups_options_keys_and_flags(
    suggested, line: str, among: list[str]
) -> None:
    assert set(among) <= set(suggested(line))


def test_only_groups_of_the_command_are_offered(suggested) -> None:
    assert "head=" in suggested("ae-cls classify ")
    assert not any(word.startswith("dataset") for word in suggested("ae-cls classify "))


@pytest.mark.parametrize(
    "line",
    ["ae-cls rnu ", "ae-cls run head=xgbost autoencoder.", "ae-cls run --no x", "ae-cls predict "],
)
def test_a_wrong_earlier_word_is_met_with_silence(suggested, line: str) -> None:
    assert suggested(line) == []


def test_the_script_to_install_is_for_this_command(ae_cls: AeCls) -> None:
    assert ae_cls("-sc", "install=bash").out.rstrip().endswith("hydra_bash_completion ae-cls")
