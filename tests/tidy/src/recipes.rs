//! What is typed and shipped: the Makefile explains itself, `.ci/run` calls what a person can call, the image
//! is one binary under a number that is not root, the composition holds no secret.

/// Every target has a line of help and is declared as no file; the bare `make` shows the list.
#[must_use]
pub fn makefile(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let phony: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY:"))
        .flat_map(str::split_whitespace)
        .collect();
    for line in target_lines(text) {
        let name = line.split(':').next().unwrap_or_default();
        if !line.contains(" ## ") {
            complaints.push(format!("Makefile: target {name} has no `## help`"));
        }
        if !phony.contains(&name) {
            complaints.push(format!("Makefile: target {name} is missing in .PHONY"));
        }
    }
    if target_lines(text)
        .next()
        .is_none_or(|line| !line.starts_with("help:"))
    {
        complaints.push("Makefile: the first target is not help".to_owned());
    }
    complaints
}

/// Every step of the whole check is a target, so that each can be run alone under the same name.
#[must_use]
pub fn whole_check(script: &str, makefile: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let steps: Vec<&str> = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("step "))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    if steps.is_empty() {
        complaints.push(".ci/run has no steps".to_owned());
    }
    for step in steps {
        if !target_lines(makefile).any(|line| line.starts_with(&format!("{step}:"))) {
            complaints.push(format!(
                ".ci/run calls {step}, which is no target of the Makefile"
            ));
        }
    }
    complaints
}

/// The image: fixed bases, locked versions, one binary, nobody's rights, a check of health.
#[must_use]
pub fn dockerfile(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .collect();
    let after = |word: &str| {
        let word = format!("{word} ");
        let found = lines
            .iter()
            .filter_map(move |line| line.strip_prefix(&word).map(str::trim));
        found.collect::<Vec<_>>()
    };
    for base in after("FROM") {
        let name = base.split_whitespace().next().unwrap_or_default();
        complaints.extend(floating(name).map(|text| format!("Dockerfile: FROM {text}")));
    }
    match after("USER").last() {
        Some(user) if is_number_but_zero(user) => {}
        Some(user) => complaints.push(format!("Dockerfile: USER {user} is no number other than 0")),
        None => complaints.push("Dockerfile: runs as root, there is no USER".to_owned()),
    }
    if after("HEALTHCHECK").is_empty() {
        complaints.push("Dockerfile: there is no HEALTHCHECK".to_owned());
    }
    let copied: Vec<&str> = after("COPY")
        .into_iter()
        .filter(|copy| copy.contains("--from="))
        .collect();
    if copied.len() != 1 || !copied.iter().all(|copy| copy.contains("stock-tracker")) {
        complaints.push("Dockerfile: the image holds one thing that was built, the stock-tracker".to_owned());
    }
    for build in lines.iter().filter(|line| line.contains("cargo build")) {
        if !build.contains("--locked") {
            complaints
                .push("Dockerfile: cargo build without --locked builds other versions tomorrow".to_owned());
        }
    }
    complaints
}

/// The composition: fixed images, secrets as files, no rights beyond the ordinary.
#[must_use]
pub fn compose(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim().trim_start_matches("- ");
        if line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if key == "image" && !value.starts_with("stock-tracker") {
            complaints.extend(floating(value).map(|text| format!("compose.yaml:{number}: image {text}")));
        }
        let secret = [
            "PASSWORD",
            "KEY",
            "SECRET",
            "TOKEN",
            "DATABASE_URL",
            "NATS_URL",
            "SERVICE_ACCOUNT",
        ];
        if secret.iter().any(|end| key.ends_with(end)) && !value.is_empty() {
            complaints.push(format!(
                "compose.yaml:{number}: {key} is a secret: give {key}_FILE"
            ));
        }
        if key == "privileged" || key == "network_mode" {
            complaints.push(format!(
                "compose.yaml:{number}: {key} gives rights that nothing here needs"
            ));
        }
    }
    complaints
}

fn target_lines(makefile: &str) -> impl Iterator<Item = &str> {
    makefile.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        is_name && line.contains(':') && !line.contains(":=")
    })
}

/// Why an image's name does not say which image it is, if so.
fn floating(image: &str) -> Option<String> {
    let tag = image.rsplit('/').next().unwrap_or(image).split_once(':');
    match tag {
        _ if image.starts_with('$') => None,
        None => Some(format!("{image} has no tag")),
        Some((_name, "latest")) => Some(format!("{image} is another one tomorrow")),
        Some(_) => None,
    }
}

fn is_number_but_zero(user: &str) -> bool {
    user.split(':')
        .all(|part| part.parse::<u32>().is_ok_and(|number| number != 0))
}

#[cfg(test)]
mod tests;
