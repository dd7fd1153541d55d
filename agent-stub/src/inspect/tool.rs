//! User agents that name an attack tool.

use crate::inspect::characters::Characters;

/// Returns the detector's name when the user agent names a known attack tool.
pub(crate) fn detect(user_agent: &str, _characters: Characters) -> Option<String> {
    let words = user_agent
        .as_bytes()
        .split(|byte| !byte.is_ascii_alphanumeric());
    words
        .filter(|word| word.len() >= SHORTEST_NAME)
        .find_map(|word| {
            ATTACK_TOOLS
                .iter()
                .find(|tool| word.eq_ignore_ascii_case(tool.as_bytes()))
        })
        .map(|tool| format!("STUB-TOOL-{tool}"))
}

const SHORTEST_NAME: usize = 4;
const ATTACK_TOOLS: &[&str] = &[
    "acunetix",
    "appscan",
    "arachni",
    "commix",
    "dirb",
    "dirbuster",
    "dirsearch",
    "feroxbuster",
    "ffuf",
    "fimap",
    "gobuster",
    "havij",
    "jorgee",
    "masscan",
    "metasploit",
    "nessus",
    "netsparker",
    "nikto",
    "nmap",
    "nuclei",
    "openvas",
    "skipfish",
    "sqlmap",
    "sqlninja",
    "w3af",
    "webinspect",
    "wfuzz",
    "whatweb",
    "wpscan",
    "zgrab",
    "zmeu",
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn no_tool_has_a_name_that_is_too_short_to_be_looked_for() {
        assert!(ATTACK_TOOLS.iter().all(|tool| tool.len() >= SHORTEST_NAME));
    }

    #[rstest]
    #[case("sqlmap/1.8#stable (https://sqlmap.org)")]
    #[case("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None)")]
    #[case("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)")]
    #[case("Mozilla/5.0 zgrab/0.x")]
    fn an_attack_tool_is_recognised(#[case] user_agent: &str) {
        assert!(
            detect(user_agent, Characters::of(user_agent)).is_some(),
            "{user_agent}"
        );
    }

    #[rstest]
    #[case("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0")]
    #[case("curl/8.5.0")]
    #[case("UnmappedReader/1.0")]
    #[case("")]
    fn an_ordinary_user_agent_passes(#[case] user_agent: &str) {
        assert_eq!(detect(user_agent, Characters::of(user_agent)), None);
    }
}
