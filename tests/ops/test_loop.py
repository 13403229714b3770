import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.ops.loop import sum_over

COUNT = 3
NUMBERS = np.arange(1.0, 5.0, dtype=np.float32)


def term(k, operands):
    scale, x = operands
    return {"power": scale * x**k, "shifted": jnp.sin(x) + k}


def terms(scale, x):
    return {
        "power": sum(scale * x**k for k in range(COUNT)),
        "shifted": sum(np.sin(x) + k for k in range(COUNT)),
    }


def test_sum_is_of_all_terms():
    found = jax.jit(lambda *x: sum_over(term, COUNT, x))(np.float32(2), NUMBERS)
    expected = terms(2, NUMBERS)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected
    )


def test_of_one_term():
    found = sum_over(term, 1, (2.0, NUMBERS))
    np.testing.assert_allclose(found["power"], 2 * NUMBERS**0)


def test_gradient_is_the_sums():
    def total(scale, x):
        return sum(
            leaf.sum() for leaf in jax.tree.leaves(sum_over(term, COUNT, (scale, x)))
        )

    by_scale, by_x = jax.jit(jax.grad(total, argnums=(0, 1)))(2.0, NUMBERS)
    np.testing.assert_allclose(by_scale, (1 + NUMBERS + NUMBERS**2).sum(), rtol=1e-6)
    expected = 2 * (1 + 2 * NUMBERS) + COUNT * np.cos(NUMBERS)
    np.testing.assert_allclose(by_x, expected, rtol=1e-6)


def test_only_its_gradient_is_unrolled():
    """Convolutions have slow gradients in loops, as `sum_over` explains."""

    def total(x):
        return sum_over(lambda k, x: jnp.sin(x) * k, COUNT, x).sum()

    def has_loop(function):
        return "while" in jax.jit(function).lower(NUMBERS).as_text()

    assert has_loop(total)
    assert not has_loop(jax.grad(total))
