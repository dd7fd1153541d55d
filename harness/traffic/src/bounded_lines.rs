//! Reads lines of bounded length, and never waits for the end of its input to hand out a line.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// The input cannot be read.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The line does not end within the bound.
    #[error("the line is longer than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
}

/// Returns the next line without its end, or none at the end of the input. What stands between
/// the last line end and the end of the input is a line, too.
pub(crate) async fn next_line(
    input: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    loop {
        let available = input.fill_buf().await.map_err(LineError::Read)?;
        if available.is_empty() {
            return Ok((!line.is_empty()).then_some(line));
        }
        let newline = available.iter().position(|&byte| byte == b'\n');
        let content = newline.unwrap_or(available.len());
        if line.len() + content > limit {
            return Err(LineError::TooLong { limit });
        }
        line.extend_from_slice(&available[..content]);
        input.consume(newline.map_or(content, |position| position + 1));
        if newline.is_some() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_the_last_needs_no_end() {
        let mut input = &b"one\n\ntwo"[..];
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 3).await.expect("within the bound") {
            lines.push(line);
        }
        assert_eq!(lines, [&b"one"[..], b"", b"two"]);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_refused() {
        let mut input = &b"four\n"[..];
        let error = next_line(&mut input, 3).await.expect_err("over the bound");
        assert!(matches!(error, LineError::TooLong { limit: 3 }), "{error}");
    }
}
