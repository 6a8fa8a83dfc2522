"""A machine of pickle's opcodes whose stack holds names instead of objects.

It reads what the real ones read (joblib's raw arrays, pickles nested in object arrays or in byte
strings, frames), and goes on where they would fail.
"""

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from time import monotonic
from typing import Any

from registry.runner.pickle_arrays import count_of, is_array, item_size
from registry.runner.pickle_reader import KEPT_TEXT, Reader, index, quoted, raw_text, text, whole
from registry.runner.pickle_values import (
    KEPT_ITEMS,
    MARK,
    UNKNOWN,
    Exhausted,
    Lost,
    Made,
    Name,
    Several,
    Walk,
)

MAX_OPCODES = 2_000_000
MAX_DEPTH = 8  # pickles within pickles


class Machine(Reader):
    """One pickle, from `at` to its STOP."""

    def __init__(self, stream: bytes, found: Walk, at: int, depth: int = 0) -> None:
        super().__init__(stream, at)
        self.began = at
        self._found = found
        self._depth = depth
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._protocol = 0
        self._frame_end = 0
        # Python's own reader takes opcodes from the frame, joblib's arrays from behind it.
        self._behind_frame: int | None = None

    def run(self) -> None:
        """Raises Lost or Exhausted; `at` is then where, `began` the opcode's own place."""
        while True:
            self._budget()
            self._leave_frame()
            self.began = self.at
            opcode = self.take(1)[0]
            read = READING[opcode]
            if read is None:
                raise Lost
            argument = read(self)
            if opcode == STOP:
                self._leave_frame(ended=True)
                return
            act = ACTING[opcode]
            if act is None:
                self._stack.append(argument)
            else:
                act(self, argument)

    def _budget(self) -> None:
        found = self._found
        found.opcodes += 1
        if found.opcodes > MAX_OPCODES or (not found.opcodes & 1023 and monotonic() > found.until):
            raise Exhausted

    def _leave_frame(self, *, ended: bool = False) -> None:
        if self._behind_frame is not None and (ended or self.at >= self._frame_end):
            self.at, self._behind_frame = self._behind_frame, None

    def _counted_text(self, size: int) -> Any:
        content = self.counted(size)
        return text(content) if len(content) <= KEPT_TEXT else UNKNOWN

    def _counted_bytes(self, size: int) -> Any:
        content = self.counted(size)
        if (
            content[:1] == b"\x80"
            and content[1:2] in b"\x02\x03\x04\x05"
            and self._depth < MAX_DEPTH
        ):
            self._look_inside(content, self.at - len(content))
        return UNKNOWN

    def _look_inside(self, content: bytes, at: int) -> None:
        self._found.note("nested", at)
        try:
            Machine(content, self._found, 0, self._depth + 1).run()
        except Lost:
            pass  # bytes that only began like a pickle

    def _pop(self) -> Any:
        # The real machines would fail here; what comes later is of interest all the same.
        return self._stack.pop() if self._stack else UNKNOWN

    def _top(self) -> Any:
        return self._stack[-1] if self._stack else UNKNOWN

    def _since_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is MARK:
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        items, self._stack[:] = self._stack[:], []
        return items

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def protocol(self, argument: int) -> None:
        self._protocol = argument

    def frame(self, size: int) -> None:
        self._frame_end = self.at + size

    def mark(self, _: Any) -> None:
        self._push(MARK)

    def pop(self, _: Any) -> None:
        self._pop()

    def pop_mark(self, _: Any) -> None:
        self._since_mark()

    def duplicate(self, _: Any) -> None:
        self._push(self._top())

    def put(self, index: int) -> None:
        self._memo[index] = self._top()

    def memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def get(self, index: int) -> None:
        self._push(self._memo.get(index, UNKNOWN))

    def empty(self, _: Any) -> None:
        self._push(Several())

    def collect(self, _: Any) -> None:
        items = self._since_mark()
        self._push(Several(tuple(items[:KEPT_ITEMS]), len(items)))

    def collect_few(self, count: int) -> None:
        items = [self._pop() for _ in range(count)][::-1]
        self._push(Several(tuple(items), count))

    def collect_pairs(self, _: Any) -> None:
        made = Several()
        self._fill(made, self._since_mark())
        self._push(made)

    def add(self, _: Any) -> None:
        self._pop()
        self._write_into(self._top())

    def add_many(self, _: Any) -> None:
        self._since_mark()
        self._write_into(self._top())

    def set_one(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._fill(self._top(), [key, value])

    def set_many(self, _: Any) -> None:
        pairs = self._since_mark()
        self._fill(self._top(), pairs)

    def _fill(self, target: Any, pairs: list[Any]) -> None:
        self._write_into(target)
        if isinstance(target, Several):
            for key, value in zip(pairs[::2], pairs[1::2], strict=False):
                if isinstance(key, str) and len(target.fields) < KEPT_ITEMS:
                    target.fields[key] = value

    def _write_into(self, target: Any) -> None:
        if isinstance(target, Name):
            self._found.written(target, self.began)

    def name(self, argument: tuple[bytes, bytes]) -> None:
        self._push(self._named(*(text(part) for part in argument)))

    def name_on_stack(self, _: Any) -> None:
        attribute, module = self._pop(), self._pop()
        if isinstance(module, str) and isinstance(attribute, str):
            self._push(self._named(module, attribute))
        else:
            self._note("computed")
            self._push(UNKNOWN)

    def _named(self, module: str, attribute: str) -> Name:
        if self._protocol < 3:
            module, attribute = NAME_MAPPING.get(
                (module, attribute), (IMPORT_MAPPING.get(module, module), attribute)
            )
        name = Name(module, attribute)
        self._found.imported(name, self.began)
        return name

    def extension(self, code: int) -> None:
        self._note("extension")
        self._push(UNKNOWN)

    def _note(self, kind: str) -> None:
        # Where the way was lost before, much is unknown that the file does say.
        if not self._found.lost:
            self._found.note(kind, self.began)

    def persistent(self, _: Any) -> None:
        self._found.note("persistent", self.began)
        self._push(UNKNOWN)

    def persistent_on_stack(self, _: Any) -> None:
        self._pop()
        self.persistent(None)

    def reduce(self, _: Any) -> None:
        arguments, callee = self._pop(), self._pop()
        self._call(callee, arguments)

    def reduce_with_keywords(self, _: Any) -> None:
        self._pop()
        self.reduce(None)

    def instance(self, argument: tuple[bytes, bytes]) -> None:
        items = self._since_mark()
        callee = self._named(*(text(part) for part in argument))
        self._call(callee, Several(tuple(items[:KEPT_ITEMS]), len(items)))

    def object(self, _: Any) -> None:
        items = self._since_mark()
        callee = items.pop(0) if items else UNKNOWN
        self._call(callee, Several(tuple(items[:KEPT_ITEMS]), len(items)))

    def _call(self, callee: Any, arguments: Any) -> None:
        known = isinstance(arguments, Several)
        items = arguments.items if known else ()
        looked_up = _looked_up(callee, items)
        if isinstance(callee, Name):
            self._found.called(callee, self.began, arguments.count if known else None)
        elif looked_up is None:
            self._found.note("computed call", self.began)
        if looked_up is not None:
            self._found.imported(looked_up, self.began)
            self._push(looked_up)
            return
        self._push(Made(callee if isinstance(callee, Name) else None, items))

    def build(self, _: Any) -> None:
        state, target = self._pop(), self._top()
        self._write_into(target)
        if isinstance(target, Made):
            target.state = state
            if target.callee is not None and is_array(target):
                self._pass_array(target)

    def _pass_array(self, wrapper: Made) -> None:
        """Skip what joblib reads past the pickle, or follow it where it is one itself."""
        layout = wrapper.state.fields if isinstance(wrapper.state, Several) else {}
        size = item_size(layout.get("dtype"))
        at = self._frame_end if self._frame_end > self.at else self.at
        after = self._inner(at) if size is None else self._perhaps_inner(at)
        if after is None:
            after = self._after_numbers(at, layout, size)
        if after > len(self._stream):
            raise Lost
        if self._frame_end > self.at:
            self._behind_frame = after
        else:
            self.at = after

    def _inner(self, at: int) -> int:
        if self._depth >= MAX_DEPTH:
            raise Exhausted
        inner = Machine(self._stream, self._found, at, self._depth + 1)
        inner.run()
        return inner.at

    def _perhaps_inner(self, at: int) -> int | None:
        """Where records hold objects too the array is a pickle, which their dtype only implies."""
        scratch = Walk(opcodes=self._found.opcodes, until=self._found.until)
        inner = Machine(self._stream, scratch, at, self._depth + 1)
        if self._depth >= MAX_DEPTH:
            raise Exhausted
        try:
            inner.run()
        except Lost:
            return None
        finally:
            self._found.opcodes = scratch.opcodes
        if not scratch.uses:
            return None
        self._found.join(scratch)
        return inner.at

    def _after_numbers(self, at: int, layout: dict[str, Any], size: int) -> int:
        if layout.get("numpy_array_alignment_bytes", UNKNOWN) not in (UNKNOWN, None):
            padding = self._stream[at : at + 1]
            at += 1 + (padding[0] if padding else 0)
        return at + size * count_of(layout.get("shape"))


def _looked_up(callee: Any, items: tuple) -> Name | None:
    """The name that a call of getattr, attrgetter or import_module comes to."""
    if isinstance(callee, Made) and str(callee.callee).endswith("operator.attrgetter"):
        items, callee = items[:1] + callee.arguments[:1], GETATTR
    if not isinstance(callee, Name):
        return None
    if str(callee) in IMPORTERS and items and isinstance(items[0], str):
        return Name(items[0], "")
    if callee != GETATTR or len(items) < 2:
        return None
    owner, attribute = items[:2]
    if not isinstance(owner, Name) or not isinstance(attribute, str):
        return None
    return Name(owner.module, f"{owner.attribute}.{attribute}".lstrip("."))


GETATTR = Name("builtins", "getattr")
IMPORTERS = (
    "importlib.import_module",
    "importlib.__import__",
    "builtins.__import__",
    "cloudpickle.cloudpickle.subimport",
)


STOP = ord(".")
Reading = Callable[[Machine], Any]
Acting = Callable[[Machine, Any], None]
# Opcodes, how their argument is read, and what they do; what does nothing pushes the argument.
OPCODES: tuple[tuple[str, Reading, Acting | None], ...] = (
    ("N\x88\x89\x97", lambda _: UNKNOWN, None),
    (".", lambda _: None, None),
    ("(", lambda _: None, Machine.mark),
    ("0", lambda _: None, Machine.pop),
    ("1", lambda _: None, Machine.pop_mark),
    ("2", lambda _: None, Machine.duplicate),
    ("F", lambda m: (m.line(), UNKNOWN)[1], None),
    ("IL", lambda m: whole(m.line()), None),
    ("K", lambda m: m.number(1), None),
    ("M", lambda m: m.number(2), None),
    ("J", lambda m: int.from_bytes(m.take(4), "little", signed=True), None),
    ("G", lambda m: (m.take(8), UNKNOWN)[1], None),
    ("\x8a", lambda m: int.from_bytes(m.counted(1), "little", signed=True), None),
    ("\x8b", lambda m: (m.counted(4), UNKNOWN)[1], None),
    ("S", lambda m: quoted(m.line()), None),
    ("V", lambda m: raw_text(m.line()), None),
    ("U\x8c", lambda m: m._counted_text(1), None),
    ("TX", lambda m: m._counted_text(4), None),
    ("\x8d", lambda m: m._counted_text(8), None),
    ("C", lambda m: m._counted_bytes(1), None),
    ("B", lambda m: m._counted_bytes(4), None),
    ("\x8e\x96", lambda m: m._counted_bytes(8), None),
    ("P", lambda m: m.line(), Machine.persistent),
    ("Q", lambda _: None, Machine.persistent_on_stack),
    ("R\x81", lambda _: None, Machine.reduce),
    ("\x92", lambda _: None, Machine.reduce_with_keywords),
    ("b", lambda _: None, Machine.build),
    ("c", lambda m: (m.line(), m.line()), Machine.name),
    ("i", lambda m: (m.line(), m.line()), Machine.instance),
    ("o", lambda _: None, Machine.object),
    ("\x93", lambda _: None, Machine.name_on_stack),
    ("\x82", lambda m: m.number(1), Machine.extension),
    ("\x83", lambda m: m.number(2), Machine.extension),
    ("\x84", lambda m: m.number(4), Machine.extension),
    ("a", lambda _: None, Machine.add),
    ("e\x90", lambda _: None, Machine.add_many),
    ("s", lambda _: None, Machine.set_one),
    ("u", lambda _: None, Machine.set_many),
    ("d", lambda _: None, Machine.collect_pairs),
    ("tl\x91", lambda _: None, Machine.collect),
    (")]}\x8f", lambda _: None, Machine.empty),
    ("\x85", lambda _: 1, Machine.collect_few),
    ("\x86", lambda _: 2, Machine.collect_few),
    ("\x87", lambda _: 3, Machine.collect_few),
    ("p", lambda m: index(m.line()), Machine.put),
    ("q", lambda m: m.number(1), Machine.put),
    ("r", lambda m: m.number(4), Machine.put),
    ("\x94", lambda _: None, Machine.memoize),
    ("g", lambda m: index(m.line()), Machine.get),
    ("h", lambda m: m.number(1), Machine.get),
    ("j", lambda m: m.number(4), Machine.get),
    ("\x80", lambda m: m.number(1), Machine.protocol),
    ("\x95", lambda m: m.number(8), Machine.frame),
    ("\x98", lambda _: None, lambda m, _: None),
)
READING: list[Reading | None] = [None] * 256
ACTING: list[Acting | None] = [None] * 256
for codes, read, act in OPCODES:
    for code in codes:
        READING[ord(code)], ACTING[ord(code)] = read, act
