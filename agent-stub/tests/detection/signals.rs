//! Signals whose attacks look like ordinary text in part: each with the values that are none, which outnumber the attacks.

use agent_stub::inspect::inspect;
use rstest::rstest;

use crate::support::{everywhere, findings, get, post};

#[rstest]
#[case("CODEINJECTION", "<?php system($_GET['c']); ?>")]
#[case("CODEINJECTION", "<?= passthru('id') ?>")]
#[case("CODEINJECTION", "phpinfo()")]
#[case("CODEINJECTION", "';phpinfo();//")]
#[case("CODEINJECTION", "eval(base64_decode('aWQ='))")]
#[case("CODEINJECTION", "__import__('os').popen('id').read()")]
#[case("CODEINJECTION", "os.system('id')")]
#[case("CODEINJECTION", "''.__class__.__mro__[1].__subclasses__()")]
#[case("CODEINJECTION", "{{7*7}}")]
#[case("CODEINJECTION", "{{7*'7'}}")]
#[case("CODEINJECTION", "{{config.items()}}")]
#[case(
    "CODEINJECTION",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
)]
#[case("CODEINJECTION", "${7*7}")]
#[case("CODEINJECTION", "${T(java.lang.Runtime).getRuntime().exec('id')}")]
#[case("CODEINJECTION", "#{7*7}")]
#[case("CODEINJECTION", "#{`id`}")]
#[case("CODEINJECTION", "#{system('id')}")]
#[case("CODEINJECTION", "<%= 7*7 %>")]
#[case("CODEINJECTION", "<%= `id` %>")]
#[case(
    "CODEINJECTION",
    "<#assign x=\"freemarker.template.utility.Execute\"?new()>${x(\"id\")}"
)]
#[case("CODEINJECTION", "%{(#_memberAccess['allowStaticMethodAccess']=true)}")]
#[case("CODEINJECTION", "require('child_process').exec('id')")]
#[case("CODEINJECTION", "process.mainModule.require('fs')")]
#[case("CODEINJECTION", "*{T(java.lang.Runtime).getRuntime()}")]
#[case("AWS-SSRF", "http://169.254.169.254/latest/meta-data/iam/")]
#[case("AWS-SSRF", "http://2852039166/latest/meta-data/")]
#[case("AWS-SSRF", "http://0xa9fea9fe/")]
#[case("AWS-SSRF", "http://0xA9.0xFE.0xA9.0xFE/")]
#[case("AWS-SSRF", "http://0251.0376.0251.0376/")]
#[case("AWS-SSRF", "http://169.254.43518/")]
#[case("AWS-SSRF", "http://[::ffff:169.254.169.254]/")]
#[case("AWS-SSRF", "http://[::ffff:a9fe:a9fe]:80/x")]
#[case("AWS-SSRF", "http://[fd00:ec2::254]/latest/")]
#[case("AWS-SSRF", "http://user@169.254.169.254:80/")]
#[case("AWS-SSRF", "https://metadata.google.internal/computeMetadata/v1/")]
#[case("AWS-SSRF", "http://METADATA.google.internal./")]
#[case("AWS-SSRF", "http://100.100.100.200/latest/meta-data/")]
#[case("AWS-SSRF", "//169.254.169.254/")]
#[case("AWS-SSRF", "169.254.169.254")]
#[case("AWS-SSRF", "169.254.169.254/latest/meta-data/")]
#[case("AWS-SSRF", "gopher://169.254.169.254:80/_GET")]
#[case("AWS-SSRF", "http://169.254.169.254.nip.io/")]
#[case("AWS-SSRF", "http://example.com/redirect?to=http://169.254.169.254/")]
#[case("AWS-SSRF", "/latest/meta-data/")]
fn an_attack_is_found_at_every_position(#[case] kind: &str, #[case] value: &str) {
    for (location, request) in everywhere(value) {
        let found = findings(&request);
        assert!(
            found.contains(&(kind, location)),
            "{kind} {value:?} at {location} in {request:?}: {found:?}"
        );
    }
}

#[rstest]
// Next to CODEINJECTION.
#[case::greeting("Hello {{name}}, you owe {{ total | currency }}")]
#[case::shell_variable("${HOME}/bin:${PATH}")]
#[case::ruby_name("Dear #{customer.name}")]
#[case::erb_name("<%= user.name %>")]
#[case::php_prose("Use <?php to open a block and ?> to close it")]
#[case::eval_prose("Never call eval() on what a user sent")]
#[case::exec_prose("the exec(...) family of functions replaces the process")]
#[case::system_prose("Our system (\"the old one\") is down")]
#[case::import_prose("import os and call os.system to run it")]
#[case::require_path("const a = require('./module')")]
#[case::phpinfo_prose("Is phpinfo() switched off?")]
#[case::handlebars("{{#if user}}{{user.first}}{{/if}}")]
#[case::jinja("{% for item in items %}{{ item.price * 2 }}{% endfor %}")]
#[case::multiplication("7*7=49")]
#[case::set("{1, 2, 3}")]
#[case::css("a{color:red} b{margin:0}")]
#[case::spring_property("${spring.datasource.url:jdbc}")]
#[case::github_expression("${{ github.event.inputs.tag }}")]
#[case::rust_format("format!(7 * 7)")]
#[case::class_word("The __init__ method of a class")]
#[case::assertion("I assert (\"firmly\") that it works")]
#[case::latex("\\frac{1}{2} and x_{i}")]
// Next to AWS-SSRF.
#[case::metadata_prose("The metadata service answers at 169.254.169.254 on port 80")]
#[case::link_local("169.254.10.20")]
#[case::link_local_link("http://169.254.1.1/status")]
#[case::private("http://192.168.1.1/admin")]
#[case::public_address("http://93.184.216.34/")]
#[case::big_number("2852039166")]
#[case::hex_number("0xa9fea9fe")]
#[case::documentation_link(
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html"
)]
#[case::meta_data_page("https://example.com/docs/latest/meta-data/index.html")]
#[case::latest("/latest/metadata-guide")]
#[case::similar_host("https://metadata.google.internal.example.com/")]
#[case::google_host("https://cloud.google.com/compute/docs/metadata")]
#[case::version("1.2.3.4")]
#[case::number_host("http://3221234342/")]
#[case::ipv6("http://[2001:db8::1]:8080/")]
#[case::mapped("http://[::ffff:192.0.2.1]/")]
#[case::wildcard("http://192.0.2.1.nip.io/")]
// Next to XXE.
#[case::html("<p>Hello</p> in HTML")]
#[case::xxe_prose(
    "An XXE attack declares an ENTITY with SYSTEM and \"file:///a\" in the document type"
)]
#[case::entity_prose("DOCTYPE and ENTITY are XML keywords, SYSTEM and PUBLIC too")]
// Next to BACKDOOR, NULLBYTE and the encodings.
#[case::c99_prose("C99 and shell scripts")]
#[case::escaped_null("%2500 is how a null byte is written twice encoded")]
#[case::windows_user(r"C:\users\xavier\x64\bin")]
#[case::encoded_prose("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw==")]
#[case::escaped_quote("O&#39;Brien &amp; Sons")]
#[case::escaped_markup("use &lt;img src=x.png&gt; with care")]
#[case::accents(r"caf\u00e9 na\xefve")]
#[case::identifier("dGVzdDEyMzQ")]
fn an_ordinary_value_passes_at_every_position(#[case] value: &str) {
    for (location, request) in everywhere(value) {
        let found = inspect(&request).expect("the inspection works");
        assert!(found.is_empty(), "{value:?} at {location}: {found:?}");
    }
}

const XML: &str = "<?xml version=\"1.0\"?>";

#[rstest]
#[case("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///x\">]><a>&x;</a>")]
#[case("<!DOCTYPE a [ <!ENTITY % x SYSTEM 'http://example.com/x.dtd'> %x; ]><a/>")]
#[case("<!DOCTYPE a [<!ENTITY x PUBLIC \"p\" \"http://example.com/x\">]><a>&x;</a>")]
#[case("<!doctype a [<!ENTITY ok \"1\"><!entity x system \"x\">]><a/>")]
#[case("<!-- hello --><!DOCTYPE a [<!ELEMENT a ANY><!ENTITY x SYSTEM \"x\">]><a/>")]
#[case("<!DOCTYPE a SYSTEM \"http://example.com/evil.dtd\"><a/>")]
#[case("<!DOCTYPE a PUBLIC \"-//x\" \"file:///dev/random\"><a/>")]
#[case("<!DOCTYPE a SYSTEM 'php://filter/read=x/resource=y'><a/>")]
#[case(
    "<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include parse=\"text\" href=\"file:///x\"/></a>"
)]
fn a_document_that_reaches_outside_is_found(#[case] document: &str) {
    let whole = format!("{XML}{document}");
    let json = format!(
        "{{\"xml\":{}}}",
        serde_json::to_string(&whole).expect("a string")
    );
    for (location, request) in [
        ("XML", post("application/xml", &whole)),
        ("XML", post("application/soap+xml; charset=utf-8", document)),
        ("XML", post("", &whole)),
        ("JSON", post("application/json", &json)),
        ("POSTBODY", post("text/plain", document)),
    ] {
        let found = findings(&request);
        assert!(found.contains(&("XXE", location)), "{request:?}: {found:?}");
    }
    let mut wide = post("application/xml", "");
    wide.body = [0xff, 0xfe]
        .into_iter()
        .chain(document.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert!(findings(&wide).contains(&("XXE", "XML")), "as UTF-16");
}

#[rstest]
#[case(
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\"><html/>"
)]
#[case(
    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\"><plist/>"
)]
#[case(
    "<!DOCTYPE mapper PUBLIC \"-//mybatis.org//DTD Mapper 3.0//EN\" \"https://mybatis.org/dtd/mybatis-3-mapper.dtd\"><mapper/>"
)]
#[case("<!DOCTYPE svg SYSTEM \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\"><svg/>")]
#[case("<!DOCTYPE note SYSTEM \"note.dtd\"><note/>")]
#[case("<!DOCTYPE html><html/>")]
#[case("<!DOCTYPE a [<!ENTITY copy \"(c)\">]><a>&copy;</a>")]
#[case("<!DOCTYPE a [<!ELEMENT a (#PCDATA)><!ATTLIST a b CDATA #IMPLIED>]><a/>")]
#[case("<!DOCTYPE a [<!-- <!ENTITY x SYSTEM 'y'> -->]><a/>")]
#[case("<!-- <!DOCTYPE a [<!ENTITY x SYSTEM 'y'>]> --><a/>")]
#[case("<a><![CDATA[[<!-- ENTITY x SYSTEM 'y' -->]]]></a>")]
#[case("<a>SYSTEM and PUBLIC</a>")]
#[case("<a system=\"x\" public=\"y\"/>")]
#[case(
    "<rss version=\"2.0\"><channel><title>News</title><link>http://example.com/</link></channel></rss>"
)]
#[case("<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"chapter1.xml\"/></a>")]
#[case(
    "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><GetPrice item=\"1\"/></Body></Envelope>"
)]
fn an_ordinary_document_passes(#[case] document: &str) {
    let whole = format!("{XML}{document}");
    assert_eq!(findings(&post("application/xml", &whole)), [], "{document}");
    assert_eq!(findings(&post("text/xml", document)), [], "{document}");
}

#[rstest]
#[case("/c99.php")]
#[case("/uploads/r57.php?x=1")]
#[case("/images/WSO.php")]
#[case("/a/cmd.jsp")]
#[case("/a/cmd.aspx;jsessionid=1")]
#[case("/wp-content/shell.php/x")]
#[case("/b374k.php%00.jpg")]
#[case("/%63%39%39.php")]
#[case("/b374k.phtml")]
fn a_request_for_a_web_shell_is_found(#[case] target: &str) {
    let found = findings(&get(target));
    assert!(found.contains(&("BACKDOOR", "PATH")), "{target}: {found:?}");
}

#[test]
fn the_upload_of_a_web_shell_and_its_parameter_are_found() {
    let upload = "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"c99.php\"\r\n\r\nx\r\n--xyz--";
    assert_eq!(
        findings(&post("multipart/form-data; boundary=xyz", upload)),
        [("BACKDOOR", "POSTBODY")]
    );
    assert_eq!(
        findings(&get("/?c99shcook=1")),
        [("BACKDOOR", "QUERYSTRING")]
    );
}

#[rstest]
#[case("/index.php")]
#[case("/c99")]
#[case("/docs/c99.html")]
#[case("/c99.php.html")]
#[case("/shell")]
#[case("/shell/scripts.html")]
#[case("/seashell.php")]
#[case("/cmd/index.jsp")]
#[case("/command.php")]
#[case("/wsop.php")]
#[case("/r57-engine.php")]
#[case("/nutshell.jsp")]
#[case("/backdoor-policy.php")]
#[case("/wp-login.php")]
#[case("/eggshell.aspx?cmd=boil")]
#[case("/search?q=c99.php")]
#[case("/upload?file=r57.php")]
fn an_ordinary_path_is_no_web_shell(#[case] target: &str) {
    assert_eq!(findings(&get(target)), [], "{target}");
}

#[rstest]
#[case(get("/a%00.jpg"), "PATH")]
#[case(get("/a?file=x.php%00.jpg"), "QUERYSTRING")]
#[case(get("/a?%00=1"), "QUERYSTRING")]
#[case(post("application/x-www-form-urlencoded", "a=1&b=%00"), "FORM")]
#[case(post("application/json", "{\"a\":\"b\0c\"}"), "JSON")]
#[case(post("text/plain", "a\0b"), "POSTBODY")]
#[case(post("application/xml", "<a>\0</a>"), "XML")]
#[case(
    post(
        "multipart/form-data; boundary=xyz",
        "--xyz\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\na\0b\r\n--xyz--"
    ),
    "POSTBODY"
)]
fn a_null_byte_is_found(
    #[case] request: agent_stub::exchange::CheckedRequest,
    #[case] location: &str,
) {
    assert_eq!(findings(&request), [("NULLBYTE", location)]);
}

#[rstest]
#[case(get("/a?x=%2500"))]
#[case(get("/a?x=%20%30%30"))]
#[case(get("/100%"))]
#[case(get("/a?x=100%2C00"))]
#[case(get("/a%2000"))]
#[case(get("/a?x=00"))]
#[case(get("/a?x=%D0%90"))]
#[case(get("/a?x=%0A"))]
#[case(get("/a?x=0x00"))]
#[case(get("/a?price=5%2000"))]
#[case(post("application/x-www-form-urlencoded", "a=%2500&b=100%25"))]
#[case(post("application/json", "{\"a\":\"\\\\u0000\"}"))]
#[case(post("application/octet-stream", "a\0b"))]
#[case(post("image/png", "\0\0"))]
#[case(post("", "\0\u{1}binary"))]
#[case(post("application/vnd.unknown", "\0\0\0"))]
#[case(post(
    "multipart/form-data; boundary=xyz",
    "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\na\0b\r\n--xyz--"
))]
fn what_only_resembles_a_null_byte_passes(#[case] request: agent_stub::exchange::CheckedRequest) {
    assert_eq!(findings(&request), [], "{request:?}");
}
