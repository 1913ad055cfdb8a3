"""The codebook is k-means, its use is counted, and slopes pass it."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from ae_cls.autoencoder.parts.codebook import Codebook
from ae_cls.autoencoder.vqvae import VqVae
from tests.autoencoder.variants import draws, table, unit, variant


def points(count: int = 500, width: int = 6) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(4))


def filled(codes: torch.Tensor, uses: torch.Tensor | None = None, decay: float = 0.9) -> Codebook:
    codebook = Codebook(*codes.shape, decay=decay)
    codebook.codes.copy_(codes)
    codebook.uses.copy_(torch.ones(len(codes)) if uses is None else uses)
    return codebook


def vqvae() -> VqVae:
    model = variant("vqvae", (1, 8, 8))
    assert isinstance(model, VqVae)
    return model


def test_the_nearest_code_is_that_of_cdist() -> None:
    vectors, codes = points(), points(40)
    expected = torch.cdist(vectors.double(), codes.double()).argmin(1)
    assert torch.equal(filled(codes).nearest(vectors), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(filled(codes).nearest(vectors), expected)


def test_without_decay_it_is_one_step_of_lloyd() -> None:
    vectors = points()
    codebook = filled(vectors[:12], decay=0.0)
    codebook.follow(vectors, codebook.nearest(vectors))
    reference = KMeans(12, init=vectors[:12].numpy(), n_init=1, max_iter=1).fit(vectors.numpy())
    assert codebook.codes.numpy() == pytest.approx(reference.cluster_centers_, abs=1e-5)


def test_a_code_is_the_decaying_mean_of_all_that_chose_it() -> None:
    codebook = filled(torch.tensor([[0.0], [10.0]]), decay=0.75)
    for batch in ([[1.0], [3.0]], [[5.0]]):
        vectors = torch.tensor(batch)
        codebook.follow(vectors, torch.zeros(len(vectors), dtype=torch.int64))
    # Weights 0.75^2 of the start, 0.25 x 0.75 of the first two, 0.25 of the last.
    assert codebook.uses[0] == pytest.approx(0.5625 + 2 * 0.1875 + 0.25)
    expected = (0.1875 * 4 + 0.25 * 5) / float(codebook.uses[0])
    assert codebook.codes.flatten().tolist() == pytest.approx([expected, 10.0])


@pytest.mark.parametrize(("uses", "perplexity"), [([3.0] * 8, 8), ([0.0] * 7 + [5.0], 1)])
def test_perplexity_is_the_number_of_codes_in_use(uses: list[float], perplexity: int) -> None:
    codebook = filled(points(8), torch.tensor(uses))
    assert float(codebook.perplexity()) == pytest.approx(perplexity)


def test_dead_codes_become_the_vectors_that_were_drawn() -> None:
    vectors, uses = points(20), torch.tensor([10.0, 0.01, 10.0, 0.0])
    codebook, scores = filled(points(4), uses), torch.linspace(1, 0, 20)
    codebook.revive(vectors, scores)
    assert torch.equal(codebook.codes[[1, 3]], vectors[[18, 16]])
    assert torch.equal(codebook.codes[[0, 2]], points(4)[[0, 2]])
    assert codebook.uses.tolist() == [10, 0.5, 10, 0.5]


def test_the_first_batch_fills_the_codebook_with_its_vectors() -> None:
    model, images = vqvae().train(), unit(table((1, 8, 8)))
    model.loss(images, draws(24), 0.0)
    alive = model.codebook.codes[~model.codebook.dead()]
    assert int(alive.isfinite().all()) and float(model.codebook.uses.sum()) > 0
    again = vqvae().train()
    again.loss(images, draws(24), 0.0)
    assert torch.equal(model.codebook.codes, again.codebook.codes)


def test_evaluation_leaves_the_codebook_alone() -> None:
    model, images = vqvae().train(), unit(table((1, 8, 8)))
    model.loss(images, draws(24), 0.0)
    model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.loss(images, draws(24), 0.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_slope_at_a_vector_is_that_at_its_code() -> None:
    model, images = vqvae().eval(), unit(table((1, 8, 8)))
    model.config = model.config.model_copy(update={"commitment": 0.0})
    seen: dict[str, torch.Tensor] = {}
    model.to_vectors.register_forward_hook(lambda *call: keep(seen, "vectors", call[2]))
    model.decoder.register_forward_pre_hook(lambda *call: keep(seen, "codes", call[1][0]))
    model.loss(images, draws(24), 0.0).total.backward()
    assert not torch.equal(seen["vectors"], seen["codes"])
    assert seen["vectors"].grad is not None and seen["vectors"].grad.abs().sum() > 0
    torch.testing.assert_close(seen["vectors"].grad, seen["codes"].grad, rtol=0, atol=0)


def keep(seen: dict[str, torch.Tensor], name: str, tensor: torch.Tensor) -> None:
    tensor.retain_grad()
    seen[name] = tensor


def test_vectors_that_are_codes_have_no_distance() -> None:
    model, images = vqvae().eval(), unit(table((1, 8, 8), 4))
    vectors = model._vectors(model.encode(images)).detach()
    codes = vectors.unique(dim=0)
    model.codebook = filled(codes)
    assert float(model.loss(images, draws(4), 0.0).terms["commitment"]) == 0
    assert torch.equal(model.codebook[model.codebook.nearest(vectors)], vectors)


def test_the_error_counts_in_variances_of_the_pixels() -> None:
    model, images = vqvae(), table((1, 8, 8))
    model.fit_closed_form(images, seed=0)
    assert float(model.variance) == pytest.approx(np.var(unit(images).numpy()), rel=1e-5)
    model.eval()
    loss = model.loss(unit(images), draws(24), 0.0)
    expected = loss.terms["mse"] / model.variance + 0.25 * loss.terms["commitment"]
    assert float(loss.total.detach()) == pytest.approx(float(expected))
