#!/bin/sh
# utoipa 6.0.0: a response that is declared without a description makes an OpenAPI 3.1 document that is not valid.
#
# Behaviour. The macro `utoipa::path` takes a response that has a status only, and a description may be left out with the
# builder as well. Since 6.0.0 the response is then written without the member `description`. OpenAPI 3.2 allows that;
# 3.1 does not (Response Object: `description` is required), and 3.1.0 is the version that the document says it has, unless
# 3.2 is asked for. Validators refuse the document. 5.5.0 wrote an empty text, which is valid, so that a document can
# become invalid by the upgrade alone; nothing warns.
#
# Expected. An empty text, as before, at least where the document says 3.1.0.
#
# Seen (the same that this script prints and compares with):
#     utoipa 6.0.0, description left out: openapi 3.1.0, response {}
#       refused: 'description' is a required property
#     utoipa 6.0.0, description given: openapi 3.1.0, response {"description": "Done"}
#       accepted
#     utoipa 5.5.0, description left out: openapi 3.1.0, response {"description": ""}
#       accepted
# The judge is openapi-spec-validator 0.9.0.
#
# Workaround. Give every response a description that is not empty (an empty one is left out too), and let a test walk
# over the finished document and refuse a response without one.
#
# Needs cargo, and Python 3.10 with venv and pip. Exit status: 0 as described, 1 the behaviour is another, any other:
# it could not be tried.
set -eu

scratch="$(mktemp -d)" || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/src"
cd "$scratch"

cat >Cargo.toml <<'MANIFEST'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
publish = false

[dependencies]
utoipa = "=6.0.0"
utoipa-gen = "=6.0.1"
before = { package = "utoipa", version = "=5.5.0" }

[profile.dev]
debug = false

[workspace]
MANIFEST

cat >src/main.rs <<'PROGRAM'
use utoipa::OpenApi;

#[utoipa::path(delete, path = "/thing", responses((status = 204)))]
#[allow(dead_code)]
fn left_out() {}

#[utoipa::path(delete, path = "/thing", responses((status = 204, description = "Done")))]
#[allow(dead_code)]
fn given() {}

#[derive(OpenApi)]
#[openapi(paths(left_out), info(title = "finding", version = "1"))]
struct LeftOut;

#[derive(OpenApi)]
#[openapi(paths(given), info(title = "finding", version = "1"))]
struct Given;

/// The same as `LeftOut`, by the builders of the version before.
fn before() -> before::openapi::OpenApi {
    use before::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};
    use before::openapi::{InfoBuilder, OpenApiBuilder, ResponseBuilder};
    let operation = OperationBuilder::new().response("204", ResponseBuilder::new());
    let path = PathItem::new(HttpMethod::Delete, operation);
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("finding").version("1"))
        .paths(PathsBuilder::new().path("/thing", path))
        .build()
}

fn main() {
    let documents = [
        ("6-left-out.json", LeftOut::openapi().to_json()),
        ("6-given.json", Given::openapi().to_json()),
        ("5-left-out.json", before().to_json()),
    ];
    for (name, document) in documents {
        std::fs::write(name, document.unwrap()).unwrap();
    }
}
PROGRAM

cat >judge.py <<'JUDGE'
import json

from openapi_spec_validator import OpenAPIV31SpecValidator

for words, name in [
    ("utoipa 6.0.0, description left out", "6-left-out.json"),
    ("utoipa 6.0.0, description given", "6-given.json"),
    ("utoipa 5.5.0, description left out", "5-left-out.json"),
]:
    with open(name) as file:
        document = json.load(file)
    response = document["paths"]["/thing"]["delete"]["responses"]["204"]
    print(f"{words}: openapi {document['openapi']}, response {json.dumps(response)}")
    complaints = [complaint.message for complaint in OpenAPIV31SpecValidator(document).iter_errors()]
    for complaint in complaints:
        print(f"  refused: {complaint}")
    if not complaints:
        print("  accepted")
JUDGE

CARGO_TARGET_DIR="$scratch/target" cargo build --quiet || exit 2
python3 -m venv judge || exit 2
judge/bin/pip install --quiet --disable-pip-version-check 'openapi-spec-validator==0.9.0' || exit 2

cat >expected <<'SEEN'
utoipa 6.0.0, description left out: openapi 3.1.0, response {}
  refused: 'description' is a required property
utoipa 6.0.0, description given: openapi 3.1.0, response {"description": "Done"}
  accepted
utoipa 5.5.0, description left out: openapi 3.1.0, response {"description": ""}
  accepted
SEEN

target/debug/finding || exit 2
judge/bin/python judge.py >seen || exit 2
cat seen
if ! cmp -s expected seen; then
    echo 'The behaviour has changed. Expected was:' >&2
    cat expected >&2
    exit 1
fi
echo 'As described: without a description the document is not valid.'
