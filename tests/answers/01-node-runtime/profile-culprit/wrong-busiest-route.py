# "The handler that takes longest calls it most." It spends its time elsewhere.
node.run("incident.mjs", flags=["--no-turbo-inlining", "--cpu-prof", "--cpu-prof-interval=250", "--cpu-prof-name=mine.cpuprofile"])
raw = json.loads((process.workspace() / "mine.cpuprofile").read_text())
calls = cpuprofile.calls(raw | {"timeDeltas": [1000] * len(raw["samples"]), "endTime": 0})  # samples, counted
mine = calls[calls["file"].str.endswith("incident.mjs")]
handlers = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
culprit = cpuprofile.by_function(calls).query("file.str.endswith('incident.mjs')")["function"].iloc[0]
totals = cpuprofile.by_function(calls).set_index("function")["total_ms"]
handler = totals[handlers].idxmax()
