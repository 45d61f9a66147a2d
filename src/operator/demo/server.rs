//! The demo's server: a process of its own, killed and started again, and gone with the demo however that ends.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Trouble;

/// How long a server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    lines: PathBuf,
}

impl Server {
    /// Starts `tidegate serve` on the demo's directory and waits until it is ready.
    pub async fn start(directory: &Path, bundles: &[PathBuf], listen: SocketAddr) -> Result<Server, Trouble> {
        let (ports, lines) = (directory.join("ports.json"), directory.join("server.log"));
        let _ = std::fs::remove_file(&ports);
        let file = File::create(&lines).map_err(Trouble::file(&lines))?;
        let mut command =
            Command::new(std::env::current_exe().map_err(Trouble::file(Path::new("the running binary")))?);
        command.arg("serve").arg("--log-json").arg("--port-file").arg(&ports);
        command.arg("--data").arg(directory.join("data")).arg("--certs").arg(directory.join("certs"));
        command.args(["--listen", &listen.to_string(), "--http", "127.0.0.1:0"]);
        for bundle in bundles {
            command.arg("--programme").arg(bundle);
        }
        // What the viewer's environment says of log lines must not hide what the demo reads from them.
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().map_err(Trouble::file(Path::new("tidegate serve")))?;
        let mut server = Server { child, address: listen, lines };
        server.ready(&ports).await?;
        Ok(server)
    }

    async fn ready(&mut self, ports: &Path) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            let read = std::fs::read_to_string(ports).ok();
            let told = read.and_then(|text| serde_json::from_str::<Value>(&text).ok());
            if let Some(address) = told.and_then(|told| told["quic"].as_str()?.parse().ok()) {
                self.address = address;
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(Trouble::file(Path::new("tidegate serve")))?;
            if let Some(status) = ended {
                return Err(Trouble::Server(format!("it ended with {status}:\n{}", self.log())));
            }
            if began.elapsed() > PATIENCE {
                return Err(Trouble::Server(format!("it is not ready after {PATIENCE:?}:\n{}", self.log())));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would: SIGKILL.
    pub fn kill(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to drain and end: SIGTERM.
    pub async fn drain(&mut self) -> Result<ExitStatus, Trouble> {
        let failed = |error: std::io::Error| Trouble::Server(format!("it cannot be ended: {error}"));
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).map_err(|error| failed(error.into()))?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(Trouble::Server(format!("it has not ended {PATIENCE:?} after SIGTERM:\n{}", self.log())))
    }

    /// The fields of its log line with this message, if it wrote one.
    pub fn said(&self, message: &str) -> Option<Value> {
        let lines = self.log();
        let fields = lines.lines().filter_map(|line| Some(serde_json::from_str::<Value>(line).ok()?["fields"].clone()));
        fields.into_iter().find(|fields| fields["message"].as_str().is_some_and(|said| said.starts_with(message)))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.lines).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
