use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::request::LONGEST_URL;
use super::*;

/// A server that gives every connection `answer` for the request line it sent, then closes it.
async fn serve(answer: fn(&str) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let request = read_head(&mut stream).await;
                let line = request.lines().next().unwrap_or_default();
                let _ = stream.write_all(&answer(line)).await;
            });
        }
    });
    address
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            break;
        };
        head.push(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn quick() -> FetchLimits {
    FetchLimits {
        bytes: 64 << 10,
        total: Duration::from_millis(1500),
        connect: Duration::from_millis(500),
        idle: Duration::from_millis(300),
        ..FetchLimits::default()
    }
}

fn gate(allow: &[&str]) -> Gate {
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    Gate::new(OutboundPolicy { allow }, quick()).unwrap()
}

fn redirect_to(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

async fn error_of(gate: &Gate, url: &str) -> FetchError {
    gate.get(url).await.unwrap_err()
}

#[tokio::test]
async fn a_file_comes_with_its_type_and_age() {
    let server = serve(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nCache-Control: public, max-age=60\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    })
    .await;
    let fetched = gate(&["127.0.0.1"])
        .get(&format!("http://user:secret@{server}/a.wav"))
        .await
        .unwrap();
    assert_eq!(fetched.body, b"hello");
    assert_eq!(fetched.content_type.as_deref(), Some("audio/wav"));
    assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn loopback_is_refused_in_every_spelling_of_its_url() {
    let server = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let port = server.port();
    let gate = gate(&[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST",
        "example.com@127.0.0.1",
        "user:pass@[::1]",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        let error = error_of(&gate, &format!("http://{host}:{port}/")).await;
        assert!(
            matches!(error, FetchError::Refused { .. }),
            "{host}: {error:?}"
        );
    }
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "http://10.0.0.1/",
    ] {
        let error = error_of(&gate, url).await;
        assert!(
            matches!(error, FetchError::Refused { .. }),
            "{url}: {error:?}"
        );
    }
}

#[tokio::test]
async fn only_http_and_https_are_fetched() {
    let gate = gate(&["127.0.0.1"]);
    for url in [
        "",
        "menu.wav",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:audio/wav;base64,AA",
        "gopher://127.0.0.1/",
        "http://",
        "http://a b/",
        &format!("http://127.0.0.1/{}", "a".repeat(LONGEST_URL)),
    ] {
        assert_eq!(error_of(&gate, url).await, FetchError::Url, "{url:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_each_is_checked() {
    let server = serve(|line| match line.split(' ').nth(1) {
        Some("/3") => redirect_to("/2"),
        Some("/2") => redirect_to("1"),
        Some("/1") => redirect_to("/0"),
        Some("/0") => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        Some("/round") => redirect_to("/round"),
        Some("/metadata") => redirect_to("http://169.254.169.254/"),
        Some("/file") => redirect_to("file:///etc/passwd"),
        _ => b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    })
    .await;
    let gate = gate(&["127.0.0.1"]);
    let url = |path: &str| format!("http://{server}/{path}");
    assert_eq!(gate.get(&url("3")).await.unwrap().body, b"ok");
    assert_eq!(gate.get(&url("3")).await.unwrap().url.path(), "/0");
    assert_eq!(error_of(&gate, &url("round")).await, FetchError::Redirect);
    assert_eq!(error_of(&gate, &url("nowhere")).await, FetchError::Redirect);
    assert_eq!(error_of(&gate, &url("file")).await, FetchError::Url);
    let metadata = "169.254.169.254".parse().unwrap();
    assert_eq!(
        error_of(&gate, &url("metadata")).await,
        FetchError::Refused { address: metadata }
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(
        error_of(&gate(&["127.0.0.1"]), &format!("http://{address}/")).await,
        FetchError::TimedOut
    );
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_at_the_total_time() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        let mut sent = stream.write_all(head).await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            sent = stream.write_all(b"x").await;
        }
    });
    assert_eq!(
        error_of(&gate(&["127.0.0.1"]), &format!("http://{address}/")).await,
        FetchError::TimedOut
    );
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let mut sent = stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("3e8\r\n{}\r\n", "a".repeat(1000));
        while sent.is_ok() {
            sent = stream.write_all(chunk.as_bytes()).await;
        }
    });
    assert_eq!(
        error_of(&gate(&["127.0.0.1"]), &format!("http://{address}/")).await,
        FetchError::TooLarge { limit: 64 << 10 }
    );
}

#[tokio::test]
async fn a_length_that_lies_is_not_believed() {
    let server = serve(|line| match line.split(' ').nth(1) {
        Some("/more") => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort".to_vec(),
        Some("/huge") => {
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nshort".to_vec()
        }
        Some("/negative") => b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nshort".to_vec(),
        Some("/gzip") => {
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
                .to_vec()
        }
        Some("/missing") => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => b"\0\x01\x02garbage".to_vec(),
    })
    .await;
    let gate = gate(&["127.0.0.1"]);
    for (path, expected) in [
        ("more", FetchError::Broken),
        ("negative", FetchError::Broken),
        ("gzip", FetchError::Encoded),
        ("missing", FetchError::Status { code: 404 }),
        ("garbage", FetchError::Broken),
    ] {
        let error = error_of(&gate, &format!("http://{server}/{path}")).await;
        assert_eq!(error, expected, "{path}");
    }
    let huge = error_of(&gate, &format!("http://{server}/huge")).await;
    assert!(matches!(
        huge,
        FetchError::TooLarge { .. } | FetchError::Broken
    ));
}

#[tokio::test]
async fn a_closed_port_and_a_name_without_address_are_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gate = gate(&["127.0.0.1"]);
    assert_eq!(
        error_of(&gate, &format!("http://{address}/")).await,
        FetchError::Connect
    );
    let unknown = error_of(&gate, "http://nowhere.invalid/").await;
    assert!(matches!(
        unknown,
        FetchError::Unresolved | FetchError::TimedOut
    ));
}

#[tokio::test]
async fn https_is_tls_and_is_not_spoken_to_who_cannot_prove_itself() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = stream.read_u8().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        first
    });
    assert_eq!(
        error_of(&gate(&["127.0.0.1"]), &format!("https://{address}/")).await,
        FetchError::Connect
    );
    assert_eq!(server.await.unwrap(), 0x16, "a TLS handshake record");
}

#[test]
fn a_redirect_leads_on_but_never_from_https_to_http() {
    let lead = |from: &str, location: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        redirected(&from.parse().unwrap(), &headers).map(String::from)
    };
    assert_eq!(
        lead("http://a.example/x/y", "../z?q"),
        Ok("http://a.example/z?q".to_owned())
    );
    assert_eq!(
        lead("http://a.example/", "https://b.example/"),
        Ok("https://b.example/".to_owned())
    );
    assert_eq!(
        lead("https://a.example/", "//b.example/"),
        Ok("https://b.example/".to_owned())
    );
    assert_eq!(
        lead("https://a.example/", "http://a.example/"),
        Err(FetchError::Downgrade)
    );
    assert_eq!(
        lead("http://a.example/", "http://["),
        Err(FetchError::Redirect)
    );
}

#[test]
fn no_store_wins_over_an_age() {
    let age = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().unwrap());
        max_age(&headers)
    };
    assert_eq!(age("max-age=60, no-store"), Some(Duration::ZERO));
    assert_eq!(age("private"), None);
    assert_eq!(age("Max-Age=\"7\""), Some(Duration::from_secs(7)));
    assert_eq!(age("max-age=-1"), None);
}
