//! Tests of [`super`]: what is read of and done to a real process.

use std::process::{Child, Command};

use super::*;
use crate::ContainerFault;
use harness_core::model::file_kind::FileKind;

/// A process of the test stands for a container that shares the test's mount namespace, so that the work inside can be done here.
struct ProcessAsContainer {
    process: Child,
    folder: tempfile::TempDir,
}

impl ProcessAsContainer {
    fn start() -> Self {
        Self {
            process: Command::new("sleep").arg("60").spawn().expect("it starts"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn inspect(&self, request: InspectionRequest) -> io::Result<InspectionAnswer> {
        match begin_inspection(request, self)? {
            Inspection::Answered(answer) => Ok(answer),
            Inspection::Inside(work) => work.carry_out().map_err(io::Error::from),
        }
    }

    fn state(&self) -> char {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.expect("it was not waited for");
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        fields.chars().next().expect("a state")
    }

    fn await_state(&self, wanted: char) {
        let begun = std::time::Instant::now();
        while self.state() != wanted {
            assert!(
                begun.elapsed() < std::time::Duration::from_secs(10),
                "the process is `{}`, not `{wanted}`",
                self.state()
            );
            std::thread::yield_now();
        }
    }
}

impl InspectedContainer for ProcessAsContainer {
    fn first_process(&self) -> i32 {
        self.process.id().try_into().expect("a process id fits")
    }

    fn processes(&self) -> Vec<i32> {
        vec![self.first_process()]
    }

    fn file_search(&self, mounts: &str, _access: MountAccess) -> io::Result<FileSearch> {
        assert!(mounts.contains(" / "), "{mounts}");
        Ok(FileSearch {
            writable_mounts: BTreeMap::from([(self.path(""), Some("scratch".into()))]),
            folders: vec![self.path("walked")],
            provided: BTreeSet::from([self.path("walked/provided")]),
            added: BTreeSet::from([self.path("added"), self.path("gone")]),
        })
    }
}

impl Drop for ProcessAsContainer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn files_are_those_of_the_search_and_nothing_that_is_gone_or_provided() {
    let container = ProcessAsContainer::start();
    fs_err::create_dir_all(container.path("walked/folder")).expect("writable");
    for name in ["walked/folder/own", "walked/provided", "added", "elsewhere"] {
        fs_err::write(container.path(name), "12345").expect("writable");
    }
    let answer = container.inspect(InspectionRequest::Files);
    let view = answer.and_then(|answer| answer.into_files().map_err(io::Error::other));
    let view = view.expect("a view");
    assert_eq!(
        view.writable_mounts,
        BTreeMap::from([(container.path(""), Some("scratch".into()))])
    );
    let files: Vec<_> = view
        .files
        .iter()
        .map(|(path, entry)| (path.as_str(), entry.kind, entry.size))
        .collect();
    assert_eq!(
        files,
        [
            (container.path("added").as_str(), FileKind::File, 5),
            (
                container.path("walked/folder").as_str(),
                FileKind::Directory,
                0
            ),
            (
                container.path("walked/folder/own").as_str(),
                FileKind::File,
                5
            ),
        ]
    );
}

#[test]
fn a_file_is_changed_read_to_its_limit_and_removed_and_a_link_is_not_followed() {
    let container = ProcessAsContainer::start();
    let path = container.path("settings");
    let change = |change| {
        let path = path.clone();
        container.inspect(InspectionRequest::ChangeFile { path, change })
    };
    let read = |path: &str| {
        let path = path.to_owned();
        let answer = container.inspect(InspectionRequest::ReadFile { path, limit: 3 })?;
        answer.into_content().map_err(io::Error::other)
    };
    change(FileChange::Write("12345".into())).expect("changed");
    assert_eq!(read(&path).expect("content"), b"123");
    std::os::unix::fs::symlink(&path, container.path("link")).expect("writable");
    assert!(read(&container.path("link")).is_err());
    let error = read(&container.path("")).expect_err("a folder");
    assert_eq!(error.to_string(), "it is not a plain file");
    change(FileChange::Remove).expect("removed");
    let error = read(&path).expect_err("it is gone");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_container_is_paused_resumed_and_killed() {
    let container = ProcessAsContainer::start();
    let inject = |fault| {
        let answer = container.inspect(InspectionRequest::Inject(fault));
        answer.expect("injected").into_moment().expect("a moment")
    };
    let before = Timestamp::now();
    let at = inject(ContainerFault::Pause);
    assert!((before..=Timestamp::now()).contains(&at), "{at}");
    container.await_state('T');
    inject(ContainerFault::Resume);
    container.await_state('S');
    inject(ContainerFault::Kill);
    container.await_state('Z');
}

#[test]
fn command_lines_are_those_of_the_containers_processes() {
    let container = ProcessAsContainer::start();
    // It has executed its program.
    container.await_state('S');
    let answer = container.inspect(InspectionRequest::CommandLines);
    let lines = answer.expect("an answer").into_command_lines();
    assert_eq!(lines.expect("command lines"), ["sleep 60"]);
}
