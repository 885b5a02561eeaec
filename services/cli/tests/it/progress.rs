//! What `migrate`, `nats apply` and `rebuild` tell of how far they are.

use serde_json::Value;

use crate::installed::Installed;

fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_tell_how_far_they_are_in_lines_and_in_json() {
    let at = Installed::empty().await;
    let ran = at.run(&["migrate", "--json"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let told = lines(&ran.out);
    let (outcome, steps) = told.split_last().unwrap();
    let applied = outcome["applied"].as_array().unwrap().len();
    let last = steps.last().unwrap();
    assert_eq!(
        (&last["done"], &last["total"]),
        (&applied.into(), &applied.into())
    );
    assert!(steps.iter().all(|step| step["tool"] == "migrate"), "{told:?}");

    let ran = at.run(&["nats", "apply"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said.contains("nats apply: 11 of 11 streams and consumers"),
        "{}",
        ran.said
    );
    assert_eq!(ran.out, "");
    let ran = at.run(&["nats", "apply", "--json"], &[]);
    assert_eq!(lines(&ran.out).last().unwrap()["created"], serde_json::json!([]));

    let ran = at.run(&["rebuild", "all", "--json"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let told = lines(&ran.out);
    let rebuilt: Vec<_> = told
        .iter()
        .filter_map(|line| line["projection"].as_str())
        .collect();
    assert_eq!(rebuilt, ["inventory", "operations"]);
}
