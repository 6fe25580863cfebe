//! Who gets in.

use super::*;

#[tokio::test]
async fn everything_under_the_version_wants_a_key() {
    let world = World::new().await;
    let described = world.get_as("/openapi.json", None).await.is(200);
    let paths = described.body["paths"].as_object().unwrap();
    let mut wanting = 0;
    for (path, operations) in paths {
        if !path.starts_with("/v1.0") || path.contains("/auth/") {
            continue;
        }
        let path = path.replace("{id}", &Uuid::from_u128(1).to_string());
        for method in operations.as_object().unwrap().keys() {
            let request = |key: &str| {
                Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(format!("{path}{key}"))
                    .body(Body::empty())
                    .unwrap()
            };
            let refused = world.send(request("")).await;
            refused.refused(401, "AUTHENTICATION_REQUIRED");
            let refused = world.send(request("?accesskey=vb_wrong")).await;
            refused.refused(401, "INVALID_CREDENTIALS");
            wanting += 1;
        }
    }
    assert!(wanting > 20, "{wanting}");
}

#[tokio::test]
async fn a_key_opens_from_the_header_the_query_and_the_cookie() {
    let world = World::new().await;
    world
        .get_as("/v1.0/tags", Some(world.key.as_str()))
        .await
        .is(200);
    let path = format!("/v1.0/tags?accesskey={}", world.key);
    world.get_as(&path, None).await.is(200);
    let request = Request::builder()
        .uri("/v1.0/tags")
        .header("cookie", format!("a=b; accesskey={}", world.key))
        .body(Body::empty())
        .unwrap();
    world.send(request).await.is(200);
}

#[tokio::test]
async fn an_access_key_is_shown_once_and_opens_until_it_expires_or_is_deleted() {
    let world = World::new().await;
    let made = world
        .post("/v1.0/accesskeys", json!({"name": "ci", "expire": 60}))
        .await
        .is(200);
    let key = made.body["token"].as_str().unwrap().to_owned();
    assert_eq!((key.len(), &key[..3]), (35, "vb_"));
    assert_eq!(made.body["token_prefix"], key[..11]);
    let path = format!("/v1.0/accesskeys/{}", made.id());
    for shown in [
        world.get(&path).await.is(200).body,
        world.get("/v1.0/accesskeys").await.is(200).body["result"][0].clone(),
        world
            .put(&path, json!({"name": "other"}))
            .await
            .is(200)
            .body,
    ] {
        assert_eq!(shown["token_prefix"], key[..11]);
        assert!(!shown.to_string().contains(&key));
        assert_eq!(shown["tm_expire"], "2023-11-14T22:14:20.000001Z", "{shown}");
    }
    world.get_as("/v1.0/tags", Some(&key)).await.is(200);
    world.pass(Duration::from_secs(61));
    let expired = world.get_as("/v1.0/tags", Some(&key)).await;
    expired.refused(401, "INVALID_CREDENTIALS");

    let made = world.post("/v1.0/accesskeys", json!({})).await.is(200);
    assert_eq!(made.body["tm_expire"], Value::Null);
    let key = made.body["token"].as_str().unwrap().to_owned();
    world.get_as("/v1.0/tags", Some(&key)).await.is(200);
    let path = format!("/v1.0/accesskeys/{}", made.id());
    world.delete(&path).await.is(200);
    let deleted = world.get_as("/v1.0/tags", Some(&key)).await;
    deleted.refused(401, "INVALID_CREDENTIALS");
}

async fn agent(world: &World, permission: u32) -> Response {
    let agent = json!({
        "username": "ann", "password": "correct horse", "name": "Ann", "permission": permission,
        "addresses": [{"type": "tel", "target": "+1 (555) 111-2222"}],
    });
    world.post("/v1.0/agents", agent).await
}

async fn log_in(world: &World, password: &str) -> Response {
    let login = json!({"username": "ann", "password": password});
    let request = Request::builder()
        .method("POST")
        .uri("/auth/login")
        .body(Body::from(login.to_string()))
        .unwrap();
    world.send(request).await
}

#[tokio::test]
async fn an_agent_logs_in_by_its_password_for_seven_days() {
    let world = World::new().await;
    let made = agent(&world, 32).await.is(201);
    assert_eq!(made.body["addresses"][0]["target"], "+15551112222");
    assert!(!made.body.to_string().contains("correct"));
    agent(&world, 32).await.refused(409, "ALREADY_EXISTS");
    let wrong = log_in(&world, "wrong horse").await;
    let wrong = wrong.refused(400, "INVALID_CREDENTIALS");
    assert_eq!(wrong.body["error"]["status"], "INVALID_ARGUMENT");
    let right = log_in(&world, "correct horse").await.is(200);
    let token = right.body["token"].as_str().unwrap();
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains(token) && cookie.contains("HttpOnly"));
    let me = world.get_as("/v1.0/me", Some(token)).await.is(200);
    assert_eq!(me.body["username"], "ann");
    world.pass(Duration::from_secs(7 * 24 * 3600 - 60));
    world.get_as("/v1.0/me", Some(token)).await.is(200);
    world.pass(Duration::from_secs(61));
    let late = world.get_as("/v1.0/me", Some(token)).await;
    late.refused(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_new_password_or_the_end_of_an_agent_ends_its_tokens() {
    let world = World::new().await;
    let path = format!("/v1.0/agents/{}", agent(&world, 16).await.is(201).id());
    let token = |right: Response| right.is(200).body["token"].as_str().unwrap().to_owned();
    let first = token(log_in(&world, "correct horse").await);
    let plain = world.get_as("/v1.0/accesskeys", Some(&first)).await;
    plain.refused(403, "PERMISSION_DENIED");
    world.get_as("/v1.0/flows", Some(&first)).await.is(200);
    let short = json!({"password": "short"});
    world
        .put(&format!("{path}/password"), short)
        .await
        .refused(400, "INVALID_ARGUMENT");
    let new = json!({"password": "battery staple"});
    world.put(&format!("{path}/password"), new).await.is(200);
    world.get_as("/v1.0/me", Some(&first)).await.is(401);
    log_in(&world, "correct horse").await.is(400);
    let second = token(log_in(&world, "battery staple").await);
    world.get_as("/v1.0/me", Some(&second)).await.is(200);
    world.delete(&path).await.is(200);
    world.get_as("/v1.0/me", Some(&second)).await.is(401);
    log_in(&world, "battery staple").await.is(400);
}

#[tokio::test]
async fn an_unknown_name_costs_as_much_as_a_wrong_password() {
    use argon2::password_hash::PasswordHash;
    let nobody = PasswordHash::new(login::NOBODY).unwrap();
    let world = World::new().await;
    let hash = world.api.hash_password("correct horse".to_owned()).await;
    let hash = hash.unwrap();
    let somebody = PasswordHash::new(&hash).unwrap();
    assert_eq!(nobody.algorithm, somebody.algorithm);
    assert_eq!(nobody.version, somebody.version);
    assert_eq!(nobody.params, somebody.params);
    assert_eq!(
        nobody.hash.map(|hash| hash.len()),
        somebody.hash.map(|hash| hash.len())
    );
}
