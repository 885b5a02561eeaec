//! The benchmark itself works: every row is there and every figure is a number. Nothing is said about speed.

use bench::{NAMES, Sizes};

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_run_measures_everything_it_promises() {
    let report = Box::pin(bench::run(&Sizes::quick(), true, &[])).await.unwrap();
    let names: Vec<&str> = report.rows.iter().map(|row| row.name.as_str()).collect();
    for promised in [
        "append.batch_1",
        "append.batch_100",
        "append.batch_500",
        "append.copy",
        "append.callers_1000",
        "append.over_postgres_es",
        "replay",
        "relay",
        "rebuild",
        "projector.backlog",
        "projector.live",
        "alerts.judged",
        "alerts.beside_projector",
        "latency.append_100_p50",
        "latency.append_1000_p99",
        "latency.visible_1000_p99",
        "latency.visible_1000_max",
        "request.http_p50",
        "request.limits_p50",
        "request.row_security_p50",
        "request.both_p50",
        "webhook.acknowledged_p50",
        "webhook.acknowledged_p99",
        "webhook.rate",
        "sheet.first_plan",
        "sheet.unchanged_plan",
        "sheet.changed_plan",
        "sheet.peak_memory",
        "sync.first",
        "sync.incremental",
        "sync.peak_memory",
        "fairness.slowdown",
        "memory.wildberries",
        "memory.ozon",
    ] {
        assert!(names.contains(&promised), "{promised} is not among {names:?}");
    }
    for row in &report.rows {
        let limit = row.limit.as_ref().map_or(1.0, |limit| limit.figure);
        assert!(
            row.figure.is_finite() && row.figure >= 0.0 && limit.is_finite() && limit > 0.0,
            "{row:?}"
        );
        assert!(row.ratio.is_none_or(f64::is_finite), "{row:?}");
    }
    assert!(
        report.machine.cpus > 0 && report.machine.fdatasync_ms > 0.0,
        "{:?}",
        report.machine
    );
    let table = report.table();
    assert!(names.iter().all(|name| table.contains(name)), "{table}");
}

#[tokio::test]
async fn an_unknown_name_is_refused_before_anything_starts() {
    let refused = Box::pin(bench::run(&Sizes::quick(), true, &["apend".to_owned()]))
        .await
        .unwrap_err();
    assert!(
        NAMES.iter().all(|name| refused.to_string().contains(name)),
        "{refused}"
    );
}
