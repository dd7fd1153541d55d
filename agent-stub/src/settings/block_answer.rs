//! What a blocked client is sent: status, body, content type and redirect target.

/// The answer to a blocked request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockAnswer {
    /// The HTTP status, which is also the agent's response code.
    pub code: u16,
    /// The body.
    pub body: String,
    /// The body's content type.
    pub content_type: String,
    /// Where a redirect points; present exactly for 301 and 302.
    pub location: Option<String>,
}

/// Why a block answer cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BlockAnswerError {
    /// The code is not one of the vendor's blocking codes.
    #[error("STUB_BLOCK_CODE: `{text}` is not a blocking code; use 301, 302 or 400 to 599")]
    Code {
        /// What was written.
        text: String,
    },
    /// A redirect has no target.
    #[error("STUB_REDIRECT_URL: a block code of {code} needs a URL to redirect to")]
    RedirectWithoutUrl {
        /// The redirect's code.
        code: u16,
    },
    /// A text that becomes a header holds a control character.
    #[error("{setting}: the text holds a control character")]
    ControlCharacter {
        /// The setting's name.
        setting: &'static str,
    },
}

impl BlockAnswer {
    /// Puts the answer together from its settings.
    ///
    /// # Errors
    ///
    /// The code does not block, a redirect has no target, or a header text holds a control character.
    pub fn from_texts(
        code: &str,
        body: Option<String>,
        content_type: Option<String>,
        redirect_url: Option<String>,
    ) -> Result<Self, BlockAnswerError> {
        let code = parse_code(code)?;
        let location = match (is_redirect(code), redirect_url) {
            (true, None) => return Err(BlockAnswerError::RedirectWithoutUrl { code }),
            (true, Some(url)) => Some(url),
            (false, _) => None,
        };
        refuse_control_characters("STUB_REDIRECT_URL", location.as_deref())?;
        refuse_control_characters("STUB_BLOCK_CONTENT_TYPE", content_type.as_deref())?;
        Ok(Self {
            code,
            body: body.unwrap_or_else(|| default_body(code)),
            content_type: content_type.unwrap_or_else(|| "text/plain".into()),
            location,
        })
    }

    /// Returns the answer with another code; a body that was not configured follows it.
    ///
    /// # Errors
    ///
    /// The code does not block, or is a redirect and this answer has no target.
    pub fn with_code(&self, code: u16) -> Result<Self, BlockAnswerError> {
        let body = (self.body != default_body(self.code)).then(|| self.body.clone());
        Self::from_texts(
            &code.to_string(),
            body,
            Some(self.content_type.clone()),
            self.location.clone(),
        )
    }
}

fn default_body(code: u16) -> String {
    format!("{code} {}\n", reason(code))
}

fn parse_code(text: &str) -> Result<u16, BlockAnswerError> {
    match text.trim().parse::<u16>() {
        Ok(code @ (301 | 302 | 400..=599)) => Ok(code),
        Ok(_) | Err(_) => Err(BlockAnswerError::Code { text: text.into() }),
    }
}

fn is_redirect(code: u16) -> bool {
    matches!(code, 301 | 302)
}

fn refuse_control_characters(
    setting: &'static str,
    text: Option<&str>,
) -> Result<(), BlockAnswerError> {
    if text.is_some_and(|text| text.chars().any(char::is_control)) {
        return Err(BlockAnswerError::ControlCharacter { setting });
    }
    Ok(())
}

fn reason(code: u16) -> &'static str {
    tonic::codegen::http::StatusCode::from_u16(code)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Blocked")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("406", "406 Not Acceptable\n")]
    #[case("400", "400 Bad Request\n")]
    #[case("499", "499 Blocked\n")]
    #[case("599", "599 Blocked\n")]
    fn a_blocking_code_is_named_in_the_default_body(#[case] code: &str, #[case] body: &str) {
        let answer = BlockAnswer::from_texts(code, None, None, None).expect("a blocking code");
        assert_eq!(
            (answer.body.as_str(), answer.content_type.as_str()),
            (body, "text/plain")
        );
    }

    #[rstest]
    #[case("200")]
    #[case("300")]
    #[case("303")]
    #[case("399")]
    #[case("600")]
    #[case("-1")]
    #[case("block")]
    fn a_code_that_does_not_block_is_refused(#[case] code: &str) {
        assert!(matches!(
            BlockAnswer::from_texts(code, None, None, Some("/".into())),
            Err(BlockAnswerError::Code { .. })
        ));
    }

    #[test]
    fn a_redirect_needs_its_target() {
        assert_eq!(
            BlockAnswer::from_texts("302", None, None, None),
            Err(BlockAnswerError::RedirectWithoutUrl { code: 302 })
        );
        let answer =
            BlockAnswer::from_texts("301", None, None, Some("https://example.com/".into()));
        assert_eq!(
            answer.expect("complete").location.as_deref(),
            Some("https://example.com/")
        );
    }
}
