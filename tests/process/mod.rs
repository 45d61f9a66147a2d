//! A real server, a process of its own, for tests that kill it, stop it, and ask it over QUIC.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate::operator::certs;
use tidegate::store::Scope;
use tidegate_client::{Client, ClientOptions, client_config};

/// A directory with certificates and bundles, and where its servers listen, one after the other.
pub struct Site {
    directory: TempDir,
    address: SocketAddr,
}

impl Site {
    /// Makes certificates and writes each bundle text into a folder of its own.
    pub fn new(bundles: &[&str]) -> Site {
        let directory = tempfile::tempdir().unwrap();
        certs::make(&directory.path().join("certs"), &Scope::All).unwrap();
        for (at, text) in bundles.iter().enumerate() {
            let folder = directory.path().join(format!("bundle-{at}"));
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("programme.toml"), text).unwrap();
        }
        // A port that is free now; the server takes it again after every restart, so that clients find it.
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Site { directory, address }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn bundles(&self) -> Vec<PathBuf> {
        let folders = (0..).map(|at| self.path().join(format!("bundle-{at}")));
        folders.take_while(|folder| folder.is_dir()).collect()
    }

    /// Starts a server and waits until it is ready.
    pub fn serve(&self, more: &[&str]) -> Server {
        let ports = self.path().join("ports.json");
        let _ = std::fs::remove_file(&ports);
        let log = std::fs::File::create(self.path().join("server.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("serve").arg("--data").arg(self.path().join("data"));
        command.arg("--certs").arg(self.path().join("certs")).arg("--port-file").arg(&ports);
        command.args(["--listen", &self.address.to_string(), "--http", "127.0.0.1:0"]).args(more);
        for bundle in self.bundles() {
            command.arg("--programme").arg(bundle);
        }
        let child = command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut server = Server(child.unwrap());
        let began = Instant::now();
        while !ports.exists() {
            let log = || std::fs::read_to_string(self.path().join("server.log")).unwrap_or_default();
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended:\n{}", log());
            assert!(began.elapsed() < Duration::from_secs(60), "the server is not ready after a minute:\n{}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Connects with one of the certificates.
    pub async fn client(&self, identity: &str) -> Client {
        let tls = client_config(&self.path().join("certs"), identity).unwrap();
        Client::connect(ClientOptions::new(vec![self.address], "localhost", tls)).await.unwrap()
    }
}

/// A server process; killed when it is dropped.
pub struct Server(Child);

impl Server {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
