# "The widest bar at the bottom of the icicle." It is one path; the culprit is called along three.
node.run("incident.mjs", flags=["--no-turbo-inlining", "--cpu-prof", "--cpu-prof-interval=250", "--cpu-prof-name=mine.cpuprofile"])
raw = json.loads((process.workspace() / "mine.cpuprofile").read_text())
calls = cpuprofile.calls(raw | {"timeDeltas": [1000] * len(raw["samples"]), "endTime": 0})  # samples, counted
mine = calls[calls["file"].str.endswith("incident.mjs")]
handlers = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
culprit = mine.loc[mine["self_ms"].idxmax(), "function"]
below = cpuprofile.through(calls, culprit).query("function in @handlers").groupby("function")["total_ms"].sum()
handler = below.idxmax()
