//! Kubernetes' `$(VARIABLE)` references in commands, arguments and variables.

/// Replaces each `$(NAME)` that `lookup` knows. An unknown name stays as written, and `$$` is one
/// dollar sign that starts no reference.
pub(super) fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let reference = rest
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'));
        match reference {
            Some((name, after)) => {
                if let Some(value) = lookup(name) {
                    expanded.push_str(value);
                } else {
                    expanded.push_str("$(");
                    expanded.push_str(name);
                    expanded.push(')');
                }
                rest = after;
            }
            None => expanded.push('$'),
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", "plain")]
    #[case("a $(NAME) b", "a value b")]
    #[case("$(NAME)$(NAME)", "valuevalue")]
    #[case("$(UNKNOWN)", "$(UNKNOWN)")]
    #[case("$$(NAME)", "$(NAME)")]
    #[case("$$$(NAME)", "$value")]
    #[case("$NAME $", "$NAME $")]
    #[case("$(NAME", "$(NAME")]
    fn references_are_replaced_as_kubernetes_does(#[case] text: &str, #[case] expected: &str) {
        let lookup = |name: &str| (name == "NAME").then_some("value");
        assert_eq!(expand(text, lookup), expected);
    }
}
