//! The programs that hooks and probes run inside a container: the ones of this machine go into the images of a pod.
//!
//! A container of the `local` environment sees all programs of the machine. An image carries those that the scenarios name.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};

use crate::image::contents::Contents;
use crate::image::error::ImageError;
use crate::image::program::Program;

/// What scenarios run in hooks and probes. `bash` speaks to the proxy's admin port by itself.
pub const TOOLS: [&str; 5] = ["bash", "cat", "grep", "ls", "sleep"];

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

/// Adds a program at a path, with its libraries where it searches for them.
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
    use crate::image::contents::ImageEntry;

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
            if let ImageEntry::Copy { source, .. } = entry {
                assert!(source.is_file(), "{path}: {source}");
            }
        }
    }
}
