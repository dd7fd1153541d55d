//! A program of this machine: which processor it is for, which loader it asks for, and which libraries that loader finds.

use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::executable::bounded_command::{Bounds, Group, Kept, printable, run_bounded};
use crate::image::error::ImageError;

/// The bounds of the loader's answer.
const LOADER_BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(30),
    output: 64 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

/// The longest path of a loader.
const LONGEST_PATH: u64 = 4096;

/// What glibc loads by name while a program runs, from where it lies itself: what looks up names before 2.34, and what unwinds
/// a thread that is cancelled.
const LOADED_LATER: [&str; 4] = [
    "libgcc_s.so.1",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libresolv.so.2",
];

/// A processor that images are made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Architecture {
    /// `aarch64`.
    Arm64,
    /// `x86_64`.
    Amd64,
}

impl Architecture {
    /// Returns what image configurations call it.
    pub(crate) const fn oci_name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A program with what it needs to start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Program {
    /// The file.
    pub(crate) path: Utf8PathBuf,
    /// The processor.
    pub(crate) architecture: Architecture,
    /// The loader and the libraries by the paths at which the program searches for them; none for a static program.
    pub(crate) libraries: Vec<Utf8PathBuf>,
}

impl Program {
    /// Reads a program's headers and asks its loader for the libraries. The program itself is not run.
    pub(crate) fn inspect(path: &Utf8Path) -> Result<Self, ImageError> {
        let path = path.canonicalize_utf8().map_err(|source| ImageError::Io {
            action: format!("find `{path}`"),
            source,
        })?;
        let headers = Headers::read(&path)?;
        let libraries = match headers.loader {
            Some(loader) => libraries_of(&path, &loader)?,
            None => Vec::new(),
        };
        Ok(Self {
            path,
            architecture: headers.architecture,
            libraries,
        })
    }
}

/// What the file itself says.
#[derive(Debug)]
struct Headers {
    architecture: Architecture,
    loader: Option<Utf8PathBuf>,
}

impl Headers {
    fn read(path: &Utf8Path) -> Result<Self, ImageError> {
        let file = std::fs::File::open(path).map_err(|source| ImageError::Io {
            action: format!("read `{path}`"),
            source,
        })?;
        let refused = |reason: String| ImageError::NotAProgram {
            path: path.to_owned(),
            reason,
        };
        let malformed = |error: object::read::Error| refused(error.to_string());
        // The headers are a few hundred bytes of what may be a hundred megabytes.
        let data = object::ReadCache::new(file);
        let header = FileHeader64::<Endianness>::parse(&data).map_err(malformed)?;
        let endian = header.endian().map_err(malformed)?;
        if ![elf::ET_DYN, elf::ET_EXEC].contains(&header.e_type(endian)) {
            return Err(refused("it is no executable".into()));
        }
        let architecture = match header.e_machine(endian) {
            elf::EM_X86_64 => Architecture::Amd64,
            elf::EM_AARCH64 => Architecture::Arm64,
            other => {
                return Err(refused(format!(
                    "it is for a processor with the number {other}"
                )));
            }
        };
        let mut loader = None;
        for segment in header.program_headers(endian, &data).map_err(malformed)? {
            if segment.p_type(endian) == elf::PT_INTERP && segment.p_filesz(endian) > LONGEST_PATH {
                return Err(refused("the path of its loader is too long".into()));
            }
            if let Some(bytes) = segment.interpreter(endian, &data).map_err(malformed)? {
                let text = std::str::from_utf8(bytes)
                    .ok()
                    .filter(|text| text.starts_with('/'))
                    .ok_or_else(|| refused("the path of its loader is none".into()))?;
                loader = Some(text.into());
            }
        }
        Ok(Self {
            architecture,
            loader,
        })
    }
}

fn libraries_of(path: &Utf8Path, loader: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ImageError> {
    let failed = |reason: String| ImageError::Libraries {
        path: path.to_owned(),
        reason,
    };
    // Without variables: a container has no LD_LIBRARY_PATH of the user's.
    let mut command = Command::new(loader);
    command.args(["--list", path.as_str()]).env_clear();
    let finished = run_bounded(&mut command, LOADER_BOUNDS)
        .map_err(|error| failed(format!("`{loader}` does not answer: {error}")))?;
    if !finished.status.success() {
        return Err(failed(printable(&finished.stderr)));
    }
    let mut libraries = parse_list(&finished.stdout).map_err(failed)?;
    let beside_libc: Vec<_> = libraries
        .iter()
        .find(|library| library.file_name() == Some("libc.so.6"))
        .and_then(|library| library.parent())
        .into_iter()
        .flat_map(|folder| LOADED_LATER.map(|name| folder.join(name)))
        .filter(|library| library.is_file())
        .collect();
    libraries.extend(beside_libc);
    libraries.push(loader.to_owned());
    libraries.sort();
    libraries.dedup();
    Ok(libraries)
}

/// Reads lines such as `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x0123)` and `/lib64/ld-linux-x86-64.so.2 (0x0123)`.
/// What has no path is the kernel's own.
fn parse_list(list: &str) -> Result<Vec<Utf8PathBuf>, String> {
    let mut libraries = Vec::new();
    for line in list.lines().map(str::trim) {
        let (name, found) = line.split_once(" => ").unwrap_or((line, line));
        let found = found.rsplit_once(" (0x").map_or(found, |(path, _)| path);
        if found.starts_with('/') {
            libraries.push(found.into());
        } else if found == "not found" {
            return Err(format!("`{}` is not found", printable(name)));
        }
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_linked_program_needs_its_loader_and_its_libraries() {
        let program = Program::inspect("/bin/sh".into()).expect("every machine has a shell");
        let has = |part: &str| {
            let mut paths = program.libraries.iter();
            paths.any(|path| path.as_str().contains(part) && path.is_file())
        };
        assert!(has("/ld-"), "{:?}", program.libraries);
        assert!(has("libc.so"), "{:?}", program.libraries);
    }

    #[test]
    fn the_list_of_a_loader_gives_paths_and_leaves_out_the_kernels_own() {
        let list = "\tlinux-vdso.so.1 (0x00007f0f046d6000)\n\
                    \tlibm.so.6 => /lib/a b/libm.so.6 (0x00007f0efd520000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f0f046d8000)\n";
        let expected: [Utf8PathBuf; 2] = [
            "/lib/a b/libm.so.6".into(),
            "/lib64/ld-linux-x86-64.so.2".into(),
        ];
        assert_eq!(parse_list(list).expect("all are found"), expected);
    }

    #[test]
    fn a_library_that_is_not_found_is_named() {
        let error = parse_list("\tlibwaf.so.1 => not found\n").expect_err("one is missing");
        assert!(error.contains("libwaf.so.1"), "{error}");
    }

    #[test]
    fn a_static_program_needs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = written(&folder, &elf(elf::ET_EXEC, elf::EM_AARCH64, None));
        let program = Program::inspect(&path).expect("it is a program");
        assert_eq!(program.architecture, Architecture::Arm64);
        assert!(program.libraries.is_empty(), "{:?}", program.libraries);
    }

    #[rstest]
    #[case::a_script(b"#!/bin/sh\n".to_vec(), "")]
    #[case::nothing(Vec::new(), "")]
    #[case::the_mark_alone(b"\x7fELF\x02\x01\x01".to_vec(), "")]
    #[case::headers_beyond_the_end({
        let mut file = elf(elf::ET_EXEC, elf::EM_X86_64, None);
        file[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        file[56] = 1;
        file
    }, "")]
    #[case::a_part_of_a_program(elf(elf::ET_REL, elf::EM_X86_64, None), "no executable")]
    #[case::another_processor(elf(elf::ET_EXEC, elf::EM_S390, None), "number 22")]
    #[case::a_relative_loader(elf(elf::ET_DYN, elf::EM_X86_64, Some(b"ld.so\0")), "is none")]
    #[case::an_endless_loader(elf(elf::ET_DYN, elf::EM_X86_64, Some(&[b'/'; 5000])), "too long")]
    fn what_is_no_program_is_refused(#[case] content: Vec<u8>, #[case] reason: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Program::inspect(&written(&folder, &content)).expect_err("no program");
        assert!(matches!(error, ImageError::NotAProgram { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_program_whose_loader_is_missing_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let loader = Some(&b"/nonexistent/ld.so\0"[..]);
        let path = written(&folder, &elf(elf::ET_DYN, elf::EM_X86_64, loader));
        let error = Program::inspect(&path).expect_err("it cannot start");
        assert!(matches!(error, ImageError::Libraries { .. }), "{error}");
        assert!(error.to_string().contains("/nonexistent/ld.so"), "{error}");
    }

    fn written(folder: &tempfile::TempDir, content: &[u8]) -> Utf8PathBuf {
        let path = Utf8PathBuf::from_path_buf(folder.path().join("program")).expect("UTF-8");
        fs_err::write(&path, content).expect("writable");
        path
    }

    /// Returns the headers of a program, with the path of its loader behind them.
    fn elf(kind: elf::FileType, machine: elf::Machine, loader: Option<&[u8]>) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file[16..18].copy_from_slice(&kind.0.to_le_bytes());
        file[18..20].copy_from_slice(&machine.0.to_le_bytes());
        // Where the program headers start, how long one is, and how many there are.
        file[32] = 64;
        file[54] = 56;
        if let Some(loader) = loader {
            file[56] = 1;
            let mut header = [0; 56];
            header[..4].copy_from_slice(&elf::PT_INTERP.0.to_le_bytes());
            header[8] = 64 + 56;
            header[32..40].copy_from_slice(&(loader.len() as u64).to_le_bytes());
            file.extend(header);
            file.extend(loader);
        }
        file
    }
}
