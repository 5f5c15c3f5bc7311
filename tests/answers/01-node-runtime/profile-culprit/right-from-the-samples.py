# By hand from the samples: the name on top of the stack, and the handler further up the same stack.
node.run("incident.mjs", flags=["--cpu-prof", "--no-turbo-inlining", "--cpu-prof-dir=by-hand"])
(found,) = (process.workspace() / "by-hand").glob("*.cpuprofile")
raw = json.loads(found.read_text())
calls = {item["id"]: item for item in raw["nodes"]}
caller = {child: item["id"] for item in raw["nodes"] for child in item.get("children", [])}
tops, pairs = {}, {}
for sample in raw["samples"]:
    frame = calls[sample]["callFrame"]
    if not frame["url"].endswith("incident.mjs"):
        continue
    tops[frame["functionName"]] = tops.get(frame["functionName"], 0) + 1
    up = sample
    while up in caller:
        up = caller[up]
        pair = frame["functionName"], calls[up]["callFrame"]["functionName"]
        pairs[pair] = pairs.get(pair, 0) + 1
culprit = max(tops, key=tops.get)
asynchronous = re.findall(r"async function (\w+)", (process.workspace() / "incident.mjs").read_text())
handler = max(asynchronous, key=lambda name: pairs.get((culprit, name), 0))
