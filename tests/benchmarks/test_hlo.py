"""Costs read from the text of compiled programs."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import hlo

# As libtpu writes: tiles of 8 x 128 pad arrays, S(1) is memory within the chip, and
# loops do not say how often they run.
TPU = """HloModule jit_step, is_scheduled=true

%body (p: (s32[], f32[100,4])) -> (s32[], f32[100,4]) {
  %p = (s32[]{:T(128)}, f32[100,4]{1,0:T(8,128)}) parameter(0)
  %n = s32[]{:T(128)} get-tuple-element(%p), index=0
  %x = f32[100,4]{1,0:T(8,128)} get-tuple-element(%p), index=1
  %one = s32[]{:T(128)} constant(1)
  %m = s32[]{:T(128)S(1)} add(%n, %one)
  %y = f32[100,4]{1,0:T(8,128)} fusion(%x), kind=kLoop, calls=%double, \
metadata={op_name="jit(f)/transpose(jvp(IGNN))/graph_agg/DEN/mul"}, \
backend_config={"window_config":{"estimated_cycles":"70"}}
  ROOT %t = (s32[]{:T(128)}, f32[100,4]{1,0:T(8,128)}) tuple(%m, %y)
}

%double (q: f32[100,4]) -> f32[100,4] {
  %q = f32[100,4]{1,0:T(8,128)} parameter(0)
  ROOT %r = f32[100,4]{1,0:T(8,128)} add(%q, %q)
}

%condition (c: (s32[], f32[100,4])) -> pred[] {
  %c = (s32[]{:T(128)}, f32[100,4]{1,0:T(8,128)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%c), index=0
  %five = s32[]{:T(128)} constant(5)
  ROOT %less = pred[]{:T(512)} compare(%i, %five), direction=LT
}

ENTRY %main (a: f32[100,4]) -> f32[4,100] {
  %a = f32[100,4]{1,0:T(8,128)} parameter(0)
  %zero = s32[]{:T(128)} constant(0)
  %s = (s32[]{:T(128)}, f32[100,4]{1,0:T(8,128)}) tuple(%zero, %a)
  %w = (s32[]{:T(128)}, f32[100,4]{1,0:T(8,128)}) while(%s), condition=%condition, \
body=%body
  %b = f32[100,4]{1,0:T(8,128)} get-tuple-element(%w), index=1
  %near = f32[100,4]{1,0:T(8,128)S(1)} copy(%b)
  %all = f32[100,4]{1,0:T(8,128)S(1)} all-reduce(%near), to_apply=%sum, \
metadata={op_name="jit(f)/shard_map/psum"}
  ROOT %out = f32[4,100]{0,1:T(8,128)} transpose(%all), dimensions={1,0}, \
metadata={op_name="jit(f)/jvp(IGNN)/tail/transpose"}, \
backend_config={"estimated_cycles":"3"}
}
"""
PADDED = 104 * 128 * 4  # bytes of f32[100,4]


def test_costs_of_a_tpu_program():
    costs = hlo.costs(TPU)
    assert costs == {
        # Five turns, read and written.
        "backward DEN": (5 * 70, 5 * 2 * PADDED, 5 * 2 * PADDED),
        "forward tail": (3, PADDED, PADDED),  # read within the chip
        "unnamed, such as copies": (0, PADDED + 5 * 8, PADDED + 5 * 8),  # and a counter
        "all-reduce": (0, 0, 0),
    }
    assert next(iter(costs)) == "backward DEN"
    assert hlo.all_reduced(TPU) == 100 * 4 * 4


@pytest.mark.parametrize("turns", [3, 7])
def test_turns_of_a_loop_are_counted(turns):
    """Of a program that XLA compiled for this machine."""

    def run(x):
        return jax.lax.fori_loop(0, turns, lambda n, x: jnp.sin(x) + x[::-1], x)

    def moved(function):
        text = jax.jit(function).lower(jnp.zeros(10_000)).compile().as_text()
        return sum(cost.bytes for cost in hlo.costs(text).values())

    # Each turn reads and writes 40 kB at least.
    assert turns * 80_000 <= moved(run) <= turns * 200_000


def test_products_are_told_from_the_rest():
    def run(x, y):
        return jnp.sin(x @ y)

    shape = jax.ShapeDtypeStruct((256, 256), jnp.float32)
    text = jax.jit(run).lower(shape, shape).compile().as_text()
    [cost] = hlo.costs(text).values()
    matrix = 4 * 256**2
    # The product takes two and gives one; the sine takes one and gives one.
    assert (cost.bytes, cost.outside) == (5 * matrix, 2 * matrix)


def test_a_part_that_is_taken_from_a_large_array_counts_alone():
    def total(x):
        def add(n, sum):
            return sum + jax.lax.dynamic_slice(x, (n, 0), (1, 100)).ravel()

        return jax.lax.fori_loop(0, 1000, add, jnp.zeros(100))

    text = jax.jit(total).lower(jnp.zeros((1000, 100))).compile().as_text()
    moved = sum(cost.bytes for cost in hlo.costs(text).values())
    assert moved < 1000 * 10 * 400  # and not 1000 times all 400 kB
