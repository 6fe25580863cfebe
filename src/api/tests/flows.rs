//! Flows of the API, and those of the directory beside them.

use super::*;

#[tokio::test]
async fn a_flow_is_made_with_ids_and_is_what_the_switch_reads() {
    let world = World::new().await;
    let flow = json!({
        "name": "night", "detail": "after six",
        "actions": [
            {"type": "answer"},
            {"id": "00000000-0000-0000-0000-000000000000", "type": "talk", "option": {"text": "closed"}, "next_id": null},
            {"id": "b8781e56-c524-11ec-889f-d37b0dbb7eb8", "type": "call", "option": {
                "source": {"type": "tel", "target": "+15550001111"},
                "destinations": [{"type": "tel", "target": "+15550002222"}],
                "actions": [{"type": "hangup"}]}},
        ],
    });
    let made = world.post("/v1.0/flows", flow).await.is(200).body;
    assert_eq!(made["type"], "flow");
    assert_eq!(made["on_complete_flow_id"], Uuid::nil().to_string());
    assert_eq!(
        (&made["tm_update"], &made["tm_delete"]),
        (&Value::Null, &Value::Null)
    );
    let actions = made["actions"].as_array().unwrap();
    for action in [
        &actions[0],
        &actions[1],
        &actions[2]["option"]["actions"][0],
    ] {
        let id: Uuid = action["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4);
    }
    assert_eq!(actions[2]["id"], "b8781e56-c524-11ec-889f-d37b0dbb7eb8");
    let id = made["id"].as_str().unwrap();
    let got = world.get(&format!("/v1.0/flows/{id}")).await.is(200);
    assert_eq!(got.body, made);
    assert_eq!(*world.changes.lock().unwrap(), 1);

    let read = MadeReader::default()
        .read(&world.api.records, &[menu()])
        .await
        .unwrap();
    assert_eq!(read.flows.len(), 1);
    assert_eq!(read.flows[0].id, id);
    assert_eq!(read.flows[0].name, "night");
    assert_eq!(read.flows[0].actions[0].id.to_string(), actions[0]["id"]);
}

#[tokio::test]
async fn a_flow_that_the_switch_could_not_run_is_refused_with_the_place() {
    let world = World::new().await;
    let refused = |actions: Value| {
        let flow = json!({"name": "x", "actions": actions});
        world.post("/v1.0/flows", flow)
    };
    let unknown = refused(json!([{"type": "answer"}, {"type": "anwser"}])).await;
    let unknown = unknown.refused(400, "INVALID_ACTION_TYPE");
    assert_eq!(
        unknown.body["error"]["details"]["errors"][0]["path"],
        "actions[1].type"
    );
    let address = json!({"type": "tel", "target": "+15550001111"});
    let option = json!({"source": address, "destinations": [address], "anonymous": "perhaps"});
    refused(json!([{"type": "connect", "option": option}]))
        .await
        .refused(400, "INVALID_ANONYMOUS_VALUE");
    refused(json!([{"type": "sleep", "option": {"duration": {}}}]))
        .await
        .refused(400, "INVALID_ARGUMENT");
    refused(json!([{"option": {}}]))
        .await
        .refused(400, "INVALID_JSON_BODY");
    refused(json!({})).await.refused(400, "INVALID_JSON_BODY");
    assert_eq!(*world.changes.lock().unwrap(), 0);
}

#[tokio::test]
async fn validating_tells_what_the_linter_finds_and_keeps_nothing() {
    let world = World::new().await;
    let flow = json!({"name": "x", "actions": [{"type": "talk", "option": {"txt": "hello"}}]});
    let found = world.post("/v1.0/flows/validate", flow).await.is(200).body;
    assert_eq!(found["valid"], false);
    let findings = found["findings"].as_array().unwrap();
    let is_it = |finding: &&Value| finding["path"] == "actions[0].option.txt";
    let finding = findings.iter().find(is_it).expect("it is misspelt");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["rule"], "unknown-option");
    let good = json!([{"type": "answer"}, {"type": "fetch_flow", "option": {"flow_id": "menu"}}]);
    let found = world.post("/v1.0/flows/validate", good).await.is(200).body;
    assert_eq!(found["valid"], true, "{found}");
    let broken = world.request(&Method::POST, "/v1.0/flows/validate", "[");
    assert_eq!(world.send(broken).await.is(200).body["valid"], false);
    assert_eq!(world.get("/v1.0/flows").await.names(), ["menu"]);
}

#[tokio::test]
async fn flows_of_the_directory_are_listed_and_read_only() {
    let world = World::new().await;
    let flow = json!({"name": "night", "actions": []});
    world.post("/v1.0/flows", flow.clone()).await.is(200);
    let list = world.get("/v1.0/flows").await.is(200);
    assert_eq!(list.names(), ["night", "menu"]);
    let menu = &list.body["result"][1];
    assert_eq!(menu["detail"], "of the house");
    assert_eq!(menu["actions"][0]["type"], "answer");
    assert_eq!(menu["tm_create"], "2020-09-13T12:26:40.000000Z");
    let path = format!("/v1.0/flows/{}", menu["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.is(200).body, *menu);
    let refused = world.put(&path, flow).await.refused(409, "STATE_INVALID");
    assert_eq!(refused.body["error"]["status"], "FAILED_PRECONDITION");
    world.delete(&path).await.refused(409, "STATE_INVALID");
    let numbers = world.get("/v1.0/numbers").await.is(200);
    assert_eq!(numbers.body["result"][0]["call_flow_id"], menu["id"]);
}

#[tokio::test]
async fn a_replaced_flow_has_all_that_was_said_and_nothing_from_before() {
    let world = World::new().await;
    let flow = json!({"name": "night", "detail": "after six", "actions": [{"type": "answer"}]});
    let made = world.post("/v1.0/flows", flow).await.is(200);
    let path = format!("/v1.0/flows/{}", made.id());
    let after = Uuid::from_u128(7);
    let new = json!({"name": "day", "actions": [{"type": "hangup"}], "on_complete_flow_id": after});
    let replaced = world.put(&path, new).await.is(200).body;
    assert_eq!(replaced["name"], "day");
    assert_eq!(replaced["detail"], "");
    assert_eq!(replaced["actions"][0]["type"], "hangup");
    assert_eq!(replaced["on_complete_flow_id"], after.to_string());
    assert_eq!(replaced["tm_create"], made.body["tm_create"]);
    assert!(replaced["tm_update"].is_string());
    let wrong = json!({"name": "day", "actions": [{"type": "?"}]});
    world
        .put(&path, wrong)
        .await
        .refused(400, "INVALID_ACTION_TYPE");
    assert_eq!(world.get(&path).await.body, replaced);
    let deleted = world.delete(&path).await.is(200).body;
    assert!(deleted["tm_delete"].is_string());
    world.get(&path).await.refused(404, "FLOW_NOT_FOUND");
    world.delete(&path).await.refused(404, "FLOW_NOT_FOUND");
    assert_eq!(*world.changes.lock().unwrap(), 3);
}
