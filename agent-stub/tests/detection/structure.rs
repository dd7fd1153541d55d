//! How requests are taken apart: encodings of the target, headers with a grammar of their own, JSON, and sheer size.

use agent_stub::inspect::inspect;
use rstest::rstest;

use crate::support::{findings, get, grpc, post, with_header};

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
#[case::percent_thrice("/a?x=%25252e%25252e%25252fetc%25252fpasswd", "TRAVERSAL")]
#[case::over_long("/a?x=%c0%ae%c0%ae%c0%afetc%c0%afpasswd", "TRAVERSAL")]
#[case::over_long_backslash("/a?x=..%c1%9c..%c1%9cwindows", "TRAVERSAL")]
#[case::unicode_percent("/a?x=%u003cscript%u003ealert(1)%u003c/script%u003e", "XSS")]
#[case::wide_percent("/a?x=%uff0e%uff0e%uff0fetc", "TRAVERSAL")]
#[case::decimal_entity("/a?x=%26%2346%3B%26%2346%3B%26%2347%3Betc", "TRAVERSAL")]
#[case::hexadecimal_entity("/a?x=%26%23x6a%3Bavascript:alert(1)", "XSS")]
#[case::named_entity("/a?x=1%26apos%3B+OR+%26apos%3B1%26apos%3B%3D%26apos%3B1", "SQLI")]
#[case::unicode_escape("/a?x=\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "XSS")]
#[case::byte_escape("/a?x=\\x2e\\x2e\\x2fetc", "TRAVERSAL")]
#[case::base64("/a?x=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "XSS")]
#[case::base64_unpadded("/a?x=MScgT1IgJzEnPScx", "SQLI")]
#[case::base64_percent("/a?x=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg%3D%3D", "XSS")]
#[case::sql_comments("/a?x=1'/**/uNiOn/**/sElEcT/**/a,b/**/fRoM/**/c--", "SQLI")]
#[case::sql_version_comment("/a?x=-1+/*!50000UNION*/+/*!50000SELECT*/+1,2,3--+-", "SQLI")]
#[case::graphql_by_get("/graphql?query=%7Buser(id:%221'+OR+'1'%3D'1%22)%7Bid%7D%7D", "SQLI")]
fn an_encoded_value_is_decoded_before_it_is_judged(#[case] target: &str, #[case] kind: &str) {
    let found = findings(&get(target));
    assert!(
        found.contains(&(kind, "QUERYSTRING")),
        "{target}: {found:?}"
    );
}

#[rstest]
#[case::gzip("gzip", gzip(b"q=%3Cscript%3Ealert(1)%3C/script%3E"))]
#[case::cut_short("gzip", { let mut cut = gzip(b"q=%3Cscript%3Ealert(1)%3C/script%3E"); cut.truncate(cut.len() - 8); cut })]
fn a_compressed_body_is_inspected(#[case] encoding: &str, #[case] body: Vec<u8>) {
    let mut request = post("application/x-www-form-urlencoded", "");
    request
        .headers
        .push(("content-encoding".into(), encoding.into()));
    request.body = body;
    assert_eq!(findings(&request), [("XSS", "FORM")]);
}

#[test]
fn a_compressed_grpc_message_is_inspected() {
    let whole = grpc("1' OR '1'='1");
    let message = gzip(&whole.body[5..]);
    let mut request = grpc("");
    request
        .headers
        .push(("grpc-encoding".into(), "gzip".into()));
    request.body = vec![1];
    request
        .body
        .extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    request.body.extend(message);
    assert_eq!(findings(&request), [("SQLI", "GRPC")]);
}

#[rstest]
#[case(
    "Content-Disposition: form-data; name=\"f\"; filename=\"a;../../x.php\"",
    "TRAVERSAL"
)]
#[case(
    "Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''..%2f..%2fx",
    "TRAVERSAL"
)]
#[case("Content-Disposition: form-data; name=\"1' OR '1'='1\"", "SQLI")]
#[case(
    "Content-Disposition: form-data; name=\"f\"; filename=\"a\"\r\nContent-Type: ${jndi:ldap://example.com/a}",
    "LOG4J-JNDI"
)]
#[case(
    "Content-Disposition: form-data; name=\"f\"; filename=\"a\"\r\nContent-Type: %{(#_memberAccess=1)}",
    "CODEINJECTION"
)]
fn the_head_of_a_part_is_inspected(#[case] head: &str, #[case] kind: &str) {
    let body = format!("--xyz\r\n{head}\r\n\r\nx\r\n--xyz--\r\n");
    let found = findings(&post("multipart/form-data; boundary=xyz", &body));
    assert!(found.contains(&(kind, "POSTBODY")), "{head}: {found:?}");
}

#[rstest]
#[case("<a><![CDATA[1' OR '1'='1]]></a>")]
#[case("<a b='1&apos; OR &apos;1&apos;=&apos;1'/>")]
#[case("<a><b>1&#39; OR &#39;1&#39;=&#39;1")]
#[case("<a b=\"1' OR '1'='1")]
#[case("<!DOCTYPE a [<!ENTITY c \"d\">]><a>1' OR '1'='1</a>")]
fn a_text_of_xml_is_inspected_as_a_parser_would_read_it(#[case] document: &str) {
    assert_eq!(
        findings(&post("application/xml", document)),
        [("SQLI", "XML")]
    );
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text).expect("memory");
    encoder.finish().expect("memory")
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
#[case::entities("&#60;")]
#[case::backslashes("\\x3c")]
#[case::templates("{{")]
#[case::calls("eval(")]
#[case::addresses("http://169.")]
#[case::tags("<a b='")]
#[case::declarations("<!ENTITY ")]
#[case::parts("--xyz\r\n\r\n;name=")]
#[case::messages("\n~")]
fn a_long_run_of_one_token_is_inspected_in_linear_time(#[case] token: &str) {
    for content_type in [
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/graphql",
        "application/grpc",
        "multipart/form-data; boundary=xyz",
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
