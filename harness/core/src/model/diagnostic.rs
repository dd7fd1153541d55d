//! A complaint about a place in a file, drawn with the line that it is about.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use camino::Utf8PathBuf;

use super::located::Position;

/// Whether a drawing may use terminal colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// Terminal colours.
    Ansi,
    /// Plain text.
    Plain,
}

/// One complaint about one place in a file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The file.
    pub file: Utf8PathBuf,
    /// The file's text.
    pub text: Arc<str>,
    /// Where in the text; line 0 means the file as a whole.
    pub position: Position,
    /// What is wrong: one line.
    pub message: String,
    /// What stands beside the marked place.
    pub label: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Draws the complaint.
    pub fn render(&self, colour: Colour) -> String {
        let path = self.file.as_str();
        let title = Level::ERROR.primary_title(self.message.as_str());
        let group = match byte_range(&self.text, self.position) {
            Some(range) => title.element(
                Snippet::source(&*self.text).path(path).annotation(
                    AnnotationKind::Primary
                        .span(range)
                        .label(self.label.as_str()),
                ),
            ),
            None => title.element(annotate_snippets::Origin::path(path)),
        };
        let group = match &self.hint {
            Some(hint) => group.element(Level::HELP.with_name("hint").message(hint.as_str())),
            None => group,
        };
        let renderer = match colour {
            Colour::Ansi => Renderer::styled(),
            Colour::Plain => Renderer::plain(),
        };
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}:{}: {}",
            self.file, self.position.line, self.position.column, self.message
        )
    }
}

/// Returns the bytes of `text` that a position covers, cut at the end of its line.
fn byte_range(text: &str, position: Position) -> Option<Range<usize>> {
    let line_index = usize::try_from(position.line.checked_sub(1)?).ok()?;
    let line_start = text
        .split_inclusive('\n')
        .take(line_index)
        .map(str::len)
        .sum::<usize>();
    let line = text.get(line_start..)?.split('\n').next()?;
    let skip = usize::try_from(position.column.saturating_sub(1)).ok()?;
    let length = usize::try_from(position.length.max(1)).ok()?;
    let mut boundaries = line
        .char_indices()
        .map(|(index, _)| index)
        .chain(std::iter::once(line.len()));
    let start = boundaries.nth(skip).unwrap_or(line.len());
    let end = boundaries.nth(length - 1).unwrap_or(line.len());
    Some(line_start + start..line_start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(position: Position) -> Diagnostic {
        Diagnostic {
            file: "scenarios/decisions/x.yaml".into(),
            text: "id: A02\nstatus: 403\n".into(),
            position,
            message: "status did not match".into(),
            label: "observed 200".into(),
            hint: Some("look at the filter".into()),
        }
    }

    #[test]
    fn the_marked_place_is_the_value() {
        let drawn = diagnostic(Position {
            line: 2,
            column: 9,
            length: 3,
        })
        .render(Colour::Plain);
        assert!(drawn.contains("scenarios/decisions/x.yaml:2:9"), "{drawn}");
        assert!(drawn.contains("^^^ observed 200"), "{drawn}");
        assert!(drawn.contains("hint: look at the filter"), "{drawn}");
    }

    #[test]
    fn a_position_outside_the_text_draws_no_snippet() {
        for line in [0, 99] {
            let drawn = diagnostic(Position {
                line,
                column: 500,
                length: 9,
            })
            .render(Colour::Plain);
            assert!(drawn.contains("scenarios/decisions/x.yaml"), "{drawn}");
        }
    }
}
