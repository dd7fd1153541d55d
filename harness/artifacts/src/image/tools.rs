//! The programs that hooks and probes run inside a container: the ones of this machine go into the images of a pod.
//!
//! A container of the `local` environment sees all programs of the machine. An image carries those that the scenarios name.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};

use crate::image::contents::Contents;
use crate::image::error::ImageError;
use crate::image::program::Program;

/// What scenarios run in hooks and probes. `bash` speaks to the proxy's admin port by itself.
const TOOLS: [&str; 5] = ["bash", "cat", "grep", "ls", "sleep"];

/// Adds the tools with their libraries.
pub(crate) fn add_tools(contents: &mut Contents) -> Result<(), ImageError> {
    for name in TOOLS {
        let found = find(name).ok_or(ImageError::ToolMissing { name })?;
        let tool = Program::inspect(&found)?;
        add_program(contents, &tool, &Utf8Path::new("/usr/bin").join(name));
    }
    contents.link("/usr/bin/sh".into(), "bash".into());
    Ok(())
}

/// Adds a program at a path, with its libraries where it looks for them.
pub(crate) fn add_program(contents: &mut Contents, program: &Program, path: &Utf8Path) {
    contents.copy(&program.path, path, 0o755);
    for library in &program.libraries {
        contents.copy(library, library, 0o755);
    }
}

fn find(name: &str) -> Option<Utf8PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .filter_map(|folder| Utf8PathBuf::from_path_buf(folder).ok())
        .map(|folder| folder.join(name))
        .find(|path| path.is_absolute() && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::contents::Entry;
    use harness_core::model::load::{Project, load_catalogue};

    /// What a scenario names although no image has it, on purpose.
    const ABSENT_ON_PURPOSE: &str = "/bin/no-such-sleep";

    #[test]
    fn the_images_have_every_program_that_a_scenario_names() {
        let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let catalogue = load_catalogue(&Project::at(root)).expect("the scenarios are valid");
        let mut named = 0;
        for scenario in &catalogue.scenarios {
            let stack = &scenario.spec.stack;
            for container in [&stack.agent, &stack.application, &stack.front_proxy] {
                let probed = container
                    .startup_probe
                    .iter()
                    .filter_map(|probe| probe.exec.as_ref());
                for command in probed.chain(&container.pre_stop_exec) {
                    let program = command.first().expect("a command has a program");
                    let is_there = TOOLS.contains(&program.as_str()) || program == "sh";
                    assert!(
                        is_there || program == ABSENT_ON_PURPOSE,
                        "{}: no image has `{program}`",
                        scenario.name
                    );
                    named += 1;
                }
            }
        }
        assert!(named > 0, "no scenario was looked at");
    }

    #[test]
    fn tools_come_with_the_libraries_that_they_link() {
        let mut contents = Contents::base();
        add_tools(&mut contents).expect("this machine has them");
        let has = |part: &str| {
            contents
                .entries()
                .any(|(path, _)| path.as_str().contains(part))
        };
        for name in TOOLS {
            assert!(has(&format!("usr/bin/{name}")), "{name}");
        }
        assert!(has("/libc.so"));
        for (path, entry) in contents.entries() {
            if let Entry::Copy { source, .. } = entry {
                assert!(source.is_file(), "{path}: {source}");
            }
        }
    }
}
