"""What a compiled program costs, instruction by instruction, from its HLO text.

`cost_analysis` counts the body of a loop once, and is not given for GPUs. Here, a body
counts as often as it runs, and costs are added up by stage of the network. A TPU's
compiler writes its estimate of the cycles beside each instruction; it takes gathers,
scatters and sorts for nothing.
"""

import collections
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

# Parts of an instruction's `op_name`, which is the path of the modules that it is from.
STAGES = {
    "nearest_patches": "search",
    "embedding": "embedding",
    "DEN": "DEN",
    "ECN": "ECN",
    "_edge_weights": "ECN",
    "graph_agg": "gather, AdaPN, fold",
    "fuse": "fusion",
    "upsample": "upsampling",
    "tail": "tail",
    "block_": "blocks",
    "head": "head",
    "/body/conv": "body",
    "psum": "all-reduce",
}

_BITS = re.compile(r"[a-z]+(\d+)")
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\](\{[^}]*\})?")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) .*\{$")
_NAME = re.compile(r"%([\w.\-]+)")
# They move nothing, or what they move is counted where it begins.
_FREE = {
    *("bitcast", "get-tuple-element", "tuple", "parameter", "constant", "after-all"),
    *("opt-barrier", "copy-done", "slice-done", "async-done", "async-update"),
    *("all-reduce-done", "partition-id", "replica-id", "iota"),
}
_ASYNC = {"copy-start", "slice-start", "async-start", "all-reduce-start"}
_NO_TRAFFIC = ("ConcatBitcast", "AllocateBuffer")
_SLICES = {"dynamic-slice", "slice", "gather"}


class Instruction(NamedTuple):
    """One instruction: `name = type opcode(arguments)`."""

    name: str
    type: str
    opcode: str
    arguments: str  # between the parentheses
    attributes: str  # after them
    is_root: bool

    @property
    def operands(self) -> list[str]:
        return _NAME.findall(self.arguments)

    @property
    def cycles(self) -> int:
        found = re.search(r'"estimated_cycles":"(\d+)"', self.attributes)
        return int(found[1]) if found else 0

    @property
    def stage(self) -> str:
        """Of the network: "forward DEN", for instance."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        if not found:
            return "unnamed, such as copies"
        direction = "backward" if "transpose(" in found[1] else "forward"
        for part, stage in STAGES.items():
            if part in found[1]:
                return stage if stage == "all-reduce" else f"{direction} {stage}"
        is_model = "jvp(" in found[1] or "IGNN" in found[1] or "EDSR" in found[1]
        return f"{direction} other" if is_model else "optimizer and other"

    def attribute(self, key: str) -> str:
        """Its value, such as the computation that a fusion calls, or ""."""
        found = re.search(rf"\b{key}=%?([\w.\-]+)", self.attributes)
        return found[1] if found else ""


# Its instructions, by their names.
Computation = dict[str, Instruction]


class Cost(NamedTuple):
    """What a stage costs, on each device.

    Attributes:
      cycles: by the compiler's estimate, 0 except for TPUs.
      bytes: read from or written to the device's memory: each instruction's arguments
        and result, with padding, except for those that the compiler keeps in the chip.
      outside: of these bytes, those of instructions that are no matrix product or
        convolution, and that nothing overlaps.
    """

    cycles: int
    bytes: int
    outside: int


def costs(text: str) -> dict[str, Cost]:
    """The costs of a compiled program by stage, the largest first.

    Args:
      text: `compiled.as_text()`, after optimization.
    """
    computations, entry = parse(text)
    found: dict[str, Cost] = collections.defaultdict(lambda: Cost(0, 0, 0))
    for times, scope, instruction in _executed(computations, entry):
        moved = times * _traffic(instruction, scope, computations)
        alone = instruction.opcode not in _ASYNC
        outside = moved * (alone and not _is_product(instruction, computations))
        before = found[instruction.stage]
        found[instruction.stage] = Cost(
            before.cycles + times * instruction.cycles,
            before.bytes + moved,
            before.outside + outside,
        )
    return dict(sorted(found.items(), key=lambda item: item[1], reverse=True))


def _is_product(instruction, computations) -> bool:
    """Whether it is a matrix product or a convolution, or a fusion around one."""
    if instruction.opcode == "custom-call":  # of CUDA's libraries
        return "__cudnn$conv" in instruction.attributes or (
            "__cublas" in instruction.attributes
        )
    inside = computations.get(instruction.attribute("calls"), {}).values()
    return any(i.opcode in ("dot", "convolution") for i in (instruction, *inside))


def all_reduced(text: str) -> int:
    """Bytes that a device averages with the others, each time a program runs."""
    computations, entry = parse(text)
    return sum(
        times * sum(_sizes(instruction.type, everywhere=True, padded=False))
        for times, _, instruction in _executed(computations, entry)
        if instruction.opcode in ("all-reduce", "all-reduce-start")
    )


def parse(text: str) -> tuple[dict[str, Computation], str]:
    """The computations of a program by name, and the name of the first one."""
    computations: dict[str, Computation] = {}
    entry, current = "", None
    for line in text.splitlines():
        if line[:1] in ("%", "E") and (head := _COMPUTATION.match(line)):
            is_entry, name = head.groups()
            current = computations[name] = {}
            entry = name if is_entry else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (found := _INSTRUCTION.match(line)):
            root, name, kind, opcode, rest = found.groups()
            arguments, _, attributes = rest.partition(")")
            current[name] = Instruction(
                name, kind, opcode, arguments, attributes, bool(root)
            )
    return computations, entry


def _executed(
    computations: dict[str, Computation], name: str, times: int = 1
) -> Iterator[tuple[int, Computation, Instruction]]:
    """How often each instruction is executed, with the computation that it is in."""
    scope = computations[name]
    for instruction in scope.values():
        if instruction.opcode == "while":
            body = instruction.attribute("body")
            turns = _turns(instruction, scope, computations)
            yield from _executed(computations, body, times * turns)
        elif instruction.opcode in ("call", "conditional"):
            pattern = r"(?:to_apply|_computation|branch_computations)=\{?([^,}]+)"
            for called in re.findall(pattern, instruction.attributes):
                yield from _executed(computations, called.lstrip("%"), times)
        else:
            yield times, scope, instruction


def _turns(loop, scope, computations) -> int:
    """How often a loop's body runs: as the compiler says, or as its condition does.

    The condition compares a number, which begins at 0 and counts turns, with another.
    """
    known = re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.attributes)
    if known:
        return int(known[1])
    start = scope.get(loop.operands[0])
    condition = computations[loop.attribute("condition")]
    numbers = []
    for instruction in condition.values():
        number = _constant(instruction, condition)
        if number is None and instruction.opcode == "get-tuple-element":
            index = int(instruction.attribute("index"))
            if start is not None and start.opcode == "tuple":
                number = _constant(scope.get(start.operands[index]), scope)
        called = computations.get(instruction.attribute("calls"), {})
        found = [_constant(inner, called) for inner in called.values()]
        numbers += [n for n in (number, *found) if n is not None]
    return max(numbers, default=0) - min(0, *numbers) if numbers else 1


def _constant(instruction, scope) -> int | None:
    """The whole number that an instruction gives, if it always gives the same."""
    while instruction is not None:
        if instruction.opcode == "constant":
            text = instruction.arguments.strip()
            return int(text) if re.fullmatch(r"-?\d+", text) else None
        if instruction.opcode not in ("copy", "bitcast", "copy-done", "copy-start"):
            return None
        instruction = scope.get(instruction.operands[0])
    return None


def _traffic(instruction, scope, computations) -> int:
    """Bytes between the device's memory and an instruction."""
    if instruction.opcode in _FREE or any(
        f'"{target}"' in instruction.attributes for target in _NO_TRAFFIC
    ):
        return 0
    if instruction.opcode in _ASYNC:  # its type has the result, the argument, and more
        return sum(_sizes(instruction.type)[:2])
    inside = list(computations.get(instruction.attribute("calls"), {}).values())
    written, taken = sum(_sizes(instruction.type)), {}
    for position, operand in enumerate(instruction.operands):
        if operand in scope and not scope[operand].type.startswith("("):
            taken[position] = sum(_sizes(scope[operand].type))
    if instruction.opcode in _SLICES:
        taken[0] = min(taken.get(0, 0), written)
    if instruction.opcode == "dynamic-update-slice":
        written = taken[0] = taken.get(1, 0)
    for parameter in inside:
        if parameter.opcode != "parameter":
            continue
        position = int(parameter.arguments)
        # A part of an argument is taken, or put into it in its place.
        parts = _parts(parameter, inside)
        if parts is not None and taken.get(position, 0) > parts:
            if any(i.opcode == "dynamic-update-slice" for i in inside):
                written = min(written, written - taken[position] + parts)
            taken[position] = parts
    return max(written, 0) + sum(taken.values())


def _parts(parameter, inside) -> int | None:
    """Bytes of the parts of a fusion's parameter that it uses; `None`: all of it."""
    users = [i for i in inside if parameter.name in i.operands]
    sizes = []
    for user in users:
        if user.operands[0] != parameter.name:
            return None
        if user.opcode in _SLICES:
            sizes.append(sum(_sizes(user.type, everywhere=True)))
        elif user.opcode == "dynamic-update-slice":
            update = next(i for i in inside if i.name == user.operands[1])
            sizes.append(sum(_sizes(update.type, everywhere=True)))
        else:
            return None
    return sum(sizes) if users else None


def _sizes(text: str, *, everywhere: bool = False, padded: bool = True) -> list[int]:
    """Bytes of each array of a type; 0 for those kept in the chip."""
    sizes = []
    for kind, dimensions, layout in _ARRAY.findall(text):
        sides = [int(side) for side in dimensions.split(",") if side]
        if "S(1)" in layout and not everywhere:
            sizes.append(0)
            continue
        order, _, rest = layout.strip("{}").partition(":")
        tile = re.match(r"T\(([\d,]+)\)", rest)
        if padded and tile and sides:
            sides = [sides[int(axis)] for axis in order.split(",")]  # minor first
            tiles = [int(n) for n in tile[1].split(",")]
            for axis, n in enumerate(reversed(tiles[-len(sides) :])):
                sides[axis] = -(-sides[axis] // n) * n
        bits = _BITS.match(kind)
        sizes.append(math.prod(sides) * (int(bits[1]) // 8 if bits else 1))
    return sizes
