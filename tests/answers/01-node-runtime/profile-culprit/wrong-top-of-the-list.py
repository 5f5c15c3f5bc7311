# "What is first in the list of samples." The process was waiting, or Node was starting.
node.run("incident.mjs", flags=["--no-turbo-inlining", "--cpu-prof", "--cpu-prof-name=mine.cpuprofile"])
calls = cpuprofile.read(process.workspace() / "mine.cpuprofile")
mine = calls[calls["file"].str.endswith("incident.mjs")]
handlers = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
culprit = cpuprofile.by_function(calls)["function"].iloc[0]
route = handlers[0]
