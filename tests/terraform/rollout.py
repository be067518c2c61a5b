"""Runs deploy/terraform/rollout.sh against a stand-in for the AWS CLI. Run by `.ci/terraform`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "terraform" / "rollout.sh"
# Writes down how it was called, and answers with the next line of a file named after the operation.
AWS = r"""#!/usr/bin/env bash
printf '%s\0' "$@" >>"$FOLDER/calls"; printf '\n' >>"$FOLDER/calls"
head -1 "$FOLDER/$2" && sed -i 1d "$FOLDER/$2"
"""
SETTINGS = {"FUNCTION": "pets", "VERSION": "7", "ALIAS": "live", "APPLICATION": "pets", "DEPLOYMENT_GROUP": "live", "POLL_SECONDS": "0"}


def run(**answers):
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "aws")
        program.write_text(AWS)
        program.chmod(0o755)
        for operation, lines in answers.items():
            Path(folder, operation.replace("_", "-")).write_text("\n".join(lines) + "\n")
        environment = SETTINGS | {"PATH": f"{folder}:{os.environ['PATH']}", "FOLDER": folder}
        done = subprocess.run(["bash", SCRIPT], env=environment, capture_output=True, text=True)
        calls = [line.split("\0")[:-1] for line in Path(folder, "calls").read_text().splitlines()]
    return done, calls


def main():
    done, calls = run(get_alias=["7"])
    assert (done.returncode, [call[1] for call in calls]) == (0, ["get-alias"]), "nothing must move where nothing is new"

    done, calls = run(get_alias=["6"], create_deployment=["d-1"], get_deployment=["Created", "InProgress", "Succeeded"])
    assert done.returncode == 0, done.stderr
    assert [call[1] for call in calls] == ["get-alias", "create-deployment", *["get-deployment"] * 3], calls
    options = dict(zip(calls[1][2::2], calls[1][3::2]))
    assert (options["--application-name"], options["--deployment-group-name"]) == ("pets", "live")
    revision = json.loads(options["--revision"])
    content = json.loads(revision["appSpecContent"]["content"])
    [[function]] = [resource.values() for resource in content["Resources"]]
    assert (revision["revisionType"], function["Type"]) == ("AppSpecContent", "AWS::Lambda::Function")
    assert function["Properties"] == {"Name": "pets", "Alias": "live", "CurrentVersion": "6", "TargetVersion": "7"}

    for status in ("Failed", "Stopped"):
        done, _ = run(get_alias=["6"], create_deployment=["d-1"], get_deployment=["InProgress", status, "one or more alarms"])
        assert done.returncode == 1 and "rolled back" in done.stderr and "one or more alarms" in done.stderr, done
    done, calls = run(get_alias=["6"])
    assert done.returncode != 0 and len(calls) == 2, "what cannot be deployed must fail"
    print("rollout.sh moves the alias once and fails with a rollback")


if __name__ == "__main__":
    main()
