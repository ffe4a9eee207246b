//! `gearmand --ssl`, as this program's tools and a stranger's meet it: with certificates made for
//! the test.

mod outside;

use outside::{kill, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use storytime_real::{Listening, Running, nobodys_address};

const PATIENCE: Duration = Duration::from_secs(60);
/// More connections than handshakes that may be under way.
const CROWD: usize = 300;

/// A folder with certificates and tools, and a server that wants to see some.
struct Site {
    folder: PathBuf,
    server: Listening,
}

/// Who vouches for all of a site, or for nobody there.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

impl Site {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("gearman-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        let program = env!("CARGO_BIN_EXE_storytime");
        for tool in ["gearman", "gearadmin"] {
            symlink(program, folder.join(tool)).expect("a link to the program");
        }
        let (ours, theirs) = (authority("ours"), authority("theirs"));
        let at = nobodys_address();
        let write =
            |name: &str, text: String| fs::write(folder.join(name), text).expect("a folder");
        write("ca", ours.pem());
        write("theirs", theirs.pem());
        for (name, issuer) in [("server", &ours), ("client", &ours), ("stranger", &theirs)] {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new([at.ip().to_string()]).expect("an address");
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&key, issuer).expect("a certificate");
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        let mut gearmand = Command::new(program);
        gearmand.args(["gearmand", "-L", &at.ip().to_string(), "-p", &at.port().to_string()]);
        gearmand.args(["--config-file", "/dev/null", "-l", "none", "--ssl", "--ssl-ca-file=ca"]);
        gearmand.args(["--ssl-certificate=server.pem", "--ssl-key=server.key"]);
        gearmand.env_remove("GEARMAND_CA_CERTIFICATE");
        let server = Listening::start(gearmand.current_dir(&folder), at).expect("it serves");
        Self { folder, server }
    }

    /// A tool, with the certificate of this name if there is one.
    fn command(&self, program: &str, who: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.env("GEARMAND_CA_CERTIFICATE", "ca");
        command.env("GEARMAN_SERVER", self.server.at().to_string());
        for (variable, kind) in [("GEARMAN_CLIENT_PEM", "pem"), ("GEARMAN_CLIENT_KEY", "key")] {
            match who {
                "" => command.env_remove(variable),
                who => command.env(variable, format!("{who}.{kind}")),
            };
        }
        command
    }

    /// `gearadmin --status` as somebody.
    fn status(&self, who: &str) -> Output {
        self.status_knowing(who, "ca")
    }

    /// The same, by who knows this authority.
    fn status_knowing(&self, who: &str, authority: &str) -> Output {
        let at = self.server.at();
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        let mut command = self.command("gearadmin", who);
        command.env("GEARMAND_CA_CERTIFICATE", authority);
        command.args(["-h", &host, "-p", &port, "--status", "-S"]).output().expect("it starts")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_job_is_done_by_peers_that_show_certificates() {
    let site = Site::new("job");
    let mut worker = site.command("gearman", "client");
    worker.args(["-S", "-w", "-f", "reverse", "--", "rev"]).stdout(Stdio::null());
    let _worker = Running(worker.spawn().expect("a worker"));
    let large = "a".repeat(1 << 20) + "b";
    for job in ["hello", &large] {
        let mut client = site.command("gearman", "client");
        client.args(["-S", "-f", "reverse"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = client.spawn().expect("a client");
        let mut input = client.stdin.take().expect("it was asked for");
        let words = job.to_owned();
        let typing = std::thread::spawn(move || input.write_all(words.as_bytes()));
        let ran = client.wait_with_output().expect("it ends");
        typing.join().expect("it types").expect("it reads");
        let reversed: String = job.chars().rev().collect();
        assert!(text(&ran.stdout).trim_end() == reversed, "{} bytes", ran.stdout.len());
    }
    let at = site.server.at().to_string();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_storytime"));
    bench.current_dir(&site.folder).args(["gearman-bench", "--server", &at, "--ssl"]);
    bench.args(["--ssl-ca-file=ca", "--ssl-certificate=client.pem", "--ssl-key=client.key"]);
    bench.args(["foreground", "--jobs", "2000", "--depth", "500", "--clients", "2", "--json"]);
    let ran = bench.output().expect("it starts");
    assert!(ran.status.success(), "{}", text(&ran.stderr));
}

#[test]
fn who_shows_no_certificate_or_a_strangers_is_not_served() {
    let site = Site::new("who");
    let served = site.status("client");
    assert_eq!((served.status.code(), text(&served.stdout)), (Some(0), ".\n".to_owned()));
    for who in ["", "stranger"] {
        let refused = site.status(who);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), String::new()));
    }
    // In clear text nothing is said at all.
    let mut stream = TcpStream::connect(site.server.at()).expect("it listens");
    stream.write_all(b"status\r\n").expect("it listens");
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer);
    assert!(!text(&answer).contains(".\n"), "{}", text(&answer));
}

#[test]
fn certificates_are_read_again_when_it_is_told_to() {
    let site = Site::new("again");
    let begin = || {
        let mut command = site.command("gearman", "client");
        command.args(["-S", "-w", "-f", "reverse", "--", "rev"]).stdout(Stdio::null());
        Running(command.spawn().expect("a worker"))
    };
    let workers = || {
        let served = text(&site.status("client").stdout);
        served.lines().next().and_then(|line| line.split('\t').nth(3)).map(str::to_owned)
    };
    let _worker = begin();
    wait_until("the worker is there", || workers().as_deref() == Some("1"));
    let again = || kill(site.server.id(), "-HUP");
    // Others vouch for peers from now on, and the stranger is one of theirs.
    fs::copy(site.folder.join("ca"), site.folder.join("old")).expect("it is there");
    fs::write(site.folder.join("ca"), "nothing").expect("a folder");
    again();
    fs::copy(site.folder.join("old"), site.folder.join("server-ca")).expect("it is there");
    assert_eq!(site.status_knowing("client", "server-ca").status.code(), Some(0), "as before");
    fs::copy(site.folder.join("theirs"), site.folder.join("ca")).expect("it is there");
    again();
    wait_until("others are served", || {
        site.status_knowing("stranger", "server-ca").status.code() == Some(0)
    });
    assert_eq!(site.status_knowing("client", "server-ca").status.code(), Some(1));
    let served = text(&site.status_knowing("stranger", "server-ca").stdout);
    assert_eq!(served, "reverse\t0\t0\t1\n.\n", "the worker's connection stays");
}

#[test]
fn a_peer_that_does_not_shake_hands_is_hung_up_on() {
    let site = Site::new("silent");
    let mut silent = TcpStream::connect(site.server.at()).expect("it listens");
    // More than may shake hands at a time: who means it is served all the same.
    let connect = |_| TcpStream::connect(site.server.at()).expect("it listens");
    let crowd: Vec<TcpStream> = (0..CROWD).map(connect).collect();
    assert_eq!(site.status("client").status.code(), Some(0), "others are served");
    drop(crowd);
    silent.set_read_timeout(Some(PATIENCE)).expect("a time");
    let ended = silent.read(&mut [0]);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|why| !is_late(&why)), "it is let go");
    assert_eq!(site.status("client").status.code(), Some(0), "others are served");
}

fn is_late(why: &std::io::Error) -> bool {
    matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

#[test]
fn openssl_is_served_as_we_are_if_it_is_there() {
    let site = Site::new("openssl");
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let ask = |words: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(&site.folder).args(["s_client", "-quiet", "-verify_return_error"]);
        command.args(["-CAfile", "ca", "-connect", &site.server.at().to_string()]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Running(command.spawn().expect("it starts"));
        let mut input = child.0.stdin.take().expect("it was asked for");
        // A server that does not want to hear it has hung up.
        let _written = input.write_all(b"version\n");
        let mut said = [0; 10];
        let _read = child.0.stdout.take().expect("it was asked for").read(&mut said);
        text(&said)
    };
    let ours = ["-cert", "client.pem", "-key", "client.key"];
    assert_eq!(ask(&ours), "OK 1.1.20\n");
    assert_eq!(ask(&[&ours[..], &["-tls1_2"]].concat()), "OK 1.1.20\n");
    assert_ne!(ask(&[]), "OK 1.1.20\n", "it must show a certificate");
}

#[test]
fn files_that_are_not_there_end_it_with_words() {
    let site = Site::new("files");
    let run = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.args(["gearmand", "--config-file", "/dev/null", "-p", "0", "-L", "127.0.0.1"]);
        let command = command.current_dir(&site.folder).args(line.split(' '));
        let ran = command.env_remove("GEARMAND_CA_CERTIFICATE").output().expect("it starts");
        assert_eq!(ran.status.code(), Some(1), "{line}");
        text(&ran.stderr)
    };
    assert!(run("--ssl").contains("--ssl needs --ssl-ca-file FILE"));
    assert!(run("--ssl --ssl-ca-file ca").contains("--ssl needs --ssl-certificate FILE"));
    let nothing = run("--ssl --ssl-ca-file nothing --ssl-certificate server.pem");
    assert!(nothing.contains("no certificate can be read from nothing"), "{nothing}");
    let others = run("--ssl --ssl-ca-file ca --ssl-certificate server.pem --ssl-key client.key");
    assert!(others.contains("do not belong together"), "{others}");
    assert!(run("--ssl-key server.key").contains("nothing is encrypted"));
}
