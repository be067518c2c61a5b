"""Publishes the module to a repository on this machine as `.ci/registry` does for the Terraform Registry, and uses it from
there by its tag. Run by `.ci/terraform`."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
USE = """
module "token_authorizer" {
  source   = "git::file://%s?ref=v%s"
  package  = "package.zip"
  settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets" }
}
module "attachment" {
  source       = "git::file://%s//modules/attachment?ref=v%s"
  function_arn = module.token_authorizer.function_arn
  settings     = module.token_authorizer.settings
  api_id       = "ymy8tbxw7b"
  api_kind     = "rest"
}
"""


def main():
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    with tempfile.TemporaryDirectory() as folder:
        def run(*command, status=0):
            done = subprocess.run(command, cwd=ROOT, env=os.environ | identity, capture_output=True, text=True)
            assert done.returncode == status, f"{command}: {done.stdout}{done.stderr}"
            return done.stdout + done.stderr

        remote = f"{folder}/terraform-aws-token-authorizer"
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", remote)
        run("bash", ".ci/registry", "acme/authorizer", remote)
        assert "is published already" in run("bash", ".ci/registry", "acme/authorizer", remote, status=1)

        # What the registry looks for, and no link that leads nowhere.
        files = run("git", "-C", remote, "ls-tree", "-r", "--name-only", f"v{version}").splitlines()
        assert {"README.md", "LICENSE", "main.tf", "variables.tf", "outputs.tf", "versions.tf", "settings.json"} <= set(files), files
        assert {"modules/attachment/main.tf", "modules/attachment/README.md", "examples/rest-api/main.tf"} <= set(files), files
        for path in (path for path in files if path.endswith("README.md")):
            text = run("git", "-C", remote, "show", f"v{version}:{path}")
            for link in re.findall(r"\]\(([^)#]+)", text):
                if link.startswith("https://github.com/acme/authorizer/blob/"):
                    assert (ROOT / link.split(f"/v{version}/")[1]).exists(), link
                elif not link.startswith("https://"):
                    inside = os.path.normpath(os.path.join(os.path.dirname(path), link))
                    assert any(file == inside or file.startswith(f"{inside}/") or inside == "." for file in files), (path, link)
        text = run("git", "-C", remote, "show", f"v{version}:README.md")
        assert text.count('"acme/token-authorizer/aws') == 2 and text.count(f'version = "{version}"') == 2 and "example.com/token" not in text

        use = Path(folder, "use")
        use.mkdir()
        (use / "main.tf").write_text(USE % (remote, version, remote, version))
        run("terraform", f"-chdir={use}", "init", "-no-color", "-input=false")
        run("terraform", f"-chdir={use}", "validate", "-no-color")
    print(f"version {version} is published once and used by its tag")


if __name__ == "__main__":
    main()
