//! What is refused, and how.

use axum::routing::get;

use super::*;

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_envelope() {
    let world = World::new().await;
    world.get("/nowhere").await.refused(404, "ROUTE_NOT_FOUND");
    world
        .get("/v1.0/nowhere")
        .await
        .refused(404, "ROUTE_NOT_FOUND");
    let patched = world.request(&Method::PATCH, "/v1.0/tags", "");
    let refused = world.send(patched).await.refused(405, "METHOD_NOT_ALLOWED");
    assert!(refused.headers["allow"].to_str().unwrap().contains("POST"));
    world
        .delete("/healthz")
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn wrong_bodies_ids_and_pages_say_what_is_wrong() {
    let world = World::new().await;
    let refused = world
        .post("/v1.0/tags", json!({"name": 5}))
        .await
        .refused(400, "INVALID_JSON_BODY");
    assert_eq!(refused.body["error"]["status"], "INVALID_ARGUMENT");
    assert_eq!(refused.body["error"]["details"]["path"], "name");
    let broken = world.request(&Method::POST, "/v1.0/tags", "{\"name\":");
    world.send(broken).await.refused(400, "INVALID_JSON_BODY");
    let nul = world.request(&Method::POST, "/v1.0/tags", r#"{"name":"\u0000"}"#);
    world.send(nul).await.refused(400, "INVALID_JSON_BODY");
    let long = world.request(&Method::POST, "/v1.0/tags", vec![b' '; 1024 * 1024 + 1]);
    world.send(long).await.refused(413, "PAYLOAD_TOO_LARGE");
    for id in ["5", "ffffffffffffffffffffffffffffffff", "%00", "%ff"] {
        world
            .get(&format!("/v1.0/tags/{id}"))
            .await
            .refused(400, "INVALID_ID");
    }
    world
        .get("/v1.0/tags?page_token=yesterday")
        .await
        .refused(400, "INVALID_REQUEST_PARAMETER");
    world
        .get(&format!("/v1.0/tags/{}", Uuid::from_u128(1)))
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_of_its_own() {
    async fn fail() -> &'static str {
        panic!("as it was told to")
    }
    let mut world = World::new().await;
    world.router = Router::new()
        .route("/fail", get(fail))
        .route("/work", get(|| async { "{}" }))
        .layer(from_fn_with_state(Arc::clone(&world.api), frame::frame));
    world.get("/fail").await.refused(500, "INTERNAL");
    world.get("/work").await.is(200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let world = World::new().await;
    let ask = |path: &str, address: &str| {
        let mut request = world.request(&Method::POST, path, "{}");
        request.extensions_mut().insert(peer(address));
        world.send(request)
    };
    for _ in 0..20 {
        ask("/auth/login", "10.0.0.1")
            .await
            .refused(400, "INVALID_JSON_BODY");
    }
    let refused = ask("/auth/login", "10.0.0.1").await;
    let refused = refused.refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.body["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(refused.headers["retry-after"], "1");
    ask("/v1.0/auth/login", "10.0.0.1")
        .await
        .refused(429, "RATE_LIMIT_EXCEEDED");
    ask("/auth/login", "10.0.0.2").await.is(400);
    ask("/v1.0/tags", "10.0.0.1").await.is(400);
    world.pass(Duration::from_secs(1));
    ask("/auth/login", "10.0.0.1").await.is(400);
}

#[tokio::test]
async fn a_request_keeps_the_id_that_it_came_with_when_that_can_stand_in_a_log() {
    let world = World::new().await;
    for (given, is_kept) in [("abc-1.2_3", true), ("a b", false), ("", false)] {
        let mut request = world.request(&Method::GET, "/nowhere", "");
        request
            .headers_mut()
            .insert("x-request-id", given.parse().unwrap());
        let refused = world.send(request).await.refused(404, "ROUTE_NOT_FOUND");
        assert_eq!(refused.headers["x-request-id"] == given, is_kept, "{given}");
    }
}

#[tokio::test]
async fn ready_is_who_has_its_sockets_its_switch_and_its_database_and_does_not_drain() {
    use std::sync::atomic::Ordering::Relaxed;
    let world = World::new().await;
    let readiness = &world.api.readiness;
    world.get_as("/healthz", None).await.is(200);
    let not_ready = world.get_as("/readyz", None).await;
    assert_eq!(not_ready.status.as_u16(), 503);
    readiness.is_listening.store(true, Relaxed);
    // A 503 of readiness is told by its own body.
    let ready = world.get_as("/readyz", None).await.is(200);
    assert_eq!(
        ready.body,
        json!({"ready": true, "database": true, "sip": true, "switch": true, "draining": false})
    );
    readiness.is_draining.store(true, Relaxed);
    let draining = world.get_as("/readyz", None).await.is(503);
    assert_eq!(draining.body["draining"], true);
}

#[tokio::test]
async fn a_line_without_a_switch_refuses_and_one_with_a_switch_hands_its_answer_on() {
    let (line, mut ends) = Line::new();
    let control = || crate::switch::Control::KickQueuecall {
        queuecall: Uuid::from_u128(1),
    };
    let asking = tokio::spawn({
        let (line, control) = (line.clone(), control());
        async move { line.ask(control).await }
    });
    let asked = ends.requests.recv().await.unwrap();
    assert!(matches!(
        asked.control,
        crate::switch::Control::KickQueuecall { .. }
    ));
    let refused = || crate::switch::ControlError::NoSuchQueuecall;
    asked.reply.send(Err(refused())).unwrap();
    assert_eq!(asking.await.unwrap(), Err(LineError::Refused(refused())));
    let refusal = refusal::Refusal::from(LineError::Refused(refused()));
    assert_eq!(refusal.reason().as_str(), "QUEUECALL_NOT_FOUND");
    drop(ends);
    assert!(!line.is_open());
    let gone = line.ask(control()).await.unwrap_err();
    assert_eq!(gone, LineError::Gone);
    let refusal = refusal::Refusal::from(gone);
    assert_eq!(refusal.reason().code().as_u16(), 503);
}
