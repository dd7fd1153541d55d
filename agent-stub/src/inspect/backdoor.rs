//! Web shells: the names of files that are nothing else, and the parameters that only they have.

use crate::inspect::characters::Characters;

/// Returns the detector's name when a path asks for a known web shell.
pub(crate) fn detect(path: &str, characters: Characters) -> Option<String> {
    if !characters.has_any(DOT) {
        return None;
    }
    let lower = path.to_ascii_lowercase().replace('\\', "/");
    let is_known = lower.split(['/', ';', '?', '\0']).any(|segment| {
        SHELLS.contains(&segment.trim())
            || segment.split_once('.').is_some_and(|(name, extension)| {
                PROLIFIC.contains(&name) && SCRIPTS.contains(&extension)
            })
    });
    is_known.then(|| "STUB-WEBSHELL".into())
}

/// Returns the detector's name when a parameter belongs to a known web shell.
pub(crate) fn detect_parameter(name: &str) -> Option<String> {
    PARAMETERS
        .iter()
        .any(|parameter| parameter.eq_ignore_ascii_case(name))
        .then(|| "STUB-WEBSHELL-PARAMETER".into())
}

// Between every name of a shell and its extension.
const DOT: Characters = Characters::of(".");
// Names with a number of variants and extensions.
const PROLIFIC: &[&str] = &[
    "aspxspy",
    "b374k",
    "c99",
    "c99shell",
    "c100",
    "chinachopper",
    "jspspy",
    "p0wnyshell",
    "r57",
    "r57shell",
    "weevely",
    "wso",
    "wso2",
    "wsoshell",
];
const SCRIPTS: &[&str] = &[
    "php", "php3", "php4", "php5", "php7", "phtml", "asp", "aspx", "jsp", "jspx", "cfm", "pl",
    "php.jpg", "php.png", "php.gif", "txt",
];
const SHELLS: &[&str] = &[
    "alfa-rex.php",
    "antichat.php",
    "backdoor.php",
    "cmd.asp",
    "cmd.aspx",
    "cmd.cfm",
    "cmd.jsp",
    "cmd.jspx",
    "cmd.php",
    "cmdasp.asp",
    "cmdasp.aspx",
    "cmdjsp.jsp",
    "filesman.php",
    "indoxploit.php",
    "jsp-reverse.jsp",
    "laudanum.php",
    "mini-shell.php",
    "php-backdoor.php",
    "php-reverse-shell.php",
    "qsd-php-backdoor.php",
    "shell.asp",
    "shell.aspx",
    "shell.jsp",
    "shell.php",
    "simple-backdoor.php",
    "tunnel.nosocket.php",
    "webshell.jsp",
    "webshell.php",
    "wp-shell.php",
];
const PARAMETERS: &[&str] = &[
    "c99shcook",
    "c99sh_surl",
    "r57pass",
    "b374k_pass",
    "fx29shcook",
];
