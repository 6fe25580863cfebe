//! The description, as a reader of it sees it.

use std::collections::HashSet;

use super::*;

/// Every `$ref` in it.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(to) if key == "$ref" => found.push(to.clone()),
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_is_described_with_its_errors_and_who_may_ask() {
    let world = World::new().await;
    let api = world.get_as("/openapi.json", None).await.is(200).body;
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = Vec::new();
    references(&api, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(place).is_some(), "{reference} leads nowhere");
    }
    let mut ids = HashSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(operation["summary"].is_string(), "{place}");
            assert_eq!(
                operation["responses"]["default"]["$ref"], "#/components/responses/Refused",
                "{place}"
            );
            let wants_key = path.starts_with("/v1.0") && !path.contains("/auth/");
            let schemes = operation["security"].as_array().unwrap();
            assert_eq!(!schemes.is_empty(), wants_key, "{place}");
            let parameters = operation["parameters"].as_array();
            let described = parameters.map_or(0, |all| {
                let is_in_path = |parameter: &&Value| parameter["in"] == "path";
                all.iter().filter(is_in_path).count()
            });
            assert_eq!(described, path.matches('{').count(), "{place}");
            if method == "post" {
                assert!(operation["requestBody"].is_object(), "{place}");
            }
        }
    }
    assert!(ids.contains("flows_validate"));
}

#[tokio::test]
async fn the_page_to_try_it_is_whole_and_may_load_from_here_alone() {
    let world = World::new().await;
    for (path, kind) in [
        ("/docs/", "text/html"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/swagger-initializer.js", "text/javascript"),
    ] {
        let response = world.get_as(path, None).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(
            response.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with(kind)
        );
        let policy = response.headers["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'"));
    }
    world
        .get_as("/docs/none.js", None)
        .await
        .refused(404, "ROUTE_NOT_FOUND");
}
