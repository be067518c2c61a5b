"""The module measures the variables of the function as tests/environment_size.json says Lambda does, what it adds itself
included, and says what takes the room. Run by `.ci/terraform`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import json

from environment_size import LIMIT, TABLE, TRUST, expand, filled, measure
from plans import plans

ALARMS = {"METRICS_NAMESPACE": "TokenAuthorizer/token-authorizer"}


def main():
    table = json.loads(TABLE.read_text())
    cases = {f"case-{n}": {"settings": expand(case["variables"])} for n, case in enumerate(table)}
    for size in (LIMIT, LIMIT + 1):
        settings = expand(filled(TRUST | ALARMS, size))
        del settings["METRICS_NAMESPACE"]
        cases[f"alarms-{size}"] = {"settings": settings, "alarms": {}}
    found = plans(".", {name: variables | {"package": "versions.tf"} for name, variables in cases.items()})
    problems = []
    for n, case in enumerate(table):
        plan = found[f"case-{n}"]
        if isinstance(plan, str):
            wanted = f"{case['bytes']} bytes"
            if case["fits"] or wanted not in plan or "@/opt/" not in plan:
                problems.append(f"{case['name']}: refused with {plan}")
        elif not case["fits"] or plan["output_changes"]["environment_bytes"]["after"] != case["bytes"]:
            problems.append(f"{case['name']}: {case['bytes']}, not {plan['output_changes']['environment_bytes']['after']}")
    if isinstance(found[f"alarms-{LIMIT}"], str) or f"{LIMIT + 1} bytes" not in found[f"alarms-{LIMIT + 1}"]:
        problems.append("the namespace that the module adds is not measured")
    [routes] = [n for n, case in enumerate(table) if case["name"] == f"{LIMIT + 1} bytes with a table of routes"]
    without = measure(expand(table[routes]["variables"]) | {"ROUTES": ""}) - len('"ROUTES":"",')
    if f"ROUTES ({LIMIT + 1 - without})" not in found[f"case-{routes}"]:
        problems.append(f"the largest is not named in {found[f'case-{routes}']}")
    assert not problems, "\n".join(["the size of the variables:", *problems])
    print(f"{len(cases)} environments are measured as Lambda measures them")


if __name__ == "__main__":
    main()
