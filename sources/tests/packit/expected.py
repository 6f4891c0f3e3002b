"""Writes beside every configuration here what Packit itself makes of it, where that is no default.

The defaults are in defaults.json.

Needs Packit (packitos 1.17.0) and rpm's Python bindings; run it after a configuration changes:
`python3 sources/tests/packit/expected.py`.
"""

import json
import sys
from pathlib import Path

from packit.config import PackageConfig
from packit.config.package_config import load_packit_yaml
from packit.schema import CommonConfigSchema

OF_JOB = ["skip_build", "skip_install", "manual_trigger", "labels", "sidetag_group", "dependents", "dependencies"]


DEFAULTS = CommonConfigSchema().dump(CommonConfigSchema().load({}))
DEFAULTS_OF_JOB = {key: False for key in OF_JOB[:3]} | {key: None for key in OF_JOB[3:]}


def values(package):
    every = CommonConfigSchema().dump(package)
    return {key: value for key, value in every.items() if value != DEFAULTS[key]}


def of(path, repository="repository"):
    raw = load_packit_yaml(path)
    config = PackageConfig.get_from_dict(raw, config_file_path=".packit.yaml", repo_name=repository)
    jobs = []
    for job in config.jobs:
        own = {key: job.__dict__[key] for key in OF_JOB if job.__dict__[key] != DEFAULTS_OF_JOB[key]}
        packages = {key: values(package) | own for key, package in job.packages.items()}
        jobs.append({"job": job.type.value, "trigger": job.trigger.value, "packages": packages})
    return {"packages": {key: values(it) for key, it in config.packages.items()}, "jobs": jobs}


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "defaults.json").write_text(json.dumps(DEFAULTS, indent=1, sort_keys=True) + "\n")
    for path in [Path(it) for it in sys.argv[1:]] or sorted(here.glob("*.yaml")):
        text = json.dumps(of(path), indent=1, sort_keys=True, default=str)
        path.with_suffix(".json").write_text(text + "\n")
