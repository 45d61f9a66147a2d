//! The server under load: one that runs already, or one of our own, as a process of its own.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tidegate::operator::certs::{self, CertsError};
use tidegate::server::Processor;
use tidegate::server::identity::Scope;
use tidegate::store::Limits;

use crate::options::Options;

/// How long a server may take to open its port, and to drain.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error(transparent)]
    Certs(#[from] CertsError),
    #[error("the server ended ({status}) before it was ready; it said:\n{log}")]
    Ended { status: ExitStatus, log: String },
    #[error("the server did not come up within {} s; it said:\n{log}", PATIENCE.as_secs())]
    Slow { log: String },
    #[error("the server's port file is not what it should be: {0}")]
    PortFile(String),
    #[error("the server ended badly ({0})")]
    BadEnd(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServerError {
    move |source| ServerError::Io { what: what.into(), source }
}

/// Where the server is, and the process if it is ours.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) certs: PathBuf,
    /// The processor that it decides on and the harness keeps off.
    pub(crate) processor: Option<usize>,
    own: Option<Own>,
}

struct Own {
    child: Child,
    /// Removed with everything in it when the run is over.
    directory: tempfile::TempDir,
}

impl Server {
    /// The server of the options; one of our own is started with this bundle.
    pub(crate) fn start(options: &Options, bundle: &str) -> Result<Server, ServerError> {
        if let (Some(address), Some(certs)) = (options.server, &options.certs) {
            return Ok(Server { address, certs: certs.clone(), processor: None, own: None });
        }
        let directory = tempfile::tempdir().map_err(io_error("a temporary directory"))?;
        let path = |name: &str| directory.path().join(name);
        certs::make(&path("certs"), &Scope::All)?;
        fs::create_dir(path("programme"))
            .and_then(|()| fs::write(path("programme/programme.toml"), bundle))
            .map_err(io_error("writing the programme"))?;
        let log = File::create(path("log")).map_err(io_error("the server's log"))?;
        let processor = options.server_processor();
        let child = command(options, processor.as_ref(), directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(io_error("starting the server"))?;
        let certs = path("certs");
        // From here on whatever goes wrong takes the server with it.
        let mut own = Own { child, directory };
        let address = wait_for_port(&mut own.child, own.directory.path())?;
        // Behind the start: the server may use what this process may.
        if let Some(processor) = &processor {
            processor.keep_off().map_err(io_error("keeping off the server's processor"))?;
        }
        let processor = processor.map(|processor| processor.number());
        Ok(Server { address, certs, processor, own: Some(own) })
    }

    /// The process, if it is ours.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.own.as_ref().map(|own| own.child.id())
    }

    /// Lets our own server drain and end.
    pub(crate) fn stop(mut self) -> Result<(), ServerError> {
        let Some(own) = &mut self.own else { return Ok(()) };
        let pid = Pid::from_raw(own.child.id() as i32).expect("a child's id is above 0");
        kill_process(pid, Signal::TERM).map_err(|error| io_error("stopping the server")(error.into()))?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match own.child.try_wait().map_err(io_error("waiting for the server"))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(ServerError::BadEnd(status.to_string())),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(ServerError::BadEnd("it did not drain in time and was killed".into()))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The server's program: this very one, where no other is named.
fn command(options: &Options, processor: Option<&Processor>, directory: &Path) -> Command {
    let own = || std::env::current_exe().unwrap_or_else(|_| "load-tests".into());
    let program = options.program.clone().unwrap_or_else(own);
    let data = options.data.clone().unwrap_or_else(|| directory.join("data"));
    let mut command = Command::new(program);
    command.arg("serve").arg("--data").arg(data).arg("--certs").arg(directory.join("certs"));
    command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.arg("--programme").arg(directory.join("programme"));
    command.arg("--port-file").arg(directory.join("ports.json"));
    let (limits, members) = (Limits::default(), u64::from(options.members));
    command.arg("--max-members").arg(limits.members.max(members).to_string());
    command.arg("--max-orders").arg(limits.orders.max(members).to_string());
    if let Some(processor) = processor {
        command.arg("--processor").arg(processor.number().to_string());
    }
    command.args(&options.server_flag);
    // Huge pages for the server's heap, as docs/operating.md recommends; whoever sets the variable keeps their word.
    if std::env::var_os("GLIBC_TUNABLES").is_none() {
        command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    }
    command
}

fn wait_for_port(child: &mut Child, directory: &Path) -> Result<SocketAddr, ServerError> {
    let log = || {
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    };
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().map_err(io_error("waiting for the server"))? {
            return Err(ServerError::Ended { status, log: log() });
        }
        if let Ok(text) = fs::read_to_string(directory.join("ports.json"))
            && text.trim_end().ends_with('}')
        {
            return port(&text).ok_or(ServerError::PortFile(text));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(ServerError::Slow { log: log() })
}

fn port(text: &str) -> Option<SocketAddr> {
    let ports: serde_json::Value = serde_json::from_str(text).ok()?;
    ports["quic"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_file_names_the_address() {
        assert_eq!(port(r#"{"quic":"127.0.0.1:4433","http":"127.0.0.1:8080"}"#), "127.0.0.1:4433".parse().ok());
        assert_eq!(port(r#"{"http":"127.0.0.1:8080"}"#), None);
        assert_eq!(port("{"), None);
    }
}
