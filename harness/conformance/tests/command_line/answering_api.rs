//! A Kubernetes API that answers what `doctor` asks: its version, rights, and that it has no namespaces of runs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// The API; its threads end with the tests' process.
pub(crate) struct AnsweringApi {
    /// Its address, as a kubeconfig has it.
    pub(crate) server: String,
}

impl AnsweringApi {
    /// Grants everything but these resources, which are written `pods/exec`.
    pub(crate) fn granting_all_but(refused: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let refused: Vec<String> = refused.iter().map(|name| (*name).to_owned()).collect();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let refused = refused.clone();
                // A client that goes away ends its connection.
                thread::spawn(move || drop(answer_all(stream, &refused)));
            }
        });
        Self {
            server: format!("http://{address}/"),
        }
    }
}

fn answer_all(stream: TcpStream, refused: &[String]) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.to_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = answer(&request, &body, refused).to_string();
        let length = answer.len();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
        )?;
    }
}

fn answer(request: &str, body: &[u8], refused: &[String]) -> Value {
    if request.contains("/version") {
        let text = "";
        return json!({
            "major": "1", "minor": "99", "gitVersion": "v1.99.1", "gitCommit": text, "gitTreeState": text,
            "buildDate": text, "goVersion": text, "compiler": text, "platform": text,
        });
    }
    if request.contains("/namespaces") {
        return json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [],
        });
    }
    let mut review: Value = serde_json::from_slice(body).unwrap_or_default();
    let asked = &review["spec"]["resourceAttributes"];
    let resource = asked["resource"].as_str().unwrap_or_default();
    let name = match asked["subresource"].as_str() {
        Some(subresource) => format!("{resource}/{subresource}"),
        None => resource.to_owned(),
    };
    review["status"] = json!({"allowed": !refused.contains(&name)});
    review
}
