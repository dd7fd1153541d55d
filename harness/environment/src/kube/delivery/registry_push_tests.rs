//! Pushes to a registry in this process that keeps what it is given: a fake, which speaks the part of the protocol that a push needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rstest::rstest;
use tokio::net::TcpListener;

use super::*;
use harness_artifacts::image::{ImageRole, build_image};
use harness_core::model::digest::sha256;

/// What the fake was given, by the last part of the address: `sha256:…` of blobs, tags of manifests.
#[derive(Debug, Default)]
struct Given {
    blobs: BTreeMap<String, Bytes>,
    manifests: BTreeMap<String, Bytes>,
    upload: Vec<u8>,
    uploads: usize,
}

type Shared = Arc<Mutex<Given>>;

/// Starts the fake; returns its `localhost:port`.
async fn fake_registry(given: Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let given = given.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(given.clone(), request));
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                drop(served.await);
            });
        }
    });
    format!("localhost:{port}")
}

async fn answer(
    given: Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let host = request.headers()["host"].to_str().expect("text").to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let mut given = given.lock().expect("no test has panicked");
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let location = format!("http://{host}/v2/team/agent-stub/blobs/uploads/1");
    let (status, location) = if path == "/v2/" {
        (StatusCode::OK, None)
    } else if path.contains("/manifests/") && method == Method::PUT {
        given.manifests.insert(last, body);
        (StatusCode::CREATED, Some(location))
    } else if path.contains("/blobs/uploads/") && method == Method::POST {
        given.upload.clear();
        given.uploads += 1;
        (StatusCode::ACCEPTED, Some(location))
    } else if path.contains("/blobs/uploads/") && method == Method::PATCH {
        given.upload.extend(body);
        (StatusCode::ACCEPTED, Some(location))
    } else if path.contains("/blobs/uploads/") && method == Method::PUT {
        given.upload.extend(body);
        let content = std::mem::take(&mut given.upload);
        let digest = query.rsplit('=').next().unwrap_or_default();
        let digest = digest.replace("%3A", ":");
        if digest == format!("sha256:{}", sha256(&content)) {
            given.blobs.insert(digest, content.into());
            (StatusCode::CREATED, Some(location))
        } else {
            (StatusCode::BAD_REQUEST, None)
        }
    } else if method == Method::HEAD && given.blobs.contains_key(&last) {
        (StatusCode::OK, None)
    } else {
        (StatusCode::NOT_FOUND, None)
    };
    let mut response = Response::builder().status(status);
    if let Some(location) = location {
        response = response.header("location", location);
    }
    Ok(response.body(Full::default()).expect("a response"))
}

fn archive(folder: &tempfile::TempDir) -> harness_artifacts::image::BuiltImage {
    let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let own = std::env::current_exe().expect("this test");
    let own = Utf8PathBuf::from_path_buf(own).expect("UTF-8");
    build_image(ImageRole::Driver, &own, folder).expect("an image")
}

#[tokio::test]
async fn a_pushed_image_has_the_digest_that_it_had_and_is_not_sent_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = archive(&folder);
    let given = Shared::default();
    let registry = fake_registry(given.clone()).await;
    let name = format!("{registry}/team/agent-stub:1");
    push(&image.archive, &name).await.expect("pushed");
    {
        let given = given.lock().expect("no panic");
        let manifest = &given.manifests["1"];
        assert_eq!(format!("sha256:{}", sha256(manifest)), image.digest);
        assert!(
            given.blobs.contains_key(&image.image_id),
            "no configuration"
        );
        assert_eq!(given.blobs.len(), 2);
    }
    push(&image.archive, &name).await.expect("pushed");
    assert_eq!(given.lock().expect("no panic").uploads, 2);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named_with_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = archive(&folder);
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = gone.local_addr().expect("bound").port();
    drop(gone);
    let name = format!("localhost:{port}/team/agent-stub:1");
    let fault = push(&image.archive, &name)
        .await
        .expect_err("there is no answer");
    let EnvironmentFault::Cluster { detail, hint, .. } = fault else {
        panic!("{fault:?}");
    };
    assert!(detail.contains(&format!("localhost:{port}")), "{detail}");
    assert!(hint.is_some_and(|hint| hint.contains("docker login")));
}

#[test]
fn credentials_are_those_of_dockers_client_for_this_registry_alone() {
    // `dXNlcjpoaWRkZW4=` is `user:hidden`.
    let configuration = r#"{"auths":{"registry.example.com":{"auth":"dXNlcjpoaWRkZW4="}}}"#;
    let of = |registry| credentials_from(configuration.as_bytes(), registry).expect("readable");
    let expected = RegistryAuth::Basic("user".into(), "hidden".into());
    assert_eq!(of("registry.example.com"), expected);
    assert_eq!(of("elsewhere.example.com"), RegistryAuth::Anonymous);
    assert!(!format!("{expected:?}").contains("hidden"));
}

#[test]
fn an_archive_that_holds_no_image_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Utf8Path::from_path(folder.path())
        .expect("UTF-8")
        .join("a.tar");
    fs_err::write(&path, "nothing of the kind").expect("written");
    let error = ArchivedImage::open(&path).err().expect("refused");
    assert!(error.to_string().contains("holds no image"), "{error}");
}

#[rstest]
#[case("localhost:5000", true)]
#[case("127.0.0.1:80", true)]
#[case("localhost", true)]
#[case("localhost.example.com:5000", false)]
#[case("registry.example.com", false)]
fn only_this_machine_is_spoken_to_without_tls(#[case] registry: &str, #[case] expected: bool) {
    assert_eq!(is_this_machine(registry), expected);
}
