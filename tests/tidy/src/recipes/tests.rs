//! Each rule about recipes, shown one that breaks it.

use super::*;

const MAKEFILE: &str = ".PHONY: help fmt\nA := b\nhelp: ## This list\n\techo\nfmt: help ## Formats\n";

const DOCKERFILE: &str = "\
FROM rust:1.95-slim AS build
RUN cargo build --locked --release -p cli
FROM debian:13-slim
COPY --from=build /src/target/release/stock-tracker /usr/local/bin/
USER 10001:10001
HEALTHCHECK CMD [\"stock-tracker\", \"doctor\"]
";

const COMPOSE: &str = "\
services:
  postgres:
    image: postgres:17
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/postgres
";

fn broken(text: &str, from: &str, to: &str, rule: fn(&str) -> Vec<String>, expected: &str) {
    assert!(text.contains(from), "nothing to break: {from}");
    let complaints = rule(&text.replace(from, to));
    assert!(complaints.iter().any(|c| c.contains(expected)), "{complaints:?}");
}

#[test]
fn tidy_recipes_have_no_complaints() {
    assert_eq!(makefile(MAKEFILE), [""; 0]);
    assert_eq!(dockerfile(DOCKERFILE), [""; 0]);
    assert_eq!(compose(COMPOSE), [""; 0]);
    assert_eq!(whole_check("step fmt\n", MAKEFILE), [""; 0]);
}

#[test]
fn a_target_without_help_or_declaration_is_named() {
    broken(MAKEFILE, " ## Formats", "", makefile, "fmt has no");
    broken(MAKEFILE, "help fmt", "help", makefile, "fmt is missing");
    broken(MAKEFILE, "help: ##", "other: ##", makefile, "first target");
}

#[test]
fn a_step_that_nobody_can_call_alone_is_named() {
    assert_eq!(whole_check("step fmt\nstep secret\n", MAKEFILE).len(), 1);
    assert_eq!(whole_check("make fmt\n", MAKEFILE), [".ci/run has no steps"]);
}

#[test]
fn an_image_that_breaks_a_rule_is_told_which() {
    broken(DOCKERFILE, "debian:13-slim", "debian", dockerfile, "no tag");
    broken(
        DOCKERFILE,
        "debian:13-slim",
        "debian:latest",
        dockerfile,
        "another one tomorrow",
    );
    broken(
        DOCKERFILE,
        "USER 10001:10001",
        "USER root",
        dockerfile,
        "USER root",
    );
    broken(DOCKERFILE, "USER 10001:10001", "USER 0", dockerfile, "USER 0");
    broken(DOCKERFILE, "USER 10001:10001", "", dockerfile, "runs as root");
    broken(
        DOCKERFILE,
        "HEALTHCHECK",
        "# HEALTHCHECK",
        dockerfile,
        "no HEALTHCHECK",
    );
    broken(DOCKERFILE, "--locked ", "", dockerfile, "without --locked");
    broken(
        DOCKERFILE,
        "USER",
        "COPY --from=build /src/target /x\nUSER",
        dockerfile,
        "one thing",
    );
}

#[test]
fn a_composition_that_breaks_a_rule_is_told_which() {
    broken(
        COMPOSE,
        "postgres:17",
        "postgres:latest",
        compose,
        "another one tomorrow",
    );
    broken(
        COMPOSE,
        "PASSWORD_FILE: /run/secrets/postgres",
        "PASSWORD: hunter2",
        compose,
        "is a secret",
    );
    broken(
        COMPOSE,
        "    environment",
        "    privileged: true\n    environment",
        compose,
        "privileged",
    );
}
