//! The command lines of a container's processes, whole: what is not in them is concluded from.

use std::io::{self, Read as _};

/// The longest command line that is read, in bytes: what Linux lets a program have by default.
const LONGEST_COMMAND_LINE: u64 = 2 * 1024 * 1024;

/// Returns the command line of each of these processes that still runs.
///
/// # Errors
///
/// When none has one, or one is longer than what is read: nothing could be concluded from the others.
pub(super) fn of_all(processes: impl IntoIterator<Item = i32>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for process in processes {
        // A process that has ended meanwhile has none.
        if let Ok(file) = fs_err::File::open(format!("/proc/{process}/cmdline"))
            && let Some(line) = read(file, LONGEST_COMMAND_LINE)?
        {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no process of the container has a command line",
        ));
    }
    Ok(lines)
}

/// Reads a command line, with blanks between its words; none where it is empty.
fn read(file: impl io::Read, longest: u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if file.take(longest + 1).read_to_end(&mut bytes).is_err() {
        // The kernel reports the process's end like this.
        return Ok(None);
    }
    if bytes.len() as u64 > longest {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("a command line is longer than {longest} bytes"),
        ));
    }
    let line = String::from_utf8_lossy(&bytes)
        .trim_end_matches('\0')
        .replace('\0', " ");
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_read_whole_or_refused() {
        let line = read(&b"agent\0--key\0value\0"[..], 18).expect("short enough");
        assert_eq!(line.as_deref(), Some("agent --key value"));
        let error = read(&b"agent\0--key\0value\0"[..], 17).expect_err("too long");
        assert!(error.to_string().contains("17 bytes"), "{error}");
        assert_eq!(read(&b""[..], 16).expect("nothing"), None);
    }

    #[test]
    fn the_own_command_line_is_found_and_none_at_all_is_refused() {
        let own = i32::try_from(std::process::id()).expect("a process id is positive");
        assert_eq!(of_all([own]).expect("it runs").len(), 1);
        let error = of_all([]).expect_err("nothing was searched");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
