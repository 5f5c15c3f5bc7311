# "The function with the most time is the culprit." That is total time: it has the handler in it, not the function.
node.run("incident.mjs", flags=["--no-turbo-inlining", "--cpu-prof", "--cpu-prof-interval=250", "--cpu-prof-name=mine.cpuprofile"])
raw = json.loads((process.workspace() / "mine.cpuprofile").read_text())
calls = cpuprofile.calls(raw | {"timeDeltas": [1000] * len(raw["samples"]), "endTime": 0})  # samples, counted
mine = calls[calls["file"].str.endswith("incident.mjs")]
handlers = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
totals = cpuprofile.by_function(calls).set_index("function")["total_ms"]
culprit = totals[[name for name in mine["function"].unique() if name != "(anonymous)"]].idxmax()
handler = totals[handlers].idxmax()
