"""What a lesson imports: real processes, Node, instruments and figures.

`%load_ext backendlab.lab` gives a notebook the `%%node` cell, the house style of figures, and `student`: the notebook's
own answers, as checks ask for them.
"""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    from backendlab import student
    from backendlab.lab import figures, node

    node.register(shell)
    figures.use()
    shell.push({"student": student.local(shell.user_ns)})
