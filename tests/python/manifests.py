"""Renders manifests and holds them against Kubernetes' schemas, for the tests in tests/it/install.

    manifests.py chart CHART       values of the chart on standard input, a list of JSON objects
    manifests.py kustomize DIR     what a kustomization renders
    manifests.py validate VERSION… a list of JSON documents on standard input

Each prints one JSON value.
"""

import json
import os
import subprocess
import sys

import helm_python
import kubernetes_validate
import yaml


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def chart(path):
    """For each set of values: what it renders by template, or why not; and what lint says, strictly."""
    results = []
    with helm_python.Chart.load(path) as loaded:
        for values in json.load(sys.stdin):
            result = {}
            try:
                loaded.validate_schema(values)
                rendered = loaded.render(values, name="release", namespace="gitops")
                result["notes"] = rendered.pop(f"{loaded.name}/templates/NOTES.txt", "")
                result["documents"] = [one for text in rendered.values() for one in documents(text)]
            except helm_python.HelmError as error:
                result["error"] = str(error)
            report = helm_python.lint(path, values, strict=True)
            # 1 is a hint.
            result["lint"] = [one["error"] for one in report["messages"] if one["severity"] > 1] + report["errors"]
            results.append(result)
    return results


def kustomize(directory):
    kubectl = os.path.join(os.path.dirname(sys.executable), "kubectl")
    done = subprocess.run([kubectl, "kustomize", directory], check=True, capture_output=True, text=True)
    return documents(done.stdout)


def validate(versions):
    """What is wrong with each document, strictly: nothing that the schema does not know."""
    found = []
    for document in json.load(sys.stdin):
        for version in versions:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                message = getattr(error, "message", str(error))
                found.append(f"{document['kind']} {document['metadata']['name']}, Kubernetes {version}: {message}")
    return found


def main():
    command, *rest = sys.argv[1:]
    answers = {"chart": lambda: chart(*rest), "kustomize": lambda: kustomize(*rest), "validate": lambda: validate(rest)}
    json.dump(answers[command](), sys.stdout)


main()
