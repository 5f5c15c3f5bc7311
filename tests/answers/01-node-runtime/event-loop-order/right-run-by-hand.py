# Runs the program itself, saved under a name of its own.
import subprocess

from backendlab import parts

source_file = node.save("mine.cjs", looporder.source(SEED))
printed = subprocess.run(
    [str(parts.node()), str(source_file)], capture_output=True, text=True, check=True
).stdout.splitlines()
