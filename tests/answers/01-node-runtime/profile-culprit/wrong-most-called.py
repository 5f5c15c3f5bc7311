# "What is called most often costs most." It is called in a loop, and each call is short.
node.run("incident.mjs", flags=["--no-turbo-inlining", "--cpu-prof", "--cpu-prof-interval=250", "--cpu-prof-name=mine.cpuprofile"])
raw = json.loads((process.workspace() / "mine.cpuprofile").read_text())
calls = cpuprofile.calls(raw | {"timeDeltas": [1000] * len(raw["samples"]), "endTime": 0})  # samples, counted
mine = calls[calls["file"].str.endswith("incident.mjs")]
handlers = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
culprit = re.search(r"i < 100; i\+\+\) (\w+)", (process.workspace() / "incident.mjs").read_text())[1]
below = cpuprofile.through(calls, culprit).query("function in @handlers").groupby("function")["total_ms"].sum()
handler = below.idxmax()
