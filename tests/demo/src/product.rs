//! The product as a child process: started with an own PostgreSQL and NATS, its log in a file, stopped in
//! order.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::world::World;
use crate::{Arguments, Failure};

/// How long it may take to come up, a first database cluster included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the product is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    http_port: u16,
    metrics_port: u16,
    log: PathBuf,
}

/// The running product.
pub(crate) struct Product {
    child: Child,
    place: Place,
}

/// The wanted port, or a free one when somebody has it.
pub(crate) fn free_port(wanted: u16) -> u16 {
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    match is_free(wanted) {
        Ok(_) => wanted,
        Err(_taken) => {
            let chosen = is_free(0).map_or(wanted, |address| address.port());
            println!("port {wanted} is taken; using {chosen}");
            chosen
        }
    }
}

impl Place {
    pub(crate) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    pub(crate) fn metrics(&self) -> String {
        format!("http://127.0.0.1:{}", self.metrics_port)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until the API says that it is ready, with a line about it every few seconds.
    pub(crate) async fn wait_ready(&self) -> Result<(), Failure> {
        let address = format!("{}/api/v1/health/ready", self.api());
        let began = tokio::time::Instant::now();
        let mut told = 0;
        while began.elapsed() < PATIENCE {
            if let Ok(answer) = crate::client::plain().get(&address).send().await
                && answer.status().is_success()
            {
                println!("ready after {:.1} s", began.elapsed().as_secs_f64());
                return Ok(());
            }
            let seconds = began.elapsed().as_secs();
            if seconds >= told + 5 {
                told = seconds;
                println!("waiting for the product … {seconds} s");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(format!(
            "the product was not ready after {} s; see {}",
            PATIENCE.as_secs(),
            self.log.display()
        )
        .into())
    }
}

impl Product {
    pub(crate) async fn start(arguments: &Arguments, world: &World, http_port: u16) -> Result<Self, Failure> {
        let metrics_port = free_port(9464);
        let log = arguments.data_dir.join("stock-tracker.log");
        let output = File::create(&log)?;
        println!("starting the product (log: {}) …", log.display());
        let child = Command::new(&arguments.stock_tracker)
            .args(["all", "--embedded"])
            .envs(world.settings())
            .env("ST_DATA_DIR", &arguments.data_dir)
            .env("ST_HTTP_ADDR", format!("127.0.0.1:{http_port}"))
            .env("ST_METRICS_ADDR", format!("127.0.0.1:{metrics_port}"))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A terminal's Ctrl-C reaches us; we pass it on when we are ready for the product's end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", arguments.stock_tracker.display()))?;
        Ok(Self {
            child,
            place: Place {
                http_port,
                metrics_port,
                log,
            },
        })
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Resolves when the product has ended by itself, which it should not.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!(
                "{status}; see {}{}",
                self.place.log.display(),
                self.last_words(status)
            ),
            Err(error) => error.to_string(),
        }
    }

    fn last_words(&self, _status: ExitStatus) -> String {
        let log = std::fs::read_to_string(&self.place.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines
            .into_iter()
            .rev()
            .map(|line| format!("\n    {line}"))
            .collect()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            let asked = Command::new("kill")
                .args(["-INT", &pid.to_string()])
                .status()
                .await;
            if asked.is_ok_and(|status| status.success()) {
                match tokio::time::timeout(Duration::from_secs(45), self.child.wait()).await {
                    Ok(Ok(status)) => println!("the product stopped: {status}"),
                    _ => println!("the product did not stop in time and is killed"),
                }
            }
        }
    }
}
