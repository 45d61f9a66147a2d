//! A real server, a process of its own, for tests that kill it, stop it, and ask it over QUIC.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidegate::operator::certs;
use tidegate::store::Scope;
use tidegate_client::{Client, ClientOptions, client_config};

/// A hang shows as a failure, not as a wait.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A bundle that comes with the program.
pub fn shipped(slug: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes").join(slug)
}

/// A directory with certificates, bundles and data, and where its servers listen, one after the other.
pub struct Site {
    directory: TempDir,
    address: SocketAddr,
    programmes: Vec<PathBuf>,
    /// What to write before the program when a server is started: where it shall see another world than we do.
    pub before: Vec<String>,
}

impl Site {
    /// Makes certificates; servers start with these bundles.
    pub fn new(programmes: &[PathBuf]) -> Site {
        let directory = tempfile::tempdir().unwrap();
        certs::make(&directory.path().join("certs"), &Scope::All).unwrap();
        Site { directory, address: free_address(), programmes: programmes.to_vec(), before: Vec::new() }
    }

    /// The same, with bundles of these texts.
    pub fn with(texts: &[&str]) -> Site {
        let mut site = Site::new(&[]);
        site.programmes =
            texts.iter().enumerate().map(|(at, text)| site.bundle(&format!("bundle-{at}"), text)).collect();
        site
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn certs(&self) -> PathBuf {
        self.path().join("certs")
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a programme file of this text, as a bundle.
    pub fn bundle(&self, folder: &str, text: &str) -> PathBuf {
        let folder = self.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("programme.toml"), text).unwrap();
        folder
    }

    /// A server of the site that is to be started, with these flags besides.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = match self.before.split_first() {
            None => Command::new(program()),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program());
                command
            }
        };
        command.args(["serve", "--listen", &self.address.to_string(), "--http", "127.0.0.1:0"]);
        command.arg("--data").arg(self.data()).arg("--certs").arg(self.certs()).args(more).env_remove("RUST_LOG");
        command
    }

    /// Starts a server and waits until it is ready.
    pub fn serve(&self, more: &[&str]) -> Server {
        let (ports, lines) = (self.path().join("ports.json"), self.path().join("server.log"));
        let _ = std::fs::remove_file(&ports);
        let mut command = self.command(more);
        command.arg("--port-file").arg(&ports);
        for programme in &self.programmes {
            command.arg("--programme").arg(programme);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&lines).unwrap()).spawn();
        let mut server = Server { child: child.unwrap(), address: self.address, certs: self.certs() };
        let began = Instant::now();
        while !ports.exists() {
            let log = || std::fs::read_to_string(&lines).unwrap_or_default();
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended:\n{}", log());
            assert!(began.elapsed() < PATIENCE, "the server is not ready:\n{}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts a server that must refuse to come up; gives what it says.
    pub fn refused(&self, more: &[&str]) -> String {
        let output = within_patience(&mut self.command(more));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Connects with one of the certificates.
    pub async fn client(&self, identity: &str) -> Client {
        Client::connect(options(self.address, &self.certs(), identity)).await.unwrap()
    }
}

/// An address that is free now. A server takes it again after every restart, so that clients find it; therefore its port
/// is none of those that the system gives to whoever asks for any.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let from = std::process::id() as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7);
        let port = 12_000 + from.wrapping_mul(97).wrapping_add(step) % 20_000;
        if let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) {
            return socket.local_addr().unwrap();
        }
    }
}

/// The binary: the one that was built for the tests of its own package, else the one beside this program.
pub fn program() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_tidegate") {
        Some(path) => path.into(),
        None => std::env::current_exe().unwrap().with_file_name("tidegate"),
    }
}

/// The binary with these arguments.
pub fn tidegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments);
    command
}

/// Runs a command to its end.
pub fn within_patience(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn options(address: SocketAddr, certs: &Path, identity: &str) -> ClientOptions {
    ClientOptions::new(vec![address], "localhost", client_config(certs, identity).unwrap())
}

/// A server process; killed when it is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    certs: PathBuf,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end, which it was told to come to.
    pub fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Bytes of memory that it has now.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    pub async fn client(&self, identity: &str) -> Client {
        Client::connect(self.options(&self.certs, identity)).await.unwrap()
    }

    /// How to connect with the certificates of a directory.
    pub fn options(&self, certs: &Path, identity: &str) -> ClientOptions {
        options(self.address, certs, identity)
    }

    /// A command's output against this server.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = tidegate(arguments);
        command.args(["--server", &self.address.to_string(), "--certs"]).arg(&self.certs);
        within_patience(&mut command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
