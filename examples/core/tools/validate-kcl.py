#!/usr/bin/env python3
"""Checks KCL with the compiler itself (Python package kcl-lib).

validate-kcl.py compile FILE...              each file compiles and its values hold
validate-kcl.py run FILE                     print what a file makes, as YAML
validate-kcl.py data SCHEMA_FILE NAME DATA   a TOML, JSON or YAML file fits the schema NAME
"""

import json
import pathlib
import sys
import tomllib

from kcl_lib import api


def run_file(path: str):
    """What a KCL file makes."""
    return api.API().exec_program(api.ExecProgramArgs(k_filename_list=[path]))


def compile_file(path: str) -> str:
    """The problem of a KCL file, or nothing."""
    try:
        outcome = run_file(path)
    except Exception as error:  # the binding raises plain exceptions for diagnostics
        return str(error)
    return outcome.err_message


def check_data(schema_file: str, name: str, data: str) -> str:
    """The problem of a data file, or nothing."""
    text = pathlib.Path(data).read_text()
    kind = "yaml" if data.endswith((".yaml", ".yml")) else "json"
    if data.endswith(".toml"):
        text = json.dumps(tomllib.loads(text), default=str)
    code = pathlib.Path(schema_file).read_text()
    arguments = api.ValidateCodeArgs(data=text, code=code, schema=name, format=kind)
    try:
        outcome = api.API().validate_code(arguments)
    except Exception as error:
        return str(error)
    return "" if outcome.success else outcome.err_message


def main() -> int:
    words = sys.argv[1:]
    if len(words) >= 2 and words[0] == "compile":
        problems = [f"{path}: {problem}" for path in words[1:] if (problem := compile_file(path))]
    elif len(words) == 2 and words[0] == "run":
        print(run_file(words[1]).yaml_result)
        problems = []
    elif len(words) == 4 and words[0] == "data":
        problem = check_data(*words[1:])
        problems = [f"{words[3]}: {problem}"] if problem else []
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
