"""Writes the Terraform module in the layout of the Terraform Registry: the module at the root, `modules` and `examples`
below it, a licence, and no link that leaves the repository. Run by `.ci/registry`.

    registry.py OWNER/REPOSITORY VERSION FOLDER
"""

import re
import shutil
import sys
from pathlib import Path

MODULE = Path("deploy/terraform")
SOURCES = {
    # As in the README of the module, and how the registry calls the same.
    '"https://example.com/token-authorizer-{version}-terraform.zip" # of a release; or a path': '"{owner}/token-authorizer/aws"',
    '"https://example.com/token-authorizer-{version}-terraform.zip//modules/attachment"': '"{owner}/token-authorizer/aws//modules/attachment"',
}


def main(repository, version, folder):
    owner, tree = repository.split("/")[0], Path(folder)
    shutil.copytree(MODULE, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*", "generated"))
    shutil.copy("LICENSE", tree)
    for path in tree.rglob("README.md"):
        path.write_text(readme(path.read_text(), path.parent.relative_to(tree), repository, version, owner))
    print(f"{tree}: {sum(path.is_file() for path in tree.rglob('*') if '.git' not in path.parts)} files")


def readme(text, place, repository, version, owner):
    for source, of_registry in SOURCES.items():
        line = f"  source  = {of_registry}\n  version = \"{version}\""
        text = re.sub(rf" +source +=  *{re.escape(source.format(version=version))}", line.format(owner=owner), text)

    def link(found):
        target, _, anchor = found[1].partition("#")
        inside = (MODULE / place / target).resolve().relative_to(Path.cwd())
        if inside.is_relative_to(MODULE):
            return found[0]
        return f"](https://github.com/{repository}/blob/v{version}/{inside}{'#' + anchor if anchor else ''})"

    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", link, text)


if __name__ == "__main__":
    main(*sys.argv[1:])
