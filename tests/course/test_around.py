"""Which of a student's own cells an answer brings along."""

import pytest

from backendlab.course.around import Answer, needed

CASES = {  # cells above, the answer, cells below; which of them come along
    "nothing of it is used": (["x = 1"], "def f():\n    return 2", ["print(f())"], [], []),
    "a function": (["def g():\n    return 1"], "def f():\n    return g()", [], [0], []),
    "what that needs": (["import math", "def g():\n    return math.pi"], "def f():\n    return g()", [], [0, 1], []),
    "a name of its own is not looked for": (["items = [1]"], "def f(items):\n    return items", [], [], []),
    "a name that it defines itself": (["f = 1"], "def f():\n    return f", [], [], []),
    "a name beneath a condition": (["if True:\n    g = 1"], "f = g", [], [0], []),
    "an element": (["table = {}", "table['a'] = 1"], "f = table['a']", [], [0, 1], []),
    "an attribute": (["class A: pass", "A.b = 1"], "f = A.b", [], [0, 1], []),
    "all of a module": (["from math import *"], "f = pi", [], [0], []),
    "waiting at the top": (["import asyncio", "g = await asyncio.sleep(0, 1)"], "f = g", [], [0, 1], []),
    "a magic": (["%load_ext x", "files = !ls", "%timeit 1"], "f = files", [], [1], []),
    "a file": (["%%node --save a.mjs\nexport const a = 1;"], "%%node --save b.mjs\nimport './a.mjs';", [], [0], []),
    "a cell that is no Python": (["def g(:"], "f = g", [], [], []),
    "over the answer": ([], "def f():\n    raise NotImplementedError", ["def f():\n    return 1", "f()"], [], [0]),
    "over the answer, with a helper": ([], "f = 0", ["g = 1", "f = g"], [], [0, 1]),
    "instead of the answer": (["f = 1", "z = 2"], "", [], [0], []),
    "a helper below": ([], "def f():\n    return g()", ["def g():\n    return 1"], [], [0]),
    "deeply nested": (["g = " + "(" * 5000 + ")" * 5000], "f = g", [], [], []),
}


@pytest.mark.parametrize("what", CASES)
def test_what_comes_along(what: str) -> None:
    above, text, below, from_above, from_below = CASES[what]
    given = Answer(text, "f = None", tuple((cell, False) for cell in above), tuple(below))
    assert needed(given, ["random"]) == ([above[at] for at in from_above], [below[at] for at in from_below])


def test_an_earlier_answer_comes_along_only_for_what_the_set_up_lacks() -> None:
    earlier = "import asyncio\ndef g():\n    return asyncio.sleep(0)"
    uses_asyncio = Answer("async def f():\n    await asyncio.sleep(0)", "", ((earlier, True),))
    assert needed(uses_asyncio, ["asyncio"]) == ([], [])
    assert needed(uses_asyncio, []) == ([earlier], [])
    assert needed(Answer("f = g()", "", ((earlier, True),)), ["asyncio"]) == ([earlier], [])
