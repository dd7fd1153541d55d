//! The words of code: which calls run something, which template marks hold expressions, and what only attacks name.

use crate::inspect::word::Word;

pub(super) struct Template {
    pub(super) opening: &'static str,
    pub(super) closing: char,
    pub(super) shell: Shell,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Shell {
    /// Backquotes run a command.
    Backquotes,
    None,
}

pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [&'static str],
    pub(super) place: CallPlace,
}

#[derive(Clone, Copy)]
pub(super) enum CallPlace {
    /// The name is unmistakable.
    Anywhere,
    /// Where a statement or an expression begins.
    Statement,
}

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        opening: "{{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "{%",
        closing: '%',
        shell: Shell::None,
    },
    Template {
        opening: "${",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "*{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "%{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "@(",
        closing: ')',
        shell: Shell::None,
    },
    Template {
        opening: "#{",
        closing: '}',
        shell: Shell::Backquotes,
    },
    Template {
        opening: "<%",
        closing: '%',
        shell: Shell::Backquotes,
    },
    Template {
        opening: "<#assign",
        closing: '>',
        shell: Shell::None,
    },
];

pub(super) const TEMPLATE_WORDS: &[&str] = &[
    "t(java.lang.",
    "java.lang.runtime",
    "java.lang.processbuilder",
    "getruntime()",
    "new processbuilder",
    "freemarker.template.utility.execute",
    ".getclass()",
    "class.forname(",
    "__class__",
    "__globals__",
    "__init__",
    "__subclasses__",
    "__import__",
    "constructor.constructor",
    "#_memberaccess",
    "@java.lang.",
    "config.items()",
    "_self.env.",
    "filter('system')",
    "filter(\"system\")",
    "system.diagnostics.process",
];

pub(super) const TEMPLATE_CALLS: &[&str] = &[
    "system",
    "exec",
    "popen",
    "os.popen",
    "os.system",
    "io.popen",
    "eval",
    "passthru",
    "shell_exec",
    "file.read",
    "file.open",
    "kernel.exec",
    "kernel.system",
];

pub(super) const PHP_INPUT: &[&str] = &[
    "$_get[",
    "$_post[",
    "$_request[",
    "$_cookie[",
    "php://input",
];

pub(super) const PHP_CALLS: &[&str] = &[
    "system",
    "exec",
    "shell_exec",
    "passthru",
    "popen",
    "proc_open",
    "pcntl_exec",
    "eval",
    "assert",
    "phpinfo",
    "file_put_contents",
    "file_get_contents",
    "base64_decode",
    "create_function",
    "call_user_func",
    "unlink",
];

pub(super) const QUOTES: &[&str] = &["'", "\"", "`", "$_", "base64_decode(", "gzinflate(", "chr("];
pub(super) const EVALUATED: &[&str] = &[
    "'",
    "\"",
    "`",
    "$_",
    "base64_decode(",
    "gzinflate(",
    "str_rot13(",
    "chr(",
    "atob(",
    "string.fromcharcode(",
    "compile(",
    "buffer.from(",
    "params[",
    "request.",
];

pub(super) const CALLS: &[Call] = &[
    Call {
        name: "system",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "exec",
        arguments: EVALUATED,
        place: CallPlace::Statement,
    },
    Call {
        name: "shell_exec",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "passthru",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "popen",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "proc_open",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "phpinfo",
        arguments: &[")"],
        place: CallPlace::Statement,
    },
    Call {
        name: "eval",
        arguments: EVALUATED,
        place: CallPlace::Statement,
    },
    Call {
        name: "assert",
        arguments: EVALUATED,
        place: CallPlace::Statement,
    },
    Call {
        name: "os.system",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "os.popen",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "subprocess.popen",
        arguments: &["'", "\"", "["],
        place: CallPlace::Statement,
    },
    Call {
        name: "subprocess.call",
        arguments: &["'", "\"", "["],
        place: CallPlace::Statement,
    },
    Call {
        name: "subprocess.run",
        arguments: &["'", "\"", "["],
        place: CallPlace::Statement,
    },
    Call {
        name: "subprocess.check_output",
        arguments: &["'", "\"", "["],
        place: CallPlace::Statement,
    },
    Call {
        name: "io.popen",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "kernel.exec",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "file_put_contents",
        arguments: QUOTES,
        place: CallPlace::Statement,
    },
    Call {
        name: "__import__",
        arguments: &["'", "\""],
        place: CallPlace::Anywhere,
    },
    Call {
        name: "require",
        arguments: &["'child_process", "\"child_process"],
        place: CallPlace::Statement,
    },
    Call {
        name: "process.binding",
        arguments: &["'", "\""],
        place: CallPlace::Statement,
    },
];

// Names that only code which breaks out of a sandbox, or a serialised object, has.
pub(super) const INTERNALS: &[Word] = &[
    Word::of("__class__.__mro__"),
    Word::of("__class__.__base"),
    Word::of(".__subclasses__()"),
    Word::of("class.module.classloader"),
    Word::of("process.mainmodule.require("),
    Word::of("java.lang.runtime.getruntime().exec("),
    Word::of("(#_memberaccess"),
    Word::of("#context['com.opensymphony"),
];
