"""Validates scenario files against the JSON Schema, as an editor would.

validate_schema.py SCHEMA good FILE... bad FILE...: the good ones must fit, the bad ones must not.
Exit status 0, 1 with the reasons, 77 when python3-jsonschema or python3-yaml is not there.
"""
import json
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)


def main():
    with open(sys.argv[1]) as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    wanted, failures, counts = "good", 0, {"good": 0, "bad": 0}
    for argument in sys.argv[2:]:
        if argument in counts:
            wanted = argument
            continue
        with open(argument) as file:
            document = yaml.safe_load(file)
        counts[wanted] += 1
        errors = sorted(validator.iter_errors(document), key=lambda e: list(map(str, e.absolute_path)))
        if wanted == "good":
            for error in errors:
                best = jsonschema.exceptions.best_match([error])
                print("%s: %s: %s" % (argument, "/".join(map(str, best.absolute_path)), best.message[:300]))
            failures += bool(errors)
        elif not errors:
            print("%s: fits, and must not" % argument)
            failures += 1
    print("%d good and %d bad files judged" % (counts["good"], counts["bad"]))
    return 1 if failures or not counts["good"] else 0


sys.exit(main())
