//! A real `tidegate serve` on a directory of its own.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate::operator::certs;
use tidegate::server::identity::Scope;
use tidegate_client::{CallOptions, Client, ClientOptions, client_config};
use tidegate_protocol::operation::{CheckIn, Enrol, GetMember};
use tidegate_protocol::{Body, MemberKey, code::answer};

/// A hang shows as a failure, not as a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A free port.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub fn shipped(slug: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes").join(slug)
}

/// A place with certificates, for a server to live in.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        certs::make(&home.certs(), &Scope::All).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn certs(&self) -> PathBuf {
        self.path().join("certs")
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A programme file of this text, as a bundle.
    pub fn bundle(&self, text: &str) -> PathBuf {
        let folder = self.path().join("bundle");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("programme.toml"), text).unwrap();
        folder
    }

    fn serve(&self, listen: SocketAddr) -> Command {
        let mut command = tidegate(&["serve", "--listen", &listen.to_string(), "--http", "127.0.0.1:0"]);
        command.arg("--data").arg(self.data()).arg("--certs").arg(self.certs()).env_remove("RUST_LOG");
        command
    }

    /// Starts a server that must come up, with the programme of daily check-ins.
    pub fn start(&self, more: &[&str]) -> Server {
        self.start_at(ANY, more)
    }

    /// The same, at an address.
    pub fn start_at(&self, listen: SocketAddr, more: &[&str]) -> Server {
        let (ports, lines) = (self.path().join("ports.json"), self.path().join("server.log"));
        let _ = std::fs::remove_file(&ports);
        let mut command = self.serve(listen);
        command.arg("--programme").arg(shipped("check-in")).arg("--port-file").arg(&ports).args(more);
        let child = command.stdout(Stdio::null()).stderr(File::create(&lines).unwrap()).spawn().unwrap();
        let mut server = Server { child, address: listen, certs: self.certs() };
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(&ports) {
                let told: serde_json::Value = serde_json::from_str(&text).unwrap();
                server.address = told["quic"].as_str().unwrap().parse().unwrap();
                return server;
            }
            let log = || std::fs::read_to_string(&lines).unwrap();
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended: {}", log());
            assert!(began.elapsed() < PATIENCE, "the server is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a server that must refuse to come up; gives what it says.
    pub fn refused(&self, more: &[&str]) -> String {
        let output = within_patience(self.serve(ANY).args(more));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The binary with these arguments.
pub fn tidegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
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

/// A running server; killed with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    certs: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub async fn client(&self, identity: &str) -> Client {
        Client::connect(self.options(&self.certs, identity)).await.unwrap()
    }

    /// How to connect with the certificates of a directory.
    pub fn options(&self, certs: &Path, identity: &str) -> ClientOptions {
        ClientOptions::new(vec![self.address], "localhost", client_config(certs, identity).unwrap())
    }

    /// A command's output against this server.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = tidegate(arguments);
        command.args(["--server", &self.address.to_string(), "--certs"]).arg(&self.certs);
        within_patience(&mut command)
    }

    /// A member with something to lose.
    pub async fn enrol(&self, number: u64) {
        let client = self.client("gateway").await;
        let (programme, member) = (client.programme("check-in").unwrap(), MemberKey::from_number(number));
        let enrolled = client.enrol(programme, Enrol { member }, CallOptions::default()).await.unwrap();
        assert_eq!(enrolled.code, answer::ENROLLED);
        let checked_in = client.check_in(programme, CheckIn { member }, CallOptions::default()).await.unwrap();
        assert_eq!(checked_in.code, answer::CHECKED_IN);
    }

    /// The server is alive, takes changes, and still has what the member had.
    pub async fn is_well(&self, number: u64) {
        let client = self.client("gateway").await;
        let (programme, member) = (client.programme("check-in").unwrap(), MemberKey::from_number(number));
        let answer = client.get_member(programme, GetMember { member }, CallOptions::default()).await.unwrap();
        let Body::MemberView(view) = answer.body else { panic!("{answer:?}") };
        assert_eq!((view.balance, view.streak), (1, 1));
        let fresh = Enrol { member: MemberKey(uuid::Uuid::new_v4().into_bytes()) };
        let enrolled = client.enrol(programme, fresh, CallOptions::default()).await.unwrap();
        assert_eq!(enrolled.code, answer::ENROLLED);
    }
}
