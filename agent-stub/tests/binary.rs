//! The agent as a process: what it refuses, with which exit code and line, and how it stops.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use tempfile::TempDir;

const SECRET: &str = "s3cr3t-value";
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary with complete settings, all of whose files are in `directory`.
fn agent(directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-stub"));
    command
        .env_clear()
        .env("SIGSCI_ACCESSKEYID", "id")
        .env("SIGSCI_SECRETACCESSKEY", SECRET)
        .env("SIGSCI_ENVOY_GRPC_ADDRESS", "127.0.0.1:0")
        .env("SIGSCI_RPC_ADDRESS", directory.path().join("sigsci.sock"))
        .env("SIGSCI_SHARED_CACHE_DIR", directory.path().join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn refused(command: &mut Command) -> (Option<i32>, String) {
    let child = command.spawn().expect("the binary runs");
    let Output {
        status,
        stdout,
        stderr,
    } = finish(child);
    let line = String::from_utf8(stderr).expect("text");
    assert_eq!(
        String::from_utf8_lossy(&stdout),
        "",
        "nothing but data goes to the standard output"
    );
    assert_eq!(line.lines().count(), 1, "one line: {line}");
    assert!(line.starts_with("agent-stub: "), "{line}");
    assert!(!line.contains(SECRET), "{line}");
    (status.code(), line)
}

fn finish(mut child: Child) -> Output {
    let status = await_exit(&mut child);
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    child
        .stdout
        .take()
        .expect("piped")
        .read_to_end(&mut stdout)
        .expect("readable");
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_end(&mut stderr)
        .expect("readable");
    Output {
        status,
        stdout,
        stderr,
    }
}

fn await_exit(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return status;
        }
        if Instant::now() > end {
            child.kill().expect("our child");
            panic!("the agent did not exit within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn await_path(path: &Path) {
    let end = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < end, "{} never appeared", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[rstest]
#[case("SIGSCI_ACCESSKEYID")]
#[case("SIGSCI_SECRETACCESSKEY")]
#[case("SIGSCI_ENVOY_GRPC_ADDRESS")]
fn a_missing_or_empty_required_variable_ends_the_start_by_name(#[case] variable: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    for command in [
        agent(&directory).env_remove(variable),
        agent(&directory).env(variable, ""),
    ] {
        let (code, line) = refused(command);
        assert_eq!(code, Some(2), "{line}");
        assert!(line.contains(variable), "{line}");
    }
    assert!(
        !directory.path().join("cache").exists(),
        "nothing was touched"
    );
}

#[rstest]
#[case("STUB_MODE", "blocking")]
#[case("STUB_BLOCK_CODE", "200")]
#[case("STUB_BLOCK_CODE", "302")]
#[case("SIGSCI_CONTEXT_EXPIRATION", "soon")]
#[case("STUB_BLOCKING", "sometimes")]
#[case("STUB_THRESHOLD", "0")]
#[case("STUB_FAULTS", "yes please")]
#[case("SIGSCI_ENVOY_GRPC_CERT", "/etc/tls.crt")]
fn a_bad_setting_ends_the_start(#[case] variable: &str, #[case] value: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, line) = refused(agent(&directory).env(variable, value));
    assert_eq!(code, Some(2), "{line}");
    assert!(
        line.contains(if value == "302" {
            "STUB_REDIRECT_URL"
        } else {
            variable
        }),
        "{line}"
    );
}

#[test]
fn an_unknown_flag_ends_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, line) = refused(agent(&directory).arg("--no-such-option"));
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("--no-such-option"), "{line}");
}

#[test]
fn the_secret_key_is_not_taken_from_the_command_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, line) = refused(agent(&directory).arg(format!("--secretaccesskey={SECRET}")));
    assert_eq!(code, Some(2), "{line}");
}

#[test]
fn an_address_in_use_ends_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    for variable in ["SIGSCI_ENVOY_GRPC_ADDRESS", "SIGSCI_STARTUP_PROBE_LISTENER"] {
        let (code, line) = refused(agent(&directory).env(variable, &address));
        assert_eq!(code, Some(1), "{line}");
        assert!(
            line.contains(&format!("cannot listen on {address}")),
            "{line}"
        );
    }
}

#[rstest]
#[case("SIGSCI_RPC_ADDRESS", "file/sigsci.sock")]
#[case("SIGSCI_SHARED_CACHE_DIR", "file/cache")]
#[case("SIGSCI_STARTUP_PROBE_FILEPATH", "file/started")]
#[case("SIGSCI_WAF_DATA_LOG", "file/waf.log")]
#[case("SIGSCI_WAF_DATA_LOG", "missing/waf.log")]
fn a_place_that_cannot_be_written_ends_the_start(#[case] variable: &str, #[case] place: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    // A file in the directory's place, because the tests may run as root, whom permissions do not stop.
    std::fs::write(directory.path().join("file"), b"").expect("writable");
    let (code, line) = refused(agent(&directory).env(variable, directory.path().join(place)));
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("cannot "), "{line}");
}

#[test]
fn an_unreadable_or_foreign_tls_file_ends_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let certificate = directory.path().join("tls.crt");
    let key = directory.path().join("tls.key");
    std::fs::write(&certificate, "no certificate").expect("writable");
    std::fs::write(&key, "no key").expect("writable");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let (code, line) = refused(
        agent(&directory)
            .env("SIGSCI_ENVOY_GRPC_CERT", &certificate)
            .env("SIGSCI_ENVOY_GRPC_KEY", &key),
    );
    assert_eq!(code, Some(1), "{line}");
    let missing = directory.path().join("missing.crt");
    let (code, line) = refused(
        agent(&directory)
            .env("SIGSCI_ENVOY_GRPC_CERT", &missing)
            .env("SIGSCI_ENVOY_GRPC_KEY", &key),
    );
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("missing.crt"), "{line}");
}

#[rstest]
#[case(Signal::SIGTERM)]
#[case(Signal::SIGINT)]
fn a_signal_ends_the_agent_with_success_and_without_its_socket(#[case] signal: Signal) {
    let directory = tempfile::tempdir().expect("a directory");
    let started = directory.path().join("started");
    let child = agent(&directory)
        .env("SIGSCI_STARTUP_PROBE_FILEPATH", &started)
        .env("SIGSCI_MAX_PROCS", "1")
        .spawn()
        .expect("the binary runs");
    await_path(&started);
    let socket = directory.path().join("sigsci.sock");
    assert!(socket.exists());
    let id = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(id), signal).expect("our child");
    let Output {
        status,
        stdout,
        stderr,
    } = finish(child);
    let log = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stdout.is_empty());
    assert!(log.contains("rules loaded"), "{log}");
    assert_eq!(log.matches("SIGSCI_MAX_PROCS").count(), 1, "{log}");
    assert!(!log.contains(SECRET), "{log}");
    assert!(!socket.exists(), "the socket is removed");
}

#[test]
fn a_hang_up_reads_the_rules_again_and_a_bad_file_costs_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let started = directory.path().join("started");
    let rules = directory.path().join("rules.json");
    std::fs::write(&rules, "{}").expect("writable");
    let mut child = agent(&directory)
        .env("SIGSCI_STARTUP_PROBE_FILEPATH", &started)
        .env("STUB_RULES_FILE", &rules)
        .spawn()
        .expect("the binary runs");
    await_path(&started);
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let mut log = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut await_line = |wanted: &str| {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            let length = std::io::BufRead::read_line(&mut log, &mut line).expect("readable");
            assert!(length > 0, "the log ended without {wanted:?}");
        }
        line
    };
    kill(id, Signal::SIGHUP).expect("our child");
    await_line("rules reloaded");
    std::fs::write(&rules, r#"{"mode":"sometimes"}"#).expect("writable");
    kill(id, Signal::SIGHUP).expect("our child");
    let line = await_line("the old rules still hold");
    assert!(
        line.contains("rules.json") && line.contains("sometimes"),
        "{line}"
    );
    kill(id, Signal::SIGTERM).expect("our child");
    await_line("stopped");
    assert_eq!(await_exit(&mut child).code(), Some(0));
}

#[test]
fn the_version_names_the_agent() {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-stub"))
        .arg("--version")
        .output()
        .expect("runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("agent-stub {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(output.status.success());
}

#[test]
fn the_usage_needs_no_settings_and_shows_no_values() {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-stub"))
        .arg("--usage")
        .env("SIGSCI_ACCESSKEYID", "some-access-key")
        .env("SIGSCI_SECRETACCESSKEY", SECRET)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        text.contains("--context-expiration\tSIGSCI_CONTEXT_EXPIRATION\t10s"),
        "{text}"
    );
    assert!(
        !text.contains(SECRET) && !text.contains("some-access-key"),
        "{text}"
    );
}

#[test]
fn a_stopped_agent_leaves_its_port_free() {
    let directory = tempfile::tempdir().expect("a directory");
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("bound")
        .port();
    let started = directory.path().join("started");
    let child = agent(&directory)
        .env("SIGSCI_ENVOY_GRPC_ADDRESS", format!("127.0.0.1:{port}"))
        .env("SIGSCI_STARTUP_PROBE_FILEPATH", &started)
        .spawn()
        .expect("the binary runs");
    await_path(&started);
    drop(TcpStream::connect(("127.0.0.1", port)).expect("listening"));
    kill(
        Pid::from_raw(i32::try_from(child.id()).expect("a process id")),
        Signal::SIGTERM,
    )
    .expect("our child");
    assert_eq!(finish(child).status.code(), Some(0));
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "the listener is closed"
    );
}
