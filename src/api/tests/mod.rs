//! The router in process, with a database in a directory of its own and a switch that says what it is told to.
#![allow(
    clippy::disallowed_methods,
    reason = "somebody has to answer at the other end of the line"
)]

mod envelope;
mod flows;
mod keys;
mod openapi;
mod resources;

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::database::Database;
use crate::flow::dialect::{Support, parse_flow};
use crate::time::Epoch;

/// An API with everything around it.
struct World {
    api: Arc<Api>,
    router: Router,
    /// How long the world has stood.
    age: Arc<Mutex<Duration>>,
    key: String,
    changes: Arc<Mutex<usize>>,
    _files: tempfile::TempDir,
}

/// What came back.
struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Response {
    fn reason(&self) -> &str {
        self.body["error"]["reason"].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<&str> {
        let list = self.body["result"].as_array().unwrap();
        list.iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    fn is(self, code: u16) -> Self {
        assert_eq!(self.status.as_u16(), code, "{}", self.body);
        self
    }

    #[track_caller]
    fn refused(self, code: u16, reason: &str) -> Self {
        assert_eq!(
            (self.status.as_u16(), self.reason()),
            (code, reason),
            "{}",
            self.body
        );
        assert_eq!(
            self.body["error"]["request_id"],
            self.headers["x-request-id"].to_str().unwrap()
        );
        self
    }
}

const MENU: &str = r#"{"name":"menu","detail":"of the house","actions":[{"type":"answer"}]}"#;

fn menu() -> FlowFile {
    let flow = parse_flow(
        MENU.as_bytes(),
        "menu",
        &mut Rng::from_number(3),
        Support::Live,
    );
    FlowFile {
        stem: "menu".to_owned(),
        flow: Arc::new(flow.unwrap()),
        text: MENU.into(),
    }
}

impl World {
    async fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", files.path().join("test.sqlite").display());
        let database = Database::open(&url).await.unwrap();
        let (records, _) = Records::new(database, "here");
        let (line, mut ends) = Line::new();
        let changes = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&changes);
        tokio::spawn(async move {
            let _requests = ends.requests;
            while let Some(asked) = ends.changes.recv().await {
                *seen.lock().unwrap() += 1;
                let _ = asked.send(());
            }
        });
        let start = crate::sim::start();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let epoch = Epoch::new(start, wall);
        let age = Arc::new(Mutex::new(Duration::ZERO));
        let ticking = Arc::clone(&age);
        let clock = Clock::new(
            move || {
                let mut age = ticking.lock().unwrap();
                *age += Duration::from_micros(1);
                start + *age
            },
            epoch,
        );
        let mut rng = Rng::from_number(1);
        let key = new_key(&mut rng);
        let customer = rng.uuid();
        let since = Duration::from_secs(1_600_000_000);
        let said = Files {
            flows: vec![menu()],
            numbers: vec![crate::store::flows::Number {
                number: "+15550000000".to_owned(),
                call_flow: Some("menu".to_owned()),
                message_flow: None,
            }],
            ..Files::default()
        };
        let configured = Configured::new(Origin { customer, since }, &said);
        let (_, configured) = watch::channel(Arc::new(configured));
        let api = Api::new(ApiConfig {
            records,
            line,
            events: Events::new(),
            clock,
            customer,
            configured,
            keys: vec![Hash::of(&key)],
            readiness: Arc::default(),
            rate: Rate {
                per_second: 200,
                burst: 400,
            },
            permits: Arc::new(|_| true),
            rng,
        });
        let router = api.router().unwrap();
        Self {
            api,
            router,
            age,
            key,
            changes,
            _files: files,
        }
    }

    fn pass(&self, time: Duration) {
        *self.age.lock().unwrap() += time;
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Response {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    fn request(&self, method: &Method, path: &str, body: impl Into<Body>) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .body(body.into())
            .unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(self.request(&Method::GET, path, "")).await
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        let body = body.to_string();
        self.send(self.request(&Method::POST, path, body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Response {
        let body = body.to_string();
        self.send(self.request(&Method::PUT, path, body)).await
    }

    async fn delete(&self, path: &str) -> Response {
        self.send(self.request(&Method::DELETE, path, "")).await
    }

    /// Without the key of the world, with another one where there is one.
    async fn get_as(&self, path: &str, key: Option<&str>) -> Response {
        let mut request = Request::builder().uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

fn peer(address: &str) -> frame::Peer {
    let address: IpAddr = address.parse().unwrap();
    frame::Peer(address)
}
