//! What all resources do alike, shown on tags and numbers.

use super::*;

#[tokio::test]
async fn lists_are_newest_first_and_pages_join_without_a_gap() {
    let world = World::new().await;
    for number in 0..5 {
        let tag = json!({"name": format!("tag {number}")});
        world.post("/v1.0/tags", tag).await.is(200);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1.0/tags?page_size=2&page_token={token}");
        let page = world.get(&path).await.is(200);
        if page.names().is_empty() {
            assert_eq!(page.body["next_page_token"], "");
            break;
        }
        assert!(page.names().len() <= 2);
        seen.extend(page.names().into_iter().map(str::to_owned));
        token = page.body["next_page_token"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, ["tag 4", "tag 3", "tag 2", "tag 1", "tag 0"]);
    for size in ["0", "101", "many", "-1"] {
        let path = format!("/v1.0/tags?page_size={size}");
        assert_eq!(world.get(&path).await.is(200).names().len(), 5, "{size}");
    }
    let token = token.replace('T', "%20").replace('Z', "");
    let path = format!("/v1.0/tags?page_token={token}");
    assert!(world.get(&path).await.is(200).names().is_empty());
}

#[tokio::test]
async fn each_change_is_told_once_with_the_resource_as_it_is_then() {
    let world = World::new().await;
    let mut events = world.api.events.listen();
    let made = world
        .post("/v1.0/tags", json!({"name": "a", "detail": "b"}))
        .await
        .is(200);
    let path = format!("/v1.0/tags/{}", made.id());
    world.put(&path, json!({"name": "c"})).await.is(200);
    world.delete(&path).await.is(200);
    world.delete(&path).await.is(404);
    for (name, is_named) in [
        ("tag_created", "a"),
        ("tag_updated", "c"),
        ("tag_deleted", "c"),
    ] {
        let event = events.try_recv().unwrap();
        let body: Value = serde_json::from_str(&event.body()).unwrap();
        assert_eq!(body["type"], name);
        assert_eq!(body["data"]["name"], is_named);
        assert_eq!(body["data"]["id"], made.id());
    }
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn a_number_is_kept_in_one_form_and_once() {
    let world = World::new().await;
    let flow = Uuid::from_u128(5);
    let number = json!({"number": "+1 (555) 111-2222", "call_flow_id": flow, "name": "desk"});
    let made = world.post("/v1.0/numbers", number.clone()).await.is(200);
    assert_eq!(made.body["number"], "+15551112222");
    assert_eq!(made.body["status"], "active");
    assert_eq!(made.body["message_flow_id"], Uuid::nil().to_string());
    let again = world.post("/v1.0/numbers", number.clone()).await;
    again.refused(409, "ALREADY_EXISTS");
    let of_the_file = json!({"number": "+15550000000"});
    let taken = world.post("/v1.0/numbers", of_the_file).await;
    taken.refused(409, "ALREADY_EXISTS");
    for wrong in ["15551112222", "+1", "+1555111222233334", "+1555x112222"] {
        world
            .post("/v1.0/numbers", json!({"number": wrong}))
            .await
            .refused(400, "INVALID_ARGUMENT");
    }
    let virtual_one = |number: &str| json!({"number": number, "type": "virtual"});
    let outside = world
        .post("/v1.0/numbers", virtual_one("+15551113333"))
        .await;
    outside.refused(400, "INVALID_ARGUMENT");
    world
        .post("/v1.0/numbers", virtual_one("+899001000000"))
        .await
        .is(200);

    let path = format!("/v1.0/numbers/{}", made.id());
    let flows = json!({"message_flow_id": flow});
    let replaced = world.put(&format!("{path}/flow_ids"), flows).await.is(200);
    assert_eq!(replaced.body["call_flow_id"], Uuid::nil().to_string());
    assert_eq!(replaced.body["message_flow_id"], flow.to_string());
    assert_eq!(replaced.body["name"], "desk");
    let deleted = world.delete(&path).await.is(200);
    assert_eq!(deleted.body["status"], "deleted");
    world.get(&path).await.refused(404, "NUMBER_NOT_FOUND");
    world.post("/v1.0/numbers", number).await.is(200);
}

#[tokio::test]
async fn numbers_lead_to_flows_of_the_directory_by_the_ids_that_the_api_shows() {
    let world = World::new().await;
    let list = world.get("/v1.0/flows").await;
    let menu_id = &list.body["result"][0]["id"];
    let number = json!({"number": "+15551112222", "call_flow_id": menu_id});
    world.post("/v1.0/numbers", number).await.is(200);
    let files = [menu()];
    let made = MadeReader::default()
        .read(&world.api.records, &files)
        .await
        .unwrap();
    assert_eq!(made.numbers[0].call_flow.as_ref(), Some(&files[0].flow.id));
    assert_eq!(made.numbers[0].message_flow, None);
}
